"""Faults of the broker: doctor finds each, and says what to do."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.checks import clock, disk, nats, passwords, streams
from cli.checks.finding import Finding, Patient
from cli.checks.hello import hello
from cli.checks.rights import User, lacking, matches, permissions
from cli.doctor import examined
from cli.doctor import patient as patient_of
from contracts import subjects
from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.log import EventLog
from eventlog.parked import ParkingLot
from eventlog.pause import pause
from eventlog.server import NatsServer, free_port
from services.sandbox.app import Sandbox
from services.settings import ROOT
from tests.ballast import BALLAST, fill_store
from tests.cluster import PASSWORDS, Node
from tests.disk import Disk, require_disks
from tests.factories import NOW, make_email_failed, make_signup
from tests.integration.doctor.kit import dated_later, listening, looked_at, relayed, settings, troubles
from tests.waiting import eventually

OLD = ROOT / ".venv" / "old-server" / "bin" / "nats-server"


async def test_an_old_server_is_found_and_the_rest_is_looked_at_all_the_same(tmp_path: Path, sandbox: Sandbox) -> None:
    async with (
        NatsServer(tmp_path / "nats", binary=OLD) as server,
        patient_of(settings(server.url, sandbox, tmp_path)) as patient,
    ):
        found = await looked_at(patient)
    assert found["NATS version"].state == "trouble"
    assert "2.11.11" in found["NATS version"].detail
    assert "2.15.1" in found["NATS version"].do
    assert found["clock"].state == found["Notion Email Sequence"].state == "ok"
    assert found["streams"].state == "not checked"


async def test_nobody_at_the_address_is_told_from_one_who_does_not_take_us(tmp_path: Path, sandbox: Sandbox) -> None:
    url = f"nats://ada:a-password@127.0.0.1:{free_port()}"
    async with patient_of(settings(url, sandbox, tmp_path)) as patient:
        found = await looked_at(patient)
    assert "nobody answers" in found["NATS"].detail
    assert "a-password" not in str(found)
    assert (
        found["streams"].state == found["sender domain" if "sender domain" in found else "clock"].state == "not checked"
    )
    assert found["campaigns"].state == found["Resend key"].state == "ok"


async def test_a_server_that_does_not_take_us_is_told_with_the_settings_that_say_who_we_are(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    locked = Locked(tmp_path / "nats")
    async with locked, patient_of(settings(locked.url, sandbox, tmp_path)) as patient:
        found = await looked_at(patient, nats.CHECKS)
    assert "does not take us" in found["NATS"].detail
    assert "NATS_USER" in found["NATS"].do


@pytest.mark.parametrize("empty", ["", "''"])
async def test_an_empty_variable_of_what_we_ship_is_found_on_whichever_server(
    tmp_path: Path, sandbox: Sandbox, empty: str
) -> None:
    careless = {"NATS_SENDER_PASSWORD": empty, "NATS_OPERATOR_PASSWORD": empty}
    async with Node(tmp_path / "one") as one, Node(tmp_path / "two", environment=careless) as two:
        for url, state in ((one.url, "ok"), (f"{one.url},{two.url}", "trouble")):
            async with patient_of(settings(url, sandbox, tmp_path)) as patient:
                found = (await looked_at(patient, passwords.CHECKS))["NATS passwords"]
            assert found.state == state
    assert found.detail.endswith(": sender, operator")


async def test_a_node_that_is_away_is_named_and_the_others_are_asked_all_the_same(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    away = f"127.0.0.1:{free_port()}"
    async with Node(tmp_path / "one") as one, Node(tmp_path / "two") as two:
        url = f"nats://{away},{one.url},{two.url}"
        async with patient_of(settings(url, sandbox, tmp_path)) as patient:
            found = await examined(patient, passwords.CHECKS)
    assert [each.state for each in found] == ["ok", "not checked"]
    assert away in found[1].detail
    assert PASSWORDS["NATS_OPERATOR_PASSWORD"] not in str(found)


async def test_a_node_that_hangs_is_waited_for_once_and_not_for_each_user(tmp_path: Path, sandbox: Sandbox) -> None:
    """It says hello, and then hears nobody: each knock waits as long as it may."""
    async with (
        Node(tmp_path / "one") as one,
        deaf(one) as port,
        patient_of(settings(one.url, sandbox, tmp_path)) as patient,
    ):
        both = replace(patient, url=f"{one.url},nats://127.0.0.1:{port}")
        found = await examined(both, passwords.CHECKS)
    assert [(each.state, each.detail) for each in found] == [("ok", "no user of ours gets in with an empty one")]


@asynccontextmanager
async def deaf(node: Node) -> AsyncIterator[int]:
    """A port that says what the node says first, and nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    said = await reader.readline()
    writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read()  # until they hang up
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


