"""Every way Resend can fail, through its own SDK, with the scheduler and the sender at work: one mail, or a reason."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from cli.failures import failures, retry
from cli.who import Who
from contracts.facts import EmailAttemptFailed, EmailUnknown, SignupReceived
from eventlog import topology
from eventlog.connection import Broker
from eventlog.pause import paused, resume
from journey.plan import Pace
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.options import UNLIMITED, SandboxOptions
from services.sender.resend_api import Resend
from tests.factories import ADA, make_email_id, make_signup
from tests.office import Office
from tests.waiting import eventually

EMAIL = make_email_id("email-1")
SPEEDUP = 600
"""The first retry comes after a tenth of a second, the second step after two minutes."""

At = Callable[[Fault], Awaitable[None]]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(options=UNLIMITED) as sandbox:
        yield sandbox


@pytest.fixture
async def office(broker: Broker, sandbox: Sandbox) -> AsyncIterator[Office[Resend]]:
    provider = Resend("re_test", sandbox.url, per_second=1000)
    yield Office(broker, provider, Pace(speedup=SPEEDUP))
    await provider.close()


def signup(address: str = ADA) -> SignupReceived:
    """Now: compressed as time is here, a minute ago would be hours."""
    return make_signup(address, at=datetime.now(UTC))


def fault(action: Any = "status", status: int = 500, name: str | None = None, **more: Any) -> Fault:
    return Fault(api="resend", action=action, status=status, name=name, **more)


@pytest.mark.parametrize(
    "trouble",
    [
        fault(status=429, name="rate_limit_exceeded"),
        fault(status=429, name="rate_limit_exceeded", retry_after=1),
        fault(status=500, name="application_error", times=3),
        fault(status=503, name="service_unavailable"),
        fault("non_json", status=502),
        fault("non_json", status=200),
        fault("timeout_before_accept", delay_s=0.2),
        fault("timeout_after_accept", delay_s=0.2),
        fault("reset"),
        fault(status=409, name="concurrent_idempotent_requests"),
    ],
    ids=lambda each: f"{each.action} {each.status} {each.name or ''} {each.retry_after or ''}".strip(),
)
async def test_trouble_that_passes_costs_a_retry_and_never_a_second_mail(
    office: Office[Resend], sandbox: Sandbox, trouble: Fault
) -> None:
    sandbox.add_fault(trouble)
    await office.events.append(signup())
    async with office.open():
        await eventually(lambda: office.is_sent(EMAIL))
    assert [mail.idempotency_key for mail in sandbox.mails()] == [EMAIL]


async def test_a_retry_after_is_waited_for(office: Office[Resend], sandbox: Sandbox) -> None:
    sandbox.add_fault(fault(status=429, name="rate_limit_exceeded", retry_after=2))
    await office.events.append(signup())
    async with office.open():
        await eventually(lambda: office.is_sent(EMAIL))
    [attempt] = [fact for fact in await office.facts() if isinstance(fact, EmailAttemptFailed)]
    assert attempt.retry_at - attempt.at == timedelta(seconds=2)
    assert (await sent_at(office)) >= attempt.retry_at


async def sent_at(office: Office[Resend]) -> Any:
    end = (await office.email(EMAIL)).end
    assert end
    return end.at


async def test_another_body_under_the_same_key_is_left_to_a_person(office: Office[Resend], sandbox: Sandbox) -> None:
    sandbox.add_fault(fault(status=409, name="invalid_idempotent_request"))
    await office.events.append(signup())
    async with office.open():
        await eventually(lambda: has_ended(office))
    assert isinstance((await office.email(EMAIL)).end, EmailUnknown)
    assert not sandbox.mails()


async def test_a_retry_of_such_an_email_has_a_key_of_its_own(office: Office[Resend], sandbox: Sandbox) -> None:
    """The provider knows the first key with other bytes, and for a day will take nothing else under it."""
    body = {"from": "a@example.com", "to": ["b@example.com"], "subject": "another", "text": "another"}
    await office.provider.send(json.dumps(body), key=EMAIL)
    await office.events.append(signup())
    async with office.open():
        await eventually(lambda: has_ended(office))
        [failure] = await failures(office.broker)
        await retry(office.broker, failure, Who("grace"))
        await eventually(lambda: office.is_sent(EMAIL))
    assert [mail.idempotency_key for mail in sandbox.mails()] == [EMAIL, f"{EMAIL}~1"]


async def has_ended(office: Office[Resend]) -> bool:
    return (await office.email(EMAIL)).end is not None


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (403, "invalid_api_key"),
        (403, "suspended_api_key"),
        (401, "restricted_api_key"),
        (429, "daily_quota_exceeded"),
        (429, "monthly_quota_exceeded"),
    ],
)
async def test_a_closed_door_pauses_all_sending_once_and_resume_sends_everything(
    office: Office[Resend], sandbox: Sandbox, status: int, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = pauses(name)
    sandbox.add_fault(fault(status=status, name=name, times=100))
    people = [f"p{n}@example.com" for n in range(20)]
    for address in people:
        await office.events.append(signup(address))
    async with office.open():
        await eventually(lambda: is_paused(office, name))
        await eventually(lambda: every_call_is_noted(office, sandbox, people))
        sandbox.state.faults.clear()
        await resume(office.broker, topology.SENDER)
        for address in people:
            await eventually(lambda each=address: office.is_sent(make_email_id("email-1", each)))  # type: ignore[misc]
    assert sorted(str(mail.idempotency_key) for mail in sandbox.mails()) == sorted(
        make_email_id("email-1", address) for address in people
    )
    assert capsys.readouterr().out.count("hint='dripstream resume sender'") == 1
    assert pauses(name) > before


def pauses(name: str) -> float:
    """As they are counted, under the kind of what was refused."""
    kind = {"service": "sender", "outcome": "pause", "reason": "quota" if "quota" in name else "key"}
    return REGISTRY.get_sample_value("dripstream_deliveries_total", kind) or 0


async def every_call_is_noted(office: Office[Resend], sandbox: Sandbox, people: list[str]) -> bool:
    """What was on its way when the door closed has come back."""
    emails = [await office.email(make_email_id("email-1", address)) for address in people]
    return sum(len(email.attempts) for email in emails) == len(sandbox.requests())


async def is_paused(office: Office[Resend], reason: str) -> bool:
    found = await paused(office.broker, topology.SENDER)
    return found is not None and found.reason == reason


async def test_one_persons_trouble_holds_up_nobody_else(office: Office[Resend], sandbox: Sandbox) -> None:
    sandbox.add_fault(fault(match=Match(contains=EMAIL), times=1_000))
    await office.events.append(signup(ADA))
    others = [f"p{n}@example.com" for n in range(20)]
    async with office.open():
        await eventually(lambda: tried(office, sandbox))
        for address in others:
            await office.events.append(signup(address))
        for address in others:
            await eventually(lambda each=address: office.is_sent(make_email_id("email-1", each)))  # type: ignore[misc]
    assert not await office.is_sent(EMAIL)


async def tried(office: Office[Resend], sandbox: Sandbox) -> bool:
    return bool((await office.email(EMAIL)).attempts)


async def test_a_storm_of_refusals_loses_and_doubles_nothing(office: Office[Resend], sandbox: Sandbox) -> None:
    """A rate limit far below the burst."""
    sandbox.options = SandboxOptions(resend_rate=20, notion_rate=None)
    people = [f"p{n}@example.com" for n in range(60)]
    async with office.open():
        for address in people:
            await office.events.append(signup(address))
        for address in people:
            await eventually(lambda each=address: office.is_sent(make_email_id("email-1", each)), timeout=60)  # type: ignore[misc]
    keys = [mail.idempotency_key for mail in sandbox.mails()]
    assert sorted(map(str, keys)) == sorted(make_email_id("email-1", address) for address in people)
