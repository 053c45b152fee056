"""Resend: whether it takes our key, and whether it and the world take mail from our domains."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from email.utils import parseaddr

import msgspec
import resend
from resend.exceptions import ResendError

from cli.checks.dmarc import dmarc
from cli.checks.finding import Check, Finding, Patient, not_checked, ok, trouble, unset_here, warning
from journey.campaign import CampaignError, load_campaigns
from services.sender.resend_api import Resend

SEND_ONLY = "restricted_api_key"
BUSY = frozenset({"rate_limit_exceeded", "daily_quota_exceeded", "monthly_quota_exceeded"})
KEY = "take a key again at Resend → API Keys, put it into RESEND_API_KEY, and restart the sender"
BY_HAND = "look at Resend → Domains by hand, or run this once with a key of full access"


class Record(msgspec.Struct, frozen=True):
    record: str
    name: str
    type: str
    status: str = ""


class Capabilities(msgspec.Struct, frozen=True):
    sending: str = "enabled"


class Domain(msgspec.Struct, frozen=True):
    """What we read of one; `records` come only with a domain asked for by its id."""

    id: str
    name: str
    status: str
    open_tracking: bool | None = None
    click_tracking: bool | None = None
    capabilities: Capabilities = Capabilities()
    records: list[Record] | None = None


class _Domains(msgspec.Struct):
    data: list[Domain]


async def key_and_domains(patient: Patient) -> list[Finding]:
    """One list of domains, which changes nothing; then each domain a campaign sends from."""
    if patient.settings.resend_api_key is None:
        if patient.settings.nats_url:
            return [unset_here("Resend key", "RESEND_API_KEY")]
        do = "set RESEND_API_KEY to send for real"
        return [
            warning("Resend key", "RESEND_API_KEY is unset: the sandbox stands in, no email leaves this machine", do)
        ]
    async with _resend(patient):
        try:
            domains = msgspec.convert(await resend.Domains.list_async(), type=_Domains).data
        except ResendError as error:
            return _refused(error)
        except msgspec.ValidationError as error:
            return [warning("Resend key", f"an answer nobody expected: {error}", BY_HAND)]
        found = [ok("Resend key", "Resend takes it")]
        for name in _sending_domains(patient):
            found += await _domain(name, domains)
            found += await dmarc(name, patient.resolver)
        return found


@asynccontextmanager
async def _resend(patient: Patient) -> AsyncIterator[None]:
    """The SDK keeps its settings in its module; they are put back at the end."""
    settings = patient.settings
    key = settings.resend_api_key.get_secret_value() if settings.resend_api_key else ""
    client = Resend(key, settings.resend_api_url, settings.resend_rate_limit)
    try:
        yield
    finally:
        await client.close()


def _refused(error: ResendError) -> list[Finding]:
    kind, status = str(error.error_type), str(error.code)
    if kind == SEND_ONLY:
        return [
            ok("Resend key", "Resend takes it, for sending only: the least it needs"),
            not_checked("sender domain", "a key for sending only may not look at domains", BY_HAND),
        ]
    if kind in BUSY:
        do = "wait, or raise the quota; the sender waits by itself"
        return [warning("Resend key", f"Resend has enough of us for now ({kind})", do)]
    if status in {"400", "401", "403"}:
        return [trouble("Resend key", f"Resend does not take it ({status} {kind})", KEY)]
    do = "look at status.resend.com and at this machine's way to the internet; emails wait meanwhile"
    return [trouble("Resend key", f"Resend does not answer as it should ({status} {kind})", do)]


def _sending_domains(patient: Patient) -> list[str]:
    """Of every campaign; one that cannot be loaded is told by another check."""
    try:
        campaigns = load_campaigns(patient.settings.campaigns_dir).values()
    except CampaignError:
        return []
    return sorted({parseaddr(each.sender)[1].rpartition("@")[2].lower() for each in campaigns})


async def _domain(name: str, domains: Iterable[Domain]) -> list[Finding]:
    check = f"domain {name}"
    brief = next((each for each in domains if each.name.lower() == name), None)
    if brief is None:
        do = f"add {name} at Resend → Domains and put its records into DNS, or change `from` in campaign.toml"
        return [trouble(check, f"a campaign sends from {name}, which this Resend account does not have", do)]
    domain = msgspec.convert(await resend.Domains.get_async(brief.id), type=Domain)
    if domain.capabilities.sending != "enabled":
        return [trouble(check, "Resend has sending switched off for it", "switch it on at Resend → Domains")]
    open_records = [
        each for each in domain.records or () if each.record in {"SPF", "DKIM"} and each.status != "verified"
    ]
    if domain.status == "verified" and not open_records:
        return [ok(check, f"verified with SPF and DKIM; {_tracking(domain)}")]
    records = ", ".join(f"{each.record} ({each.type} {each.name}: {each.status})" for each in open_records)
    do = "put the records that Resend → Domains shows into DNS, then press Verify there; DNS may take an hour"
    detail = f"Resend says {domain.status}" + (f"; not verified: {records}" if records else "")
    can_send = domain.status in {"verified", "partially_verified"} and not open_records
    return [(warning if can_send else trouble)(check, detail, do)]


def _tracking(domain: Domain) -> str:
    on = [what for what, is_on in (("opens", domain.open_tracking), ("clicks", domain.click_tracking)) if is_on]
    off = [what for what, is_on in (("opens", domain.open_tracking), ("clicks", domain.click_tracking)) if not is_on]
    tracked = f"{' and '.join(on)} tracked" if on else ""
    untracked = f"{' and '.join(off)} not tracked, so `dripstream stats` shows none" if off else ""
    return "; ".join(filter(None, (tracked, untracked)))


CHECKS = (Check("Resend key", key_and_domains),)