class Locked(NatsServer):
    """With a user who may do little."""

    def write_config(self) -> None:
        super().write_config()
        config = self.folder / "nats.conf"
        limited = 'permissions: {publish: ["$SYS.REQ.USER.INFO", "$JS.API.INFO"], subscribe: ["_INBOX_reader.>"]}'
        silent = '{user: silent, password: a-password, permissions: {publish: "x", subscribe: "_INBOX_silent.>"}}'
        config.write_text(
            config.read_text()
            + f"authorization {{ users = [{{user: reader, password: a-password, {limited}}}, {silent}] }}\n"
        )


async def test_a_user_who_may_not_do_what_operators_do_is_found(tmp_path: Path) -> None:
    async with Locked(tmp_path / "nats") as server:
        url = server.url.replace("nats://", "nats://reader:a-password@")
        async with connect(url, name="doctor", patience_s=20) as broker:
            user = await permissions(broker)
        async with connect(
            server.url.replace("nats://", "nats://silent:a-password@"), name="x", patience_s=20
        ) as broker:
            assert await permissions(broker) is None
    assert user
    assert user.user == "reader"
    missing = lacking(user, "$JS.API")
    assert "$JS.API.INFO" not in missing
    assert {"$JS.API.CONSUMER.PAUSE.KV_timers.sender", "$JS.API.STREAM.UPDATE.EVENTS"} < set(missing)


class Careless(NatsServer):
    """Where a variable of users.conf was set, and empty."""

    def write_config(self) -> None:
        super().write_config()
        config = self.folder / "nats.conf"
        users = '{user: sender, password: ""}, {user: ingest, password: p1}, {user: operator, password: p2}'
        config.write_text(config.read_text() + f"authorization {{ users = [{users}] }}\n")


class Open(NatsServer):
    """Who listens to everybody, and asks nobody."""

    def write_config(self) -> None:
        super().write_config()
        config = self.folder / "nats.conf"
        config.write_text(config.read_text().replace("127.0.0.1:", "0.0.0.0:"))


async def test_a_service_that_gets_in_with_an_empty_password_is_found(tmp_path: Path, sandbox: Sandbox) -> None:
    async with Careless(tmp_path / "nats") as server:
        operator = settings(server.url, sandbox, tmp_path, nats_user="operator", nats_password="p2")
        async with patient_of(operator) as patient:
            found = (await looked_at(patient, passwords.CHECKS))["NATS passwords"]
    assert (found.state, found.detail) == ("trouble", "with an empty password the server takes: sender")
    assert "deploy/make-secrets.sh" in found.do


async def test_a_server_that_listens_to_everybody_and_asks_nobody_is_found(tmp_path: Path, sandbox: Sandbox) -> None:
    for kind, state in ((Open, "warning"), (NatsServer, "ok")):
        async with kind(tmp_path / state) as server, patient_of(settings(server.url, sandbox, tmp_path)) as patient:
            assert (await looked_at(patient, passwords.CHECKS))["NATS passwords"].state == state


def test_a_user_without_limits_may_do_everything() -> None:
    assert lacking(User(), "$JS.API") == []


@pytest.mark.parametrize(
    ("pattern", "subject", "fits"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.>", "a.b.c", True),
        (">", "a", True),
        ("a.>", "a", False),
        ("a.*", "a.b.c", False),
        ("a.b.c", "a.b", False),
        ("*.b", "a.c", False),
    ],
)
def test_subjects_match_by_the_rules_of_nats(pattern: str, subject: str, fits: bool) -> None:
    assert matches(pattern, subject) is fits


