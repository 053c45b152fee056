"""Resend's domains, to be looked at: who may send from where, and how each DNS record stands.

The shapes are those of the provider's OpenAPI file (2026) and SDK. Domains are made and changed through the control
endpoint, as a person does it on the provider's pages; they live as long as the process.
"""

from datetime import UTC, datetime

import msgspec

from services.sandbox.calls import Answer, Call, Refused, json_answer
from services.sandbox.domains import Domain, RecordStatus
from services.sandbox.resend_rules import invalid
from services.sandbox.state import State

MAX_LISTED = 100
MADE_AT = datetime(2025, 11, 1, tzinfo=UTC)


def list_domains(state: State, call: Call) -> Answer:
    """All of them, or a page: after and before are ids, never both."""
    after, before, limit = call.first("after"), call.first("before"), call.first("limit")
    if after and before:
        invalid("Use either `after` or `before`, not both.")
    found = list(state.domains)
    if after:
        found = found[found.index(_find(state, after)) + 1 :]
    if before:
        found = found[: found.index(_find(state, before))]
    kept = found[: _limit(limit)] if limit is not None else found
    body = {"object": "list", "has_more": len(kept) < len(found), "data": [_brief(each) for each in kept]}
    return json_answer(200, body)


def retrieve_domain(state: State, call: Call) -> Answer:
    domain = _find(state, call.target)
    more = {"tracking_subdomain": domain.tracking_subdomain, "records": _records(domain)}
    return json_answer(200, {"object": "domain", **_brief(domain), **more})


def put_domain(state: State, body: bytes) -> Domain:
    """One more, or another in the place of the one of that name. Errors: msgspec.DecodeError."""
    domain = msgspec.json.decode(body, type=Domain)
    state.domains = (*(each for each in state.domains if each.name != domain.name), domain)
    return domain


def _limit(text: str) -> int:
    limit = int(text) if text.isdecimal() else 0
    if not 1 <= limit <= MAX_LISTED:
        invalid(f"The `limit` parameter must be between 1 and {MAX_LISTED}.")
    return limit


def _find(state: State, id_: str) -> Domain:
    found = next((each for each in state.domains if each.id == id_), None)
    if found is None:
        raise Refused(404, "not_found", "Domain not found")
    return found


def _brief(domain: Domain) -> dict[str, object]:
    return {
        "id": domain.id,
        "name": domain.name,
        "status": domain.status,
        "created_at": f"{MADE_AT:%Y-%m-%d %H:%M:%S.%f}+00",
        "region": "us-east-1",
        "open_tracking": domain.open_tracking,
        "click_tracking": domain.click_tracking,
        "capabilities": {"sending": domain.sending, "receiving": "disabled"},
    }


def _records(domain: Domain) -> list[dict[str, object]]:
    whole: RecordStatus = domain.status if not domain.status.startswith("partially") else "verified"  # type: ignore[assignment]
    spf, dkim = domain.spf or whole, domain.dkim or whole
    back = "feedback-smtp.us-east-1.amazonses.com"
    return [
        {"record": "SPF", "name": "send", "type": "MX", "ttl": "Auto", "status": spf, "value": back, "priority": 10},
        {"record": "SPF", "name": "send", "type": "TXT", "ttl": "Auto", "status": spf,
         "value": "v=spf1 include:amazonses.com ~all"},
        {"record": "DKIM", "name": "resend._domainkey", "type": "TXT", "ttl": "Auto", "status": dkim,
         "value": "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB"},
    ]  # fmt: skip
