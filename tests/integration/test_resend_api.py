"""Resend through its own SDK over HTTP, against the sandbox: every way a call can end becomes the right answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import resend as resend_sdk

from journey.contact import fold
from journey.plan import Pace, plan_all
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault
from services.sandbox.options import UNLIMITED, SandboxOptions
from services.sender.outcome import Accepted, Refused, verdict
from services.sender.render import claim_for
from services.sender.resend_api import RateLimit, Resend
from tests.factories import ADA, CAMPAIGN, NOW, make_email_id, make_signup
from tests.unit.journey.test_plan import ME, STEPS, campaign

KEY = make_email_id()


def body(step: str = "email-1", **signup: Any) -> str:
    """The request as the sender renders it."""
    contact = fold(ME, [make_signup(**signup)])
    planned = plan_all(contact, {CAMPAIGN: campaign()}, Pace())[make_email_id(step)]
    claim = claim_for(planned, campaign(), contact, attempt=1, now=NOW)
    assert claim.body
    return claim.body


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(options=UNLIMITED) as sandbox:
        yield sandbox


@pytest.fixture
async def resend(sandbox: Sandbox) -> AsyncIterator[Resend]:
    api = Resend("re_test", sandbox.url, per_second=1000)
    yield api
    await api.close()


@pytest.mark.parametrize("step", STEPS)
async def test_every_email_of_the_campaign_is_accepted_by_a_strict_resend(
    resend: Resend, sandbox: Sandbox, step: str
) -> None:
    answer = await resend.send(body(step), key=make_email_id(step))
    assert isinstance(answer, Accepted)
    [mail] = sandbox.mails()
    assert (mail.id, mail.to, mail.idempotency_key) == (answer.provider_id, [ADA], make_email_id(step))
    assert (mail.tag("campaign"), mail.tag("step")) == (CAMPAIGN, step)
    assert "List-Unsubscribe" in mail.headers


async def test_rendering_again_gives_the_same_bytes() -> None:
    assert body() == body()


async def test_the_same_key_and_body_is_the_same_email(resend: Resend, sandbox: Sandbox) -> None:
    first, again = await resend.send(body(), key=KEY), await resend.send(body(), key=KEY)
    assert first == again
    assert len(sandbox.mails()) == 1


async def test_the_same_key_with_another_body_is_a_doubt(resend: Resend, sandbox: Sandbox) -> None:
    await resend.send(body(), key=KEY)
    answer = await resend.send(body(first_name="Adelaide"), key=KEY)
    assert isinstance(answer, Refused)
    assert (answer.status, verdict(answer)) == (409, "doubt")
    assert len(sandbox.mails()) == 1


async def test_the_same_key_while_the_first_is_running_is_busy(resend: Resend, sandbox: Sandbox) -> None:
    sandbox.add_fault(Fault(api="resend", action="slow", delay_s=3))
    answers = await asyncio.gather(resend.send(body(), key=KEY), resend.send(body(), key=KEY))
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert [verdict(each) for each in refused] == ["busy"]
    assert len(sandbox.mails()) == 1


@pytest.mark.parametrize(
    ("fault", "expected", "mails"),
    [
        (Fault(api="resend", action="status", status=500, name="application_error"), "maybe", 0),
        (Fault(api="resend", action="status", status=503, name="service_unavailable"), "maybe", 0),
        (Fault(api="resend", action="status", status=429, name="rate_limit_exceeded", retry_after=2), "no", 0),
        (Fault(api="resend", action="status", status=429, name="daily_quota_exceeded"), "closed", 0),
        (Fault(api="resend", action="status", status=403, name="invalid_api_key"), "closed", 0),
        (Fault(api="resend", action="status", status=401, name="restricted_api_key"), "closed", 0),
        (Fault(api="resend", action="status", status=422, name="missing_required_field"), "final", 0),
        (Fault(api="resend", action="status", status=403, name="validation_error"), "final", 0),
        (Fault(api="resend", action="reset"), "maybe", 0),
        (Fault(api="resend", action="non_json", status=200), "maybe", None),
        (Fault(api="resend", action="timeout_after_accept", delay_s=0.1), "maybe", 1),
    ],
    ids=lambda value: f"{value.action} {value.name or ''}" if isinstance(value, Fault) else str(value),
)
async def test_trouble_is_sorted_by_what_it_means(
    resend: Resend, sandbox: Sandbox, fault: Fault, expected: str, mails: int | None
) -> None:
    sandbox.add_fault(fault)
    answer = await resend.send(body(), key=KEY)
    assert isinstance(answer, Refused)
    assert verdict(answer) == expected
    assert mails is None or len(sandbox.mails()) == mails
    if fault.retry_after:
        assert answer.retry_after_s == 2


async def test_a_bad_key_closes_the_sender(sandbox: Sandbox) -> None:
    api = Resend("not-a-key", sandbox.url, per_second=1000)
    answer = await api.send(body(), key=KEY)
    await api.close()
    assert isinstance(answer, Refused)
    assert verdict(answer) == "closed"


async def test_nobody_there_has_accepted_nothing() -> None:
    api = Resend("re_test", "http://127.0.0.1:9", per_second=1000)
    answer = await api.send(body(), key=KEY)
    await api.close()
    assert isinstance(answer, Refused)
    assert (answer.error_type, verdict(answer)) == ("not_reached", "no")


async def test_closing_leaves_the_sdk_as_it_was_found(sandbox: Sandbox) -> None:
    before = resend_sdk.api_key, resend_sdk.api_url, resend_sdk.default_async_http_client
    await Resend("re_other", sandbox.url, per_second=1).close()
    assert (resend_sdk.api_key, resend_sdk.api_url, resend_sdk.default_async_http_client) == before


async def test_sends_keep_to_the_configured_rate(sandbox: Sandbox) -> None:
    sandbox.options = SandboxOptions(resend_rate=None, notion_rate=None)
    api = Resend("re_test", sandbox.url, per_second=20)
    await asyncio.gather(*(api.send(body(), key=f"{KEY}-{n}") for n in range(11)))
    await api.close()
    times = sorted(datetime.fromisoformat(str(mail.accepted_at)) for mail in sandbox.mails())
    assert (times[-1] - times[0]).total_seconds() >= 10 / 20 * 0.9


async def test_a_lower_limit_told_by_the_provider_is_kept(sandbox: Sandbox) -> None:
    sandbox.options = SandboxOptions(resend_rate=5, notion_rate=None)
    api = Resend("re_test", sandbox.url, per_second=50)
    answers = [await api.send(body(), key=f"{KEY}-{n}") for n in range(7)]
    await api.close()
    assert api.limit.per_second == 5
    assert all(isinstance(answer, Accepted) for answer in answers)


async def test_a_higher_limit_told_by_the_provider_does_not_lift_ours() -> None:
    limit = RateLimit(2)
    limit.learn({"ratelimit-limit": "10", "ratelimit-remaining": "9", "ratelimit-reset": "1"})
    assert limit.per_second == 2


async def test_headers_that_make_no_sense_change_nothing() -> None:
    limit = RateLimit(2)
    limit.learn({"ratelimit-limit": "lots", "retry-after": "soon", "ratelimit-remaining": ""})
    assert limit.per_second == 2


def test_hostile_values_stay_data_in_the_request() -> None:
    hostile = '<script>alert(1)</script>{{ 1 | plus: 1 }}"\r\nBcc: x@example.com'
    request = json.loads(body(first_name=hostile, business_name=hostile))
    assert "<script>" not in request["html"]
    assert "\n" not in request["subject"]
    assert "\r" not in request["subject"]
    assert "{{ 1 | plus: 1 }}" in request["subject"]