@pytest.mark.parametrize(("by", "state", "word"), [(3, "warning", "ahead"), (-3_600, "trouble", "behind")])
async def test_a_wrong_clock_is_found(patient: Patient, by: int, state: str, word: str) -> None:
    wrong = replace(patient, now=lambda: datetime.now(UTC) + timedelta(seconds=by))
    looks = list[Finding]()

    async def is_found() -> bool:
        """A look that takes seconds cannot tell so little."""
        looks.append((await looked_at(wrong, nats.CHECKS))["clock"])
        return looks[-1].state != "ok"

    await eventually(is_found)
    found = looks[-1]
    assert (found.state, word in found.detail, "NTP" in found.do) == (state, True, True)


async def test_a_wrong_clock_that_the_broker_shares_is_found_by_somebody_elses(patient: Patient) -> None:
    found = (await looked_at(patient, clock.CHECKS))["outside clock"]
    assert (found.state, found.detail) == ("ok", "this machine and 127.0.0.1 agree")
    async with relayed(str(patient.settings.notion_api_url), dated_later(timedelta(minutes=10))) as port:
        theirs = {"resend_api_key": None, "notion_api_url": f"http://127.0.0.1:{port}"}
        wrong = replace(patient, settings=patient.settings.model_copy(update=theirs))
        found = (await looked_at(wrong, (*clock.CHECKS, *nats.CHECKS)))["outside clock"]
    assert (found.state, " s behind 127.0.0.1" in found.detail) == ("trouble", True)
    assert "timedatectl set-ntp true" in found.do


async def test_a_time_nobody_tells_is_no_alarm(patient: Patient) -> None:
    nobody = {"resend_api_url": f"http://127.0.0.1:{free_port()}", "notion_token": None}
    alone = replace(patient, settings=patient.settings.model_copy(update=nobody))
    async with relayed(str(patient.settings.resend_api_url), undated) as port:
        mute = {"resend_api_url": f"http://127.0.0.1:{port}", "notion_token": None}
        silent = replace(patient, settings=patient.settings.model_copy(update=mute))
        for each in (alone, silent):
            assert (await looked_at(each, clock.CHECKS))["outside clock"].state in {"ok", "not checked"}


def undated(said: bytes) -> bytes:
    return re.sub(rb"(?i)(?<=\r\n)date(?=: )", b"Etad", said)


async def test_drift_and_what_is_missing_are_found(patient: Patient, broker: Broker) -> None:
    config = (await broker.js.stream_info(subjects.EVENTS)).config
    await broker.js.update_stream(replace(config, max_msg_size=1024))
    found = (await looked_at(patient, streams.CHECKS))["streams"]
    assert found.state == "trouble"
    assert "max_msg_size" in found.detail
    assert "init --apply" in found.do
    await broker.js.delete_consumer(topology.SENDER.stream, topology.SENDER.name)
    missing = [each for each in await streams.in_place(patient) if "missing" in each.detail]
    assert [each.do for each in missing] == ["run `dripstream init`"]


async def test_a_paused_service_is_found_with_its_reason(patient: Patient, broker: Broker) -> None:
    await pause(broker, topology.SENDER, for_s=3_600, reason="daily_quota_exceeded")
    found = (await looked_at(patient, streams.CHECKS))["sender"]
    assert found.state == "trouble"
    assert "daily_quota_exceeded" in found.detail
    assert "dripstream resume sender" in found.do


async def test_a_notifier_is_looked_at_once_it_was_made(patient: Patient, broker: Broker) -> None:
    assert "notifier" not in await looked_at(patient, streams.CHECKS)
    await topology.ensure_durable(broker, topology.NOTIFIER)
    alone = (await looked_at(patient, streams.CHECKS))["notifier"]
    assert (alone.state, "no notifier is listening" in alone.detail) == ("warning", True)
    assert "nats consumer rm EVENTS notifier" in alone.do
    await pause(broker, topology.NOTIFIER, for_s=3_600, reason="the chat's webhook is closed (404)")
    found = (await looked_at(patient, streams.CHECKS))["notifier"]
    assert (found.state, "webhook is closed" in found.detail) == ("trouble", True)
    assert "NOTIFY_WEBHOOK_URL" in found.do
    assert "dripstream resume notifier" in found.do


