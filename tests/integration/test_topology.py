"""What must exist on the broker: created the same way twice, drift shown, old servers refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from nats.js.api import StreamConfig

from contracts import subjects
from eventlog import topology
from eventlog.connection import Broker, Unavailable, connect
from eventlog.server import NatsServer, free_port
from eventlog.timers import STREAM
from services.settings import ROOT

OLD = ROOT / ".venv" / "old-server" / "bin" / "nats-server"
"""The last server that accepts timers and never fires them; `make install` puts it there."""


async def test_init_creates_everything_and_the_second_time_nothing(bare_broker: Broker) -> None:
    first = await topology.init(bare_broker)
    again = await topology.init(bare_broker)
    assert {each.state for each in first} == {"created"}
    assert {each.state for each in again} == {"as wanted"}
    assert [each.name for each in first] == [
        "EVENTS", "PARKED", "timers", "sends", "pages", "templates", "alerts",
        "EVENTS > scheduler", "EVENTS > notion_sync", "KV_timers > sender",
    ]  # fmt: skip


async def test_drift_is_shown_and_left_alone(broker: Broker) -> None:
    config = (await broker.js.stream_info(subjects.EVENTS)).config
    config.max_msg_size = 1024
    await broker.js.update_stream(config)
    checks = {each.name: each for each in await topology.init(broker)}
    assert checks["EVENTS"].state == "drift"
    assert [str(each) for each in checks["EVENTS"].differences] == ["max_msg_size: 1024 instead of 262144"]
    assert (await broker.js.stream_info(subjects.EVENTS)).config.max_msg_size == 1024


async def test_apply_brings_drift_into_line(broker: Broker) -> None:
    config = (await broker.js.stream_info(subjects.EVENTS)).config
    config.max_msg_size = 1024
    await broker.js.update_stream(config)
    checks = {each.name: each for each in await topology.init(broker, apply=True)}
    assert checks["EVENTS"].state == "updated"
    assert (await broker.js.stream_info(subjects.EVENTS)).config.max_msg_size == 256 * 1024


async def test_a_changed_consumer_is_drift_too(broker: Broker) -> None:
    config = replace(topology.SENDER.config, ack_wait=5.0)
    await broker.js.add_consumer(topology.SENDER.stream, config)
    checks = {each.name: each for each in await topology.check(broker)}
    assert [each.setting for each in checks["KV_timers > sender"].differences] == ["ack_wait"]


async def test_a_service_refuses_to_start_without_its_streams_and_says_what_to_do(bare_broker: Broker) -> None:
    with pytest.raises(topology.Incomplete, match=r"missing stream EVENTS.*run `dripstream init`"):
        await topology.require(bare_broker)


async def test_a_timers_bucket_without_schedules_is_refused(bare_broker: Broker) -> None:
    """What an old server makes of it: the stream is there, its flags were dropped, and nothing ever fires."""
    await bare_broker.js.add_stream(
        StreamConfig(name=STREAM, subjects=["$KV.timers.>", subjects.ALL_DUE], allow_direct=True)
    )
    with pytest.raises(topology.Incomplete, match="cannot fire timers"):
        await topology.init(bare_broker)


async def test_an_old_server_is_refused_with_the_version_found_and_needed(tmp_path: Path) -> None:
    async with NatsServer(tmp_path, binary=OLD) as server, connect(server.url, name="test", patience_s=20) as broker:
        for attempt in (topology.init, topology.require):
            with pytest.raises(topology.OldServer, match=r"2\.11\.11 has JetStream API level 1.*needs 2\.12 or newer"):
                await attempt(broker)
        assert await broker.js.streams_info() == []


async def test_a_stream_whose_flags_an_old_server_dropped_is_refused_until_it_is_put_right(tmp_path: Path) -> None:
    """It accepts the stream, drops what it does not know, acknowledges every put and never fires."""
    async with NatsServer(tmp_path, binary=OLD) as server, connect(server.url, name="test", patience_s=20) as broker:
        timers = next(config for config in topology.streams() if config.name == STREAM)
        made = await broker.js.add_stream(timers)
        assert not made.config.allow_msg_schedules
    async with NatsServer(tmp_path) as server, connect(server.url, name="test", patience_s=20) as broker:
        with pytest.raises(topology.Incomplete, match=r"bucket timers cannot fire timers.*dripstream init --apply"):
            await topology.init(broker)
        await topology.init(broker, apply=True)
        await topology.require(broker)


async def test_no_server_is_said_within_the_patience_given() -> None:
    with pytest.raises(Unavailable, match="no NATS server answers"):
        async with connect(f"nats://127.0.0.1:{free_port()}", name="test", patience_s=1):
            pass
