"""What waits for a person is listed, and what the person decides is a fact that the plan follows."""

import asyncio
from dataclasses import replace

import pytest

from cli import restored
from cli.failures import Failure, chosen, discard, failures, retry
from cli.restored import set_aside
from cli.who import Who
from cli.whom import Cannot
from contracts import subjects
from contracts.ids import contact_id
from contracts.operators import HandlingFailed, OperatorRetried
from eventlog import attempts, topology
from eventlog.connection import Broker
from eventlog.pause import paused, resume
from eventlog.server import NatsServer
from eventlog.timers import Timers
from journey.plan import Pace
from services.scheduler import handlers as scheduler
from services.sender import handlers as sender
from services.sender.outcome import Refused
from services.settings import Settings
from tests.factories import ADA, CAMPAIGN, at, make_attempt_failed, make_email_id, make_signup
from tests.fakes import Provider
from tests.office import Office
from tests.unit.journey.test_plan import campaign
from tests.waiting import eventually

EMAIL = make_email_id("email-1")
GRACE = Who("grace", "it is mended")


@pytest.fixture
async def office(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Office[Provider]:
    monkeypatch.setattr(attempts, "BACKOFF_S", (0.05,))
    office = Office(broker, Provider())
    await office.events.append(make_signup())
    return office


async def something_waits(office: Office[Provider]) -> bool:
    return bool(await failures(office.broker))


async def test_a_refused_email_is_listed_and_sent_once_somebody_has_mended_it(office: Office[Provider]) -> None:
    office.provider.script.append(Refused(422, "validation_error"))
    async with office.open():
        await eventually(lambda: something_waits(office))
        [failure] = await failures(office.broker)
        assert (failure.id, failure.kind, failure.reason) == (EMAIL, "failed", "validation_error")
        await retry(office.broker, failure, GRACE)
        await eventually(lambda: office.is_sent(EMAIL))
    assert not await failures(office.broker)
    assert sum(office.provider.accepted.values()) == 1
    facts = await office.events.history(contact_id(ADA))
    [decision] = [fact for fact in facts if isinstance(fact, OperatorRetried)]
    assert (decision.by, decision.why) == ("grace", "it is mended")


async def test_an_email_can_fail_and_be_retried_more_than_once(office: Office[Provider]) -> None:
    office.provider.script += [Refused(422, "validation_error"), Refused(422, "validation_error")]
    async with office.open():
        for _ in range(2):
            await eventually(lambda: something_waits(office))
            await retry(office.broker, (await failures(office.broker))[0], GRACE)
            await eventually(lambda: nothing_or_another_round(office))
        await eventually(lambda: office.is_sent(EMAIL))
    assert sum(office.provider.accepted.values()) == 1


async def nothing_or_another_round(office: Office[Provider]) -> bool:
    email = (await office.contact(ADA)).email(EMAIL)
    return email.is_sent or (email.round > 0 and email.end is not None)


async def test_asking_twice_for_another_try_is_one_try(office: Office[Provider]) -> None:
    office.provider.script.append(Refused(422, "validation_error"))
    async with office.open():
        await eventually(lambda: something_waits(office))
        [failure] = await failures(office.broker)
        await asyncio.gather(*(retry(office.broker, failure, GRACE) for _ in range(3)))
        await eventually(lambda: office.is_sent(EMAIL))
    assert (await office.contact(ADA)).email(EMAIL).round == 1
    assert sum(office.provider.accepted.values()) == 1


async def test_what_was_discarded_is_listed_no_more_and_never_sent(office: Office[Provider]) -> None:
    office.provider.script.append(Refused(409, "invalid_idempotent_request"))
    async with office.open():
        await eventually(lambda: something_waits(office))
        [failure] = await failures(office.broker)
        assert failure.kind == "unknown"
        await discard(office.broker, failure, GRACE)
    assert not await failures(office.broker)
    assert not office.provider.accepted
    assert (await office.broker.js.stream_info(subjects.PARKED)).state.messages == 0


async def test_a_bug_in_the_sender_ends_the_email_for_a_person_with_its_traceback(office: Office[Provider]) -> None:
    office.provider.script += [KeyError("never seen")] * attempts.ATTEMPTS
    office.provider.before_answer = explode
    async with office.open():
        await eventually(lambda: something_waits(office))
    [failure] = await failures(office.broker)
    assert failure.reason == "parked: unforeseen ZeroDivisionError"
    assert failure.kind == "unknown"  # the call was made: nobody knows
    assert "in explode" in failure.detail


async def explode() -> None:
    _ = 1 / 0


async def test_a_bug_before_the_call_fails_the_email_and_a_retry_sends_it(
    office: Office[Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(sender, "claim_for", lambda *_, **__: 1 / 0)
        async with office.open():
            await eventually(lambda: something_waits(office))
    [failure] = await failures(office.broker)
    assert (failure.kind, failure.reason) == ("failed", "parked: unforeseen ZeroDivisionError")
    async with office.open():
        await retry(office.broker, failure, GRACE)
        await eventually(lambda: office.is_sent(EMAIL))
    assert not await failures(office.broker)
    assert sum(office.provider.accepted.values()) == 1


async def test_a_bug_after_a_try_that_may_have_gone_out_leaves_it_to_a_person_even_without_its_claim(
    office: Office[Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called failed, `retry --all` would send it again."""
    await office.events.append(make_attempt_failed(accepted="maybe", retry_at=at()))
    monkeypatch.setattr(sender, "claim_for", lambda *_, **__: 1 / 0)
    async with office.open():
        await eventually(lambda: something_waits(office))
    [failure] = await failures(office.broker)
    assert (failure.kind, failure.reason) == ("unknown", "parked: unforeseen ZeroDivisionError")


async def test_what_the_scheduler_cannot_handle_is_in_the_story_of_whom_it_concerns(
    office: Office[Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(scheduler, "reconcile", lambda *_, **__: 1 / 0)
        async with office.open():
            await eventually(lambda: something_waits(office))
    facts = await office.events.history(contact_id(ADA))
    [told] = [fact for fact in facts if isinstance(fact, HandlingFailed)]
    assert (told.consumer, told.reason) == ("scheduler", "unforeseen ZeroDivisionError")
    async with office.open():
        for failure in await failures(office.broker):
            await retry(office.broker, failure, GRACE)
        await eventually(lambda: office.is_sent(EMAIL))
    assert not await failures(office.broker)


async def test_a_message_nobody_can_read_is_kept_and_told_of_once(office: Office[Provider]) -> None:
    poison = f"{subjects.history_of(contact_id(ADA)).removesuffix('>')}signup_received.x"
    await office.broker.publish(poison, b"{")
    async with office.open():
        await eventually(lambda: something_waits(office))
    reasons = [failure.reason for failure in await failures(office.broker)]
    assert set(reasons) == {"undecodable"}


async def test_what_jetstream_gave_up_on_is_listed_and_can_be_retried(office: Office[Provider]) -> None:
    """Nobody of ours sets a limit of deliveries. Somebody did."""
    limited = replace(topology.SENDER.config, max_deliver=1)
    await office.broker.js.add_consumer(topology.SENDER.stream, limited)
    office.provider.script.append(Refused(409, "concurrent_idempotent_requests", retry_after_s=0.1))
    async with office.open():
        await eventually(lambda: something_waits(office))
        [failure] = await failures(office.broker)
        assert failure.reason == "given up by JetStream"
        await office.broker.js.add_consumer(topology.SENDER.stream, topology.SENDER.config)
        await retry(office.broker, failure, GRACE)
        await eventually(lambda: office.is_sent(EMAIL))
    assert not await failures(office.broker)


async def test_a_revoked_key_pauses_all_sending_and_resume_sends_what_waited(office: Office[Provider]) -> None:
    office.provider.script.append(Refused(403, "invalid_api_key"))
    async with office.open():
        await eventually(lambda: is_paused(office.broker))
        await office.events.append(make_signup("b@example.com"))
        await eventually(lambda: has_fired(office.broker))
        assert not office.provider.accepted
        await resume(office.broker, topology.SENDER)
        await eventually(lambda: accepted(office, make_email_id("email-1", "b@example.com")))
    assert not await failures(office.broker)


async def is_paused(broker: Broker) -> bool:
    found = await paused(broker, topology.SENDER)
    return found is not None and found.reason == "invalid_api_key"


async def has_fired(broker: Broker) -> bool:
    return any(timer.contact == contact_id("b@example.com") for timer in await Timers(broker).fired())


async def accepted(office: Office[Provider], email_id: str) -> bool:
    return office.provider.accepted[email_id] == 1


async def test_an_id_may_be_shortened_as_long_as_it_is_clear() -> None:
    found = [failure("c1.a"), failure("c1.b"), failure("c2.a")]
    assert chosen(found, ["c2"], every=False, reason=None) == [found[2]]
    assert chosen(found, ["c1.a"], every=False, reason=None) == [found[0]]
    with pytest.raises(Cannot, match="not clear"):
        chosen(found, ["c1"], every=False, reason=None)
    with pytest.raises(Cannot, match="no failure"):
        chosen(found, ["c3"], every=False, reason=None)


async def test_all_can_be_narrowed_to_a_reason() -> None:
    found = [failure("c1.a"), failure("c1.b", reason="expired")]
    assert chosen(found, [], every=True, reason="expired") == [found[1]]
    assert chosen(found, [], every=True, reason=None) == found


def failure(id_: str, reason: str = "validation_error") -> Failure:
    return Failure(id_, "failed", reason, at(), "c1")


async def test_after_a_restore_what_may_have_been_sent_waits_and_the_rest_goes_on(office: Office[Provider]) -> None:
    """The backup was made before the first email went out: the fact that it did is lost."""
    await office.events.append(make_signup("late@example.com", at=at(seconds=20)))
    campaigns, now = {CAMPAIGN: campaign()}, at(seconds=10)
    assert await set_aside(office.broker, campaigns, Pace(), until=now, now=now) == (1, [])
    assert await set_aside(office.broker, campaigns, Pace(), until=now, now=now) == (0, [])
    async with office.open():
        await eventually(lambda: accepted(office, make_email_id("email-1", "late@example.com")))
    assert EMAIL not in office.provider.accepted
    [set_aside_one] = await failures(office.broker)
    assert (set_aside_one.id, set_aside_one.kind) == (EMAIL, "unknown")


async def test_whom_nobody_can_read_is_named_and_everybody_else_is_set_aside(
    office: Office[Provider], nats_server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """It must not look complete: a newer version would send what this one could not set aside."""
    people = sorted(contact_id(f"p{number}@example.com") for number in range(3))
    for number in range(3):
        await office.events.append(make_signup(f"p{number}@example.com"))
    await office.broker.publish(f"events.{people[0]}.from_the_future.1", b'{"type":"from_the_future"}')
    code = await restored.run(Settings.load(nats_url=nats_server.url), None, who=GRACE)
    said = capsys.readouterr()
    assert code == 1
    assert "3 email(s) set aside" in said.out
    assert f"not complete: nothing was set aside of {people[0]}." in said.err
    assert {each.id.partition(".")[0] for each in await failures(office.broker)} == {contact_id(ADA), *people[1:]}