async def test_a_consumer_that_is_gone_is_told_from_a_jetstream_that_is(
    patient: Patient, broker: Broker, tmp_path: Path, sandbox: Sandbox
) -> None:
    await broker.js.delete_consumer(topology.SENDER.stream, topology.SENDER.name)
    gone = (await looked_at(patient, streams.CHECKS))["sender"]
    assert (gone.state, gone.do) == ("trouble", "run `dripstream init`")
    without = tmp_path / "without"
    async with Bare(without) as server, patient_of(settings(server.url, sandbox, without)) as other:
        found = await looked_at(other, streams.CHECKS)
    assert {name: each.state for name, each in found.items()} == dict.fromkeys(
        ("streams", "consumers", "failures"), "not checked"
    )
    assert "there is no JetStream" in found["streams"].detail
    assert "init" not in str(found)


class Bare(NatsServer):
    """Without JetStream, as one that has given it up."""

    def write_config(self) -> None:
        super().write_config()
        config = self.folder / "nats.conf"
        config.write_text(config.read_text().partition("jetstream")[0])

    async def _answers(self) -> bool:
        return await hello(self.url) is not None


async def test_a_service_nobody_runs_is_found(broker: Broker, patient: Patient) -> None:
    for durable in topology.DURABLES:
        await topology.rewind(broker, durable)  # made anew: nobody has asked it for anything
    found = await looked_at(patient, streams.CHECKS)
    assert troubles(found) == {"scheduler", "notion-sync", "sender"}
    assert "dripstream notion-sync" in found["notion-sync"].do


async def test_a_service_that_lags_is_found(patient: Patient, broker: Broker) -> None:
    await EventLog(broker).append(make_signup())
    await eventually(lambda: is_given(broker))
    late = replace(patient, now=lambda: datetime.now(UTC) + timedelta(minutes=5))
    found = (await looked_at(late, streams.CHECKS))["scheduler"]
    assert found.state == "trouble"
    assert "1 messages behind" in found.detail


async def is_given(broker: Broker) -> bool:
    """To the request that waits at the scheduler's consumer, which never acknowledges it."""
    return bool((await broker.js.consumer_info(subjects.EVENTS, subjects.SCHEDULER)).num_ack_pending)


async def test_parked_messages_are_trouble_and_failed_emails_a_warning(patient: Patient, broker: Broker) -> None:
    assert (await looked_at(patient, streams.CHECKS))["failures"].state == "ok"
    events = EventLog(broker)
    await events.append(make_signup())
    await events.append(make_email_failed())
    lot = ParkingLot(broker)
    told = {"consumer": "scheduler", "subject": "x", "sequence": 7, "detail": "", "payload": b"", "now": NOW}
    await lot.park(reason="undecodable", **told)  # type: ignore[arg-type]
    found = await looked_at(patient, streams.CHECKS)
    assert (found["parked"].state, found["failed emails"].state) == ("trouble", "warning")
    assert "undecodable" in found["parked"].detail
    assert "dripstream failures" in found["parked"].do


async def test_a_full_store_is_found_by_writing(tmp_path: Path, sandbox: Sandbox) -> None:
    async with (
        NatsServer(tmp_path / "nats", options={"max_file_store": "16MB"}) as server,
        patient_of(settings(server.url, sandbox, tmp_path)) as patient,
    ):
        await topology.init(patient.nats)
        assert (await looked_at(patient, nats.CHECKS))["storage"].state == "ok"
        await fill_store(patient.nats)
        found = (await looked_at(patient, nats.CHECKS))["storage"]
    assert found.state == "trouble"
    assert "insufficient" in found.detail
    assert "NATS_MAX_FILE_STORE" in found.do


async def test_a_full_disk_under_our_own_server_is_found(tmp_path: Path, sandbox: Sandbox) -> None:
    require_disks(tmp_path)
    with Disk(tmp_path, megabytes=64) as small:
        mine = settings("", sandbox, tmp_path, data_dir=small.path)
        async with NatsServer(small.path / "nats"), patient_of(mine) as patient:
            await topology.init(patient.nats)
            assert (await looked_at(patient, disk.CHECKS))["disk"].state == "ok"
            await asyncio.to_thread(small.fill)
            found = await looked_at(patient)
    assert {"disk", "storage"} <= troubles(found)
    assert "free the disk" in found["disk"].do


