"""Facts followed live: each once, in order, whatever becomes of the broker meanwhile."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cli import tail
from cli.facts import Wanted, read
from cli.runtime import stop_on_signal
from cli.tail import follow
from contracts.facts import AnyFact
from contracts.ids import contact_id
from eventlog import direct, topology
from eventlog.connection import Broker, connect
from eventlog.direct import PAGE, DirectReader, StoredMessage
from eventlog.log import EventLog
from eventlog.operations import note
from eventlog.server import NatsServer
from services.settings import Settings
from tests.factories import ADA, NOW, make_email_sent, make_signup
from tests.waiting import eventually


async def test_facts_are_followed_across_a_restart_of_the_broker(
    nats_server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []
    stop = asyncio.Event()
    async with connect(nats_server.url, name="test", patience_s=20) as broker:
        await topology.init(broker)
        events = EventLog(broker)
        await events.append(make_signup("before@example.com"))

        async def watch() -> None:
            async for message in follow(broker, Wanted(since=NOW), stop):
                seen.append(message.sequence)  # noqa: PERF401 - the list is looked at meanwhile

        watching = asyncio.create_task(watch())
        try:
            await eventually(lambda: has(seen, 1))
            await nats_server.stop()
            await eventually(lambda: is_told(capsys))
            await nats_server.start()
            await eventually(lambda: is_connected(broker))
            for number in range(5):
                await events.append(make_signup(f"after{number}@example.com"))
            await eventually(lambda: has(seen, 6))
        finally:
            stop.set()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
    assert seen == [1, 2, 3, 4, 5, 6]


async def is_told(capsys: pytest.CaptureFixture[str]) -> bool:
    return "the broker does not answer; waiting for it" in capsys.readouterr().err


async def is_connected(broker: Broker) -> bool:
    return bool(broker.nc.is_connected)


async def has(seen: list[int], number: int) -> bool:
    return len(seen) >= number


async def test_more_facts_than_a_page_are_all_read_in_order(nats_server: NatsServer) -> None:
    async with connect(nats_server.url, name="test", patience_s=20) as broker:
        await topology.init(broker)
        events = EventLog(broker)
        for begin in range(0, PAGE + 100, 100):
            await asyncio.gather(*(events.append(make_signup(f"p{begin + n}@example.com")) for n in range(100)))
        await events.append(make_email_sent())
        every = [message.sequence async for message in read(DirectReader(broker), Wanted())]
        mine = [message async for message in read(DirectReader(broker), Wanted(contact_id(ADA)))]
    assert every == list(range(1, PAGE + 102))
    assert [message.sequence for message in mine] == [PAGE + 101]


async def test_a_fact_is_shown_by_contact_id_where_nobody_can_say_whose_it_is(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person with a fact of a newer version, or a broker that is away, does not end what others watch."""
    async with connect(nats_server.url, name="test", patience_s=20) as broker:
        await topology.init(broker)
        events = EventLog(broker)
        await events.append(make_signup())
        stranger = contact_id("grace@example.com")
        await broker.publish(f"events.{stranger}.from_the_future.1", b'{"type":"from_the_future"}')
        await note(broker, "replay", about="scheduler", by="grace", why="", now=NOW)
        mine, strange, diary = [message async for message in read(DirectReader(broker), Wanted())]
        asked, history = list[str](), EventLog.history

        async def counted(log: EventLog, contact: str) -> list[AnyFact]:
            asked.append(contact)
            return await history(log, contact)

        monkeypatch.setattr(EventLog, "history", counted)
        names = tail.Addresses(EventLog(replace(broker, timeout_s=0.2)))
        assert [await names.of(each) for each in (strange, diary)] == [None, None]
        assert asked == [stranger], "the diary is nobody's, and long"
        await nats_server.stop()
        assert await names.of(mine) is None
        await nats_server.start()
        await eventually(lambda: is_known(names, mine))


async def is_known(names: tail.Addresses, message: StoredMessage) -> bool:
    return await names.of(message) == ADA


async def test_a_page_is_not_shown_to_its_end_when_told_to_stop(broker: Broker) -> None:
    stop, seen = asyncio.Event(), list[int]()
    for number in range(5):
        await EventLog(broker).append(make_signup(f"p{number}@example.com"))
    async for message in follow(broker, Wanted(since=NOW), stop):
        seen.append(message.sequence)
        stop.set()
    assert seen == [1]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to_a_file", [True, False])
async def test_an_export_that_is_interrupted_says_so_and_leaves_the_file_as_it_was(
    nats_server: NatsServer, broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, sign: signal.Signals, to_a_file: bool,
) -> None:  # fmt: skip
    events = EventLog(broker)
    for number in range(5):
        await events.append(make_signup(f"p{number}@example.com"))

    async def slowly(reader: DirectReader, what: Wanted) -> AsyncIterator[StoredMessage]:
        async for message in read(reader, what):
            if message.sequence == 3:
                os.kill(os.getpid(), sign)
                await stopped[0].wait()
            yield message

    @contextlib.contextmanager
    def known() -> Iterator[asyncio.Event]:
        with stop_on_signal() as stop:
            stopped.append(stop)
            yield stop

    stopped: list[asyncio.Event] = []
    monkeypatch.setattr(tail, "read", slowly)
    monkeypatch.setattr(tail, "stop_on_signal", known)
    file = tmp_path / "facts.jsonl"
    file.write_text("kept")
    told = Settings.load(nats_url=nats_server.url)
    code = await tail.export(told, Wanted(), None, form="jsonl", to=file if to_a_file else None)
    said = capsys.readouterr()
    assert code == tail.INTERRUPTED
    assert [(each.name, each.read_text()) for each in files(tmp_path)] == [("facts.jsonl", "kept")]
    assert "interrupted after 2 facts" in said.err
    assert ("is as it was" if to_a_file else "what was printed is not all") in said.err
    assert len(said.out.splitlines()) == (0 if to_a_file else 2)


def files(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.is_file()]


async def test_an_export_ends_with_what_there_was_as_it_began(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that grows faster than it is read would be exported for ever."""
    monkeypatch.setattr(direct, "PAGE", 1)
    events, seen = EventLog(broker), []
    for number in range(3):
        await events.append(make_signup(f"before{number}@example.com"))
    async for message, _ in tail._until_now(broker, Wanted(), asyncio.Event()):
        seen.append(message.sequence)
        await events.append(make_signup(f"meanwhile{len(seen)}@example.com"))
        if len(seen) > 5:
            break
    assert seen == [1, 2, 3]
