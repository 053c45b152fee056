"""Services on a real nats-server: listed, asked, answered once, and back after an outage."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import structlog
from nats.errors import NoRespondersError

from contracts.ids import contact_id
from contracts.operations import OPERATIONS, ServicePaused, ServiceResumed
from contracts.subjects import Timer, question
from eventlog import topology
from eventlog.connection import Broker, Unavailable, connect
from eventlog.log import EventLog
from eventlog.pause import paused
from eventlog.server import NatsServer
from eventlog.timers import Timers
from journey.plan import Pace
from services import micro
from services.micro import Question, registered
from services.scheduler import endpoints as scheduler
from services.scheduler.handlers import Shell
from services.sender import endpoints as sender
from tests.factories import ADA, CAMPAIGN, at, make_email_id, make_email_sent, make_signup
from tests.fakes import Clock
from tests.frozen import frozen
from tests.unit.journey.test_plan import STEPS, campaign
from tests.waiting import SOON_S, eventually

ID = contact_id(ADA)


class Answer(NamedTuple):
    """What came back: the body, or the error of nats.micro."""

    body: Any
    code: str = ""
    error: str = ""
    headers: dict[str, str] = {}


async def ask(broker: Broker, name: str, body: object = "") -> Answer:
    payload = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    message = await broker.nc.request(question(name), payload, timeout=SOON_S)
    headers = message.headers or {}
    told = json.loads(message.data) if message.data else None
    return Answer(told, headers.get("Nats-Service-Error-Code", ""), headers.get("Nats-Service-Error", ""), headers)


async def listed(broker: Broker, verb: str = "PING", name: str = "", *, expected: int = 1) -> list[dict[str, Any]]:
    """Who answers, of all processes: so many are waited for, and whoever else answers soon."""
    inbox = broker.nc.new_inbox()
    subscription = await broker.nc.subscribe(inbox)
    await broker.nc.publish(f"$SRV.{verb}" + (f".{name}" if name else ""), reply=inbox)
    found = list[dict[str, Any]]()
    try:
        # an empty answer: the server says that nobody listens
        while data := (await subscription.next_msg(timeout=SOON_S if len(found) < expected else 0.2)).data:
            found.append(json.loads(data))
    except TimeoutError:
        return found
    else:
        return found
    finally:
        await subscription.unsubscribe()


@pytest.fixture
def shell(broker: Broker) -> Shell:
    return Shell(
        broker=broker,
        events=EventLog(broker),
        timers=Timers(broker),
        campaigns={CAMPAIGN: campaign()},
        pace=Pace(),
        clock=Clock(),
    )


async def arm_seven(broker: Broker, email: str = ADA) -> list[Timer]:
    timers = [Timer.at(make_email_id(step, email), at(days=n)) for n, step in enumerate(STEPS, 1)]
    for timer in timers:
        await Timers(broker).arm(timer)
    return timers


def scheduler_of(broker: Broker, shell: Shell) -> Any:
    return registered(broker, "scheduler", "turns facts into timers", scheduler.questions(shell))


def echo(name: str = "echo") -> Sequence[Question]:
    async def answer(payload: bytes, _: int) -> object:
        if payload == b"bug":
            raise KeyError(ADA)
        if payload == b"away":
            raise Unavailable("no leader")
        return payload.decode()

    return [Question(name, "says it again", "anything", answer)]


async def test_pending_emails_are_told_in_the_order_of_their_time(broker: Broker, shell: Shell) -> None:
    timers = await arm_seven(broker)
    async with scheduler_of(broker, shell):
        everything = (await ask(broker, "pending")).body
        assert [each["key"] for each in everything["emails"]] == [timer.key for timer in timers]
        assert (everything["total"], everything["more"]) == (7, False)
        two = (await ask(broker, "pending", {"limit": 2})).body
        assert two == {"total": 7, "more": True, "emails": everything["emails"][:2]}


async def test_pending_emails_are_those_of_a_person_or_a_campaign(broker: Broker, shell: Shell) -> None:
    await arm_seven(broker)
    other = await arm_seven(broker, "bob@example.com")
    async with scheduler_of(broker, shell):
        bob = {"contact": contact_id("bob@example.com")}
        for asked in (bob, bob | {"campaign": CAMPAIGN}):
            told = (await ask(broker, "pending", asked)).body
            assert [each["key"] for each in told["emails"]] == [timer.key for timer in other]
        assert (await ask(broker, "pending", {"campaign": CAMPAIGN})).body["total"] == 14
        assert (await ask(broker, "pending", {"campaign": "another"})).body == {
            "total": 0, "more": False, "emails": [],
        }  # fmt: skip


async def test_a_person_s_story_is_told_by_id_and_by_address(broker: Broker, shell: Shell) -> None:
    await shell.events.append(make_signup())
    await shell.events.append(make_email_sent())
    async with scheduler_of(broker, shell):
        by_id, by_address = await ask(broker, "contact", {"contact": ID}), await ask(broker, "contact", {"email": ADA})
        assert by_id.body == by_address.body
        assert [fact["type"] for fact in by_id.body["facts"]] == ["signup_received", "email_sent"]
        assert [each["state"] for each in by_id.body["emails"]] == ["sent", *["pending"] * 6]
        nobody = await ask(broker, "contact", {"email": "nobody@example.com"})
        assert (nobody.code, nobody.body) == ("404", None)


async def test_a_pause_is_a_fact_with_who_and_why_and_a_resume_another(broker: Broker) -> None:
    clock = Clock()
    async with registered(broker, "sender", "sends", sender.questions(broker, clock)):
        told = await ask(broker, "pause", {"service": "sender", "for": "1h", "by": "ada", "why": "moving"})
        held = await paused(broker, topology.SENDER)
        assert held
        assert told.body["paused"]["reason"] == held.reason == "by ada: moving"
        assert told.body["before"] is None
        clock.forward(minutes=1)
        lifted = await ask(broker, "resume", {"by": "bob"})
        assert lifted.body["before"] == told.body["paused"]
        assert await paused(broker, topology.SENDER) is None
        assert (await ask(broker, "resume", {"by": "bob"})).body["before"] is None
    pause, resume = await EventLog(broker).history(OPERATIONS)
    assert isinstance(pause, ServicePaused)
    assert isinstance(resume, ServiceResumed)
    assert (pause.by, pause.why, (pause.until - pause.at).total_seconds(), resume.by) == ("ada", "moving", 3600, "bob")


async def test_a_refused_pause_pauses_nothing(broker: Broker) -> None:
    async with registered(broker, "sender", "sends", sender.questions(broker, Clock())):
        told = await ask(broker, "pause", {"for": "1h"})
    assert (told.code, "`by`" in told.error) == ("400", True)
    assert await paused(broker, topology.SENDER) is None
    assert await EventLog(broker).history(OPERATIONS) == []


async def test_a_refusal_carries_no_header_of_the_one_who_asked(broker: Broker, shell: Shell) -> None:
    async with scheduler_of(broker, shell):
        told = await ask(broker, "pending", '{"a\\r\\nX-Injected: 1": 1}')
    assert told.code == "400"
    assert set(told.headers) == {"Nats-Service-Error", "Nats-Service-Error-Code"}


async def test_a_bug_is_told_and_logged_without_a_word_of_what_was_asked(bare_broker: Broker) -> None:
    async with registered(bare_broker, "test", "a test", echo()):
        with structlog.testing.capture_logs() as logs:
            told = await ask(bare_broker, "echo", "bug")
        assert (told.code, told.error) == ("500", micro.BUG)
        [line] = [each for each in logs if each["event"] == "question_failed"]
        assert (line["question"], line["error"]) == ("echo", "KeyError")
        assert "test_micro.py:" in line["where"]
        assert ADA not in str(logs)
        assert (await ask(bare_broker, "echo", "well")).body == "well"
        [stats] = await listed(bare_broker, "STATS", "dripstream-test")
    [endpoint] = stats["endpoints"]
    assert (endpoint["num_requests"], endpoint["num_errors"]) == (2, 1)
    assert endpoint["processing_time"] > 0
    assert ADA not in str(stats)


async def test_what_jetstream_keeps_from_answering_is_asked_for_again(bare_broker: Broker) -> None:
    async with registered(bare_broker, "test", "a test", echo()):
        told = await ask(bare_broker, "echo", "away")
    assert (told.code, "again" in told.error) == ("503", True)


async def test_a_question_nobody_waits_for_ends_nothing(bare_broker: Broker) -> None:
    async with registered(bare_broker, "test", "a test", echo()):
        for body in (b"well", b"bug"):
            await bare_broker.nc.publish(question("echo"), body)
        assert (await ask(bare_broker, "echo", "still there")).body == "still there"


async def test_a_service_is_listed_while_it_runs(bare_broker: Broker) -> None:
    async with registered(bare_broker, "test", "a test", echo()):
        [info] = await listed(bare_broker, "INFO", "dripstream-test")
        assert (info["description"], info["version"]) == ("a test", micro.semver(micro._installed()))
        assert info["metadata"].keys() == {"host", "pid"}
        assert [each["subject"] for each in info["endpoints"]] == ["dripstream.echo"]
    assert await listed(bare_broker) == []
    with pytest.raises(NoRespondersError):
        await ask(bare_broker, "echo", "anybody?")


async def test_of_two_processes_one_answers_and_both_are_listed(nats_server: NatsServer) -> None:
    async with (
        connect(nats_server.url, name="one", patience_s=20) as one,
        connect(nats_server.url, name="two", patience_s=20) as two,
        connect(nats_server.url, name="asks", patience_s=20) as asks,
        registered(one, "test", "a test", echo()),
        registered(two, "test", "a test", echo()),
    ):
        inbox = asks.nc.new_inbox()
        answers: Counter[str] = Counter()
        subscription = await asks.nc.subscribe(inbox)
        for number in range(40):
            await asks.nc.publish(question("echo"), str(number).encode(), reply=inbox)
        for _ in range(40):
            answers[(await subscription.next_msg(timeout=SOON_S)).data.decode()] += 1
        assert set(answers.values()) == {1}
        stats = await listed(asks, "STATS", "dripstream-test", expected=2)
        assert len({each["id"] for each in stats}) == 2
        assert sum(each["endpoints"][0]["num_requests"] for each in stats) == 40


async def test_after_an_outage_a_service_is_listed_and_asked_again(
    nats_server: NatsServer, bare_broker: Broker
) -> None:
    async with registered(bare_broker, "test", "a test", echo()):
        [before] = await listed(bare_broker)
        await nats_server.stop()
        await eventually(lambda: is_connected(bare_broker, False))
        await nats_server.start()
        await eventually(lambda: is_connected(bare_broker, True))
        assert (await ask(bare_broker, "echo", "back")).body == "back"
        assert [each["id"] for each in await listed(bare_broker)] == [before["id"]]


async def test_who_starts_and_leaves_while_the_broker_is_away_is_listed_only_if_it_runs(
    nats_server: NatsServer, bare_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(micro, "START_S", 0.2)
    await nats_server.stop()
    await eventually(lambda: is_connected(bare_broker, False))
    async with registered(bare_broker, "gone", "left before the broker was back", echo("gone")):
        pass
    async with registered(bare_broker, "test", "a test", echo()):
        await nats_server.start()
        await eventually(lambda: is_connected(bare_broker, True))
        assert (await ask(bare_broker, "echo", "late")).body == "late"
        assert [each["name"] for each in await listed(bare_broker)] == ["dripstream-test"]


async def test_a_broker_that_hangs_keeps_no_service_from_its_work(
    nats_server: NatsServer, bare_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(micro, "START_S", 0.2)
    async with AsyncExitStack() as stack:
        async with frozen(nats_server):
            await stack.enter_async_context(registered(bare_broker, "test", "a test", echo()))
        assert (await ask(bare_broker, "echo", "late")).body == "late"


async def is_connected(broker: Broker, wanted: bool) -> bool:
    return broker.nc.is_connected is wanted


async def test_what_was_asked_before_a_stop_is_answered(nats_server: NatsServer) -> None:
    """The one in hand and the ones that wait behind it."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(payload: bytes, _: int) -> str:
        begun.set()
        await go_on.wait()
        return payload.decode()

    slow = [Question("slow", "takes its time", "", answer)]
    async with (
        connect(nats_server.url, name="asks", patience_s=20) as asks,
        connect(nats_server.url, name="answers", patience_s=20) as answers,
    ):
        inbox = asks.nc.new_inbox()
        subscription = await asks.nc.subscribe(inbox)
        async with registered(answers, "test", "a test", slow):
            for each in (b"first", b"second"):
                await asks.nc.publish(question("slow"), each, reply=inbox)
            await asks.ping()
            await answers.ping()  # both have arrived; a `flush` would overtake them
            await begun.wait()
            asyncio.get_running_loop().call_later(0.1, go_on.set)  # while it is leaving
        told = [json.loads((await subscription.next_msg(timeout=SOON_S)).data) for _ in range(2)]
        assert told == ["first", "second"]


