"""`dripstream init` on a broker of one's own, and what services make of a broker without it."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from contracts import subjects
from eventlog import topology
from eventlog.connection import Broker
from eventlog.server import NatsServer
from services.settings import ROOT
from tests.e2e.processes import Answer, Machine
from tests.e2e.site import broker_of

OLD = ROOT / ".venv" / "old-server" / "bin" / "nats-server"
NAMES = [
    "EVENTS", "PARKED", "timers", "sends", "pages", "templates", "alerts",
    "EVENTS > scheduler", "EVENTS > notion_sync", "KV_timers > sender",
]  # fmt: skip


@pytest.fixture
async def empty(here: Machine) -> AsyncIterator[Machine]:
    """A broker that has never heard of us."""
    async with NatsServer(here.folder / "nats") as nats:
        here.environment["NATS_URL"] = nats.url
        yield here


@pytest.fixture
async def broker(empty: Machine) -> AsyncIterator[Broker]:
    async with broker_of(empty) as broker:
        yield broker


def states(answer: Answer) -> dict[str, str]:
    checks = [json.loads(line) for line in answer.out.splitlines()]
    return {check["name"]: check["state"] for check in checks}


async def test_init_creates_everything_and_the_second_time_nothing(empty: Machine, broker: Broker) -> None:
    first = await empty.run("init", "--json")
    assert (first.code, first.err, states(first)) == (0, "", dict.fromkeys(NAMES, "created"))
    before = await configs(broker)
    again = await empty.run("init", "--json")
    assert (again.code, again.err, states(again)) == (0, "", dict.fromkeys(NAMES, "as wanted"))
    assert await configs(broker) == before


async def configs(broker: Broker) -> list[object]:
    streams = [(await broker.js.stream_info(str(each.name))).config for each in topology.streams()]
    durables = [(await broker.js.consumer_info(each.stream, each.name)).config for each in topology.DURABLES]
    return [*streams, *durables]


async def test_init_says_it_in_a_table_too(empty: Machine) -> None:
    answer = await empty.run("init")
    assert answer.code == 0
    assert all(name in answer.out for name in NAMES)
    assert answer.out.count("created") == len(NAMES)


async def test_drift_is_shown_with_exit_1_and_left_alone(empty: Machine, broker: Broker) -> None:
    await empty.run("init")
    await make_drift(broker)
    answer = await empty.run("init")
    assert answer.code == 1
    assert "max_msg_size: 1024 instead of 262144" in answer.out
    assert "ack_wait: " in answer.out
    assert "Nothing was changed." in answer.out
    assert "dripstream init --apply" in answer.out
    assert await found(broker) == (1024, 5.0)


async def test_drift_is_in_the_json(empty: Machine, broker: Broker) -> None:
    await empty.run("init")
    await make_drift(broker)
    answer = await empty.run("init", "--json")
    (events,) = [check for check in map(json.loads, answer.out.splitlines()) if check["name"] == "EVENTS"]
    assert answer.code == 1
    assert (events["kind"], events["state"]) == ("stream", "drift")
    assert events["differences"] == [{"setting": "max_msg_size", "wanted": 256 * 1024, "found": 1024}]


async def test_apply_brings_drift_into_line(empty: Machine, broker: Broker) -> None:
    await empty.run("init")
    await make_drift(broker)
    applied = await empty.run("init", "--apply", "--json")
    assert applied.code == 0
    assert {name for name, state in states(applied).items() if state == "updated"} == {"EVENTS", "KV_timers > sender"}
    assert await found(broker) == (256 * 1024, topology.ACK_WAIT_S)
    assert (await empty.run("init")).code == 0


async def make_drift(broker: Broker) -> None:
    config = (await broker.js.stream_info(subjects.EVENTS)).config
    await broker.js.update_stream(replace(config, max_msg_size=1024))
    await broker.js.add_consumer(topology.SENDER.stream, replace(topology.SENDER.config, ack_wait=5.0))


async def found(broker: Broker) -> tuple[int | None, float | None]:
    stream = await broker.js.stream_info(subjects.EVENTS)
    consumer = await broker.js.consumer_info(topology.SENDER.stream, topology.SENDER.name)
    return stream.config.max_msg_size, consumer.config.ack_wait


@pytest.mark.parametrize("command", ["init", "up", "scheduler"])
async def test_an_old_server_is_refused_in_one_line_with_both_versions(here: Machine, command: str) -> None:
    async with NatsServer(here.folder / "nats", binary=OLD) as nats:
        answer = await here.run(command, NATS_URL=nats.url)
    assert_one_line(answer, "2.11.11", "2.12 or newer")


@pytest.mark.parametrize("service", ["ingest", "scheduler", "sender", "notion-sync"])
async def test_a_service_without_its_streams_says_which_command_makes_them(empty: Machine, service: str) -> None:
    assert_one_line(await empty.run(service), "missing stream EVENTS", "run `dripstream init`")


async def test_replay_without_streams_says_which_command_makes_them(empty: Machine) -> None:
    assert_one_line(await empty.run("replay", "scheduler", "-f"), "run `dripstream init`")


async def test_pending_without_the_bucket_is_one_line(empty: Machine) -> None:
    assert_one_line(await empty.run("pending"), "timers")


def assert_one_line(answer: Answer, *words: str) -> None:
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 1, answer.err
    assert answer.err.startswith("dripstream: ")
    assert [word for word in words if word not in answer.err] == []