async def test_an_account_near_its_limit_is_found(tmp_path: Path, sandbox: Sandbox) -> None:
    async with (
        Metered(tmp_path / "nats") as server,
        patient_of(settings(server.url, sandbox, tmp_path)) as patient,
    ):
        await patient.nats.js.add_stream(name=BALLAST, subjects=["ballast"])
        for _ in range(9):
            await patient.nats.js.publish("ballast", b"x" * 100_000)
        found = (await looked_at(patient, disk.CHECKS))["JetStream"]
    assert found.state == "warning"
    assert "MB" in found.detail


async def test_a_store_near_the_limit_of_the_server_is_found_while_it_still_takes_all(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    async with NatsServer(tmp_path / "nats", options={"max_file_store": "1MB"}) as server:
        for told, state in (({}, "ok"), ({"nats_max_file_store": "1MB"}, "warning")):
            async with patient_of(settings(server.url, sandbox, tmp_path, **told)) as patient:
                await filled(patient.nats, 900_000)
                found = (await looked_at(patient, disk.CHECKS))["JetStream"]
            assert found.state == state
            assert "NATS_MAX_FILE_STORE" in found.do
        async with patient_of(settings(server.url, sandbox, tmp_path, replicas=3, **told)) as patient:
            assert (await looked_at(patient, disk.CHECKS))["JetStream"].state == "ok", (
                "three nodes, three times the room"
            )


async def filled(broker: Broker, size: int) -> None:
    await broker.js.add_stream(name=BALLAST, subjects=["ballast"])
    while (await broker.js.account_info()).storage < size:
        await broker.js.publish("ballast", b"x" * 50_000)


async def test_the_disk_of_a_broker_on_this_machine_is_found_by_its_store(tmp_path: Path, sandbox: Sandbox) -> None:
    require_disks(tmp_path)
    with Disk(tmp_path, megabytes=64) as small:
        for store, state in ((small.path, "ok"), (tmp_path / "not-here", "not checked")):
            patient = Patient(settings("nats://127.0.0.1:1", sandbox, tmp_path, nats_store=store), None, "")
            assert (await looked_at(patient, disk.CHECKS))["disk"].state == state
        await asyncio.to_thread(small.fill)
        patient = Patient(settings("nats://127.0.0.1:1", sandbox, tmp_path, nats_store=small.path), None, "")
        found = (await looked_at(patient, disk.CHECKS))["disk"]
    assert (found.state, str(small.path) in found.detail) == ("trouble", True)


class Metered(NatsServer):
    """Whose account may keep 1 MB."""

    def write_config(self) -> None:
        super().write_config()
        config = self.folder / "nats.conf"
        account = "accounts { A { jetstream { max_file: 1MB }, users = [{user: a, password: a}] } }\nno_auth_user: a\n"
        config.write_text(config.read_text() + account)


@pytest.mark.parametrize(("sync", "state"), [("always", "ok"), ("2m", "warning")])
async def test_a_server_of_ours_that_does_not_sync_is_found(
    tmp_path: Path, sandbox: Sandbox, sync: str, state: str
) -> None:
    async with (
        NatsServer(tmp_path / "data" / "nats", options={"sync_interval": sync}),
        patient_of(settings("", sandbox, tmp_path)) as patient,
    ):
        found = (await looked_at(patient, disk.CHECKS))["sync_interval"]
    assert found.state == state


async def test_looking_leaves_nothing_behind(patient: Patient, broker: Broker) -> None:
    names = [str(each.name) for each in topology.streams()]
    before = [(await broker.js.stream_info(each)).config for each in names]
    async with listening(broker):
        await looked_at(patient)
    assert [(await broker.js.stream_info(each)).config for each in names] == before
    await eventually(lambda: is_gone(broker))
    assert (await broker.js.stream_info(subjects.EVENTS)).state.messages == 0


async def is_gone(broker: Broker) -> bool:
    """The entry that was written goes by itself."""
    return not (await broker.js.stream_info(subjects.stream_of(subjects.SENDS))).state.messages