async def test_a_service_that_cannot_finish_leaves_all_the_same(
    nats_server: NatsServer, bare_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(micro, "DRAIN_S", 0.1)
    begun = asyncio.Event()

    async def never(_: bytes, __: int) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with registered(bare_broker, "test", "a test", [Question("never", "", "", never)]):
        await bare_broker.nc.publish(question("never"), reply="nobody")
        await begun.wait()
    await nats_server.stop()
    await eventually(lambda: is_connected(bare_broker, False))
    await nats_server.start()
    await eventually(lambda: is_connected(bare_broker, True))
    with pytest.raises(NoRespondersError):
        await ask(bare_broker, "never")


class Small(NatsServer):
    """One that takes only small messages."""

    def write_config(self) -> None:
        super().write_config()
        with (self.folder / "nats.conf").open("a") as config:
            config.write("max_payload: 16384\n")


async def test_an_answer_fits_where_messages_are_small(tmp_path: Path) -> None:
    options = {"sync_interval": "2m"}
    async with Small(tmp_path / "nats", options=options) as server, connect(server.url, name="test") as broker:
        await topology.init(broker)
        events = EventLog(broker)
        shell = Shell(broker, events, Timers(broker), {CAMPAIGN: campaign()}, Pace())
        for number in range(50):
            await events.append(make_signup(business_name=f"{number} " + "x" * 150))
        for number in range(30):
            await arm_seven(broker, f"{number}@example.com")
        assert broker.nc.max_payload == 16_384
        async with scheduler_of(broker, shell):
            pending = await ask(broker, "pending", {"limit": 1000})
            assert (pending.body["total"], pending.body["more"]) == (210, True)
            assert 0 < len(pending.body["emails"]) < 210
            contact = await ask(broker, "contact", {"email": ADA})
            assert contact.body["more"] is True
            assert 0 < len(contact.body["facts"]) < 50
