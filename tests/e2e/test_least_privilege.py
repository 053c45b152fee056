"""Every service as its own user, on the configuration we ship: all of their work, and not one right missing."""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from cli.main import dripstream
from cli.names import CONSUMERS, SERVICES
from contracts import subjects
from contracts.ids import contact_id
from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.parked import ParkingLot
from eventlog.timers import Timers
from tests.cluster import Node, as_user
from tests.e2e.conftest import FASTER
from tests.e2e.people import MARIA, TOM
from tests.e2e.processes import Machine, Program, machine
from tests.e2e.site import Site, each_email_was_sent_once, has_handled_all, site, subjects_in
from tests.e2e.test_micro import listed
from tests.waiting import eventually

NOBODY = contact_id("nobody@example.com")
EMAIL = MARIA.again(email="somebody@example.com").email_id("email-1")
DURABLES = [topology.durable_of(name) for name in CONSUMERS]
BY = ("--by", "grace", "--why", "asked by phone")


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with Node(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def here(tmp_path: Path, node: Node) -> Iterator[Machine]:
    address = f"nats://127.0.0.1:{node.port}"
    with machine(tmp_path, NATS_URL=address, TEMPLATES="notion", **as_user("operator")) as made:
        made.environment["NOTIFY_WEBHOOK_URL"] = f"http://127.0.0.1:{made.sandbox_port}/discord/api/webhooks/12/t0ken"
        yield made


@pytest.fixture
async def broker(node: Node) -> AsyncIterator[Broker]:
    async with connect(node.url, name="test", patience_s=20) as made:
        yield made


@pytest.fixture
async def running(here: Machine, broker: Broker) -> AsyncIterator[Site]:
    """In compressed time."""
    here.environment |= FASTER
    async with all_services(here, broker) as found:
        yield found


@asynccontextmanager
async def all_services(here: Machine, broker: Broker) -> AsyncIterator[Site]:
    """All at work, and the notifier's consumer there: it tells only what comes after its first start."""
    answer = await here.run("init")
    assert answer.code == 0, answer.err
    here.start("sandbox")
    async with site(here) as found:
        for name in SERVICES:
            here.start(name, **as_user(name.replace("-", "_")))
        await found.ready()
        await eventually(lambda: are_listed(broker), timeout=60)
        await eventually(lambda: all_exist(broker), timeout=60)
        await found.lift_limits()
        yield found


def refused(node: Node) -> list[str]:
    """What the server says it refused, to whomever."""
    return [line for line in node.log_file.read_text().splitlines() if "Violation" in line or "authentication" in line]


async def test_a_journey_with_trouble_on_the_way(here: Machine, running: Site, broker: Broker, node: Node) -> None:
    """A signup told in the chat, a refused email and another try, a pause, unreadable messages, every replay."""
    first = MARIA.email_id("email-1")
    await running.add_fault(
        api="resend", action="status", status=422, name="validation_error", match={"contains": first}, times=1
    )
    await running.sign_up(MARIA)
    await eventually(lambda: says(here, "validation_error"), timeout=30)
    assert (await here.run("retry", first, "--why", "mended")).code == 0
    await running.has_finished(MARIA)

    await running.add_fault(api="resend", action="status", status=403, name="invalid_api_key", times=1)
    await running.sign_up(TOM)
    await eventually(lambda: says(here, "invalid_api_key"), timeout=30)
    assert (await here.run("resume")).code == 0
    await running.has_finished(TOM)
    await each_email_was_sent_once(running, broker, TOM)
    assert len(await running.mails(MARIA)) == 7
    assert any(MARIA.first_name in said for said in await chat(running))
    assert (await here.run("notion", "rebuild", "--dry-run")).code == 0

    await make_unreadable(broker)
    await eventually(lambda: is_parked_by(broker, {"scheduler", "notion_sync", "sender"}), timeout=30)
    await eventually(lambda: are_told(broker, {"scheduler", "notion_sync"}), timeout=30)
    for service in ("scheduler", "notion-sync"):
        assert (await here.run("replay", service, "-f")).code == 0
    await eventually(lambda: has_handled_all(broker), timeout=30)
    assert refused(node) == []


async def chat(running: Site) -> list[str]:
    return [each["text"] for each in (await running.sandbox.get("/_control/chat")).json()]


async def are_listed(broker: Broker) -> bool:
    return await listed(broker) == {f"dripstream-{name}" for name in SERVICES}


async def says(here: Machine, words: str) -> bool:
    return words in (await here.run("failures")).out


async def make_unreadable(broker: Broker) -> None:
    """A fact about somebody of whom nothing else is known, and a wake-up of a time long gone."""
    for subject in (f"{subjects.history_of(NOBODY)[:-1]}signup_received.mangled", f"email.due.{EMAIL}.1"):
        stored = await broker.publish(subject, b"{", last_sequence=0)
        assert not stored.duplicate


async def are_told(broker: Broker, services: set[str]) -> bool:
    """The parked fact's story says by whom it could not be handled."""
    found = await subjects_in(broker, subjects.EVENTS)
    return services <= {name.split(".")[3] for name in found if name.startswith(f"events.{NOBODY}.handling_failed.")}


async def is_parked_by(broker: Broker, services: set[str]) -> bool:
    return services <= {kept.copy.consumer for kept in await ParkingLot(broker).all()}


async def test_lost_timers_and_deleted_consumers_are_mended(
    here: Machine, running: Site, broker: Broker, node: Node
) -> None:
    for durable in DURABLES:
        await broker.js.delete_consumer(durable.stream, durable.name)
    await eventually(lambda: all_exist(broker), timeout=60)
    await running.sign_up(MARIA)
    await running.has_sent(1)
    await broker.js.purge_stream(subjects.stream_of(subjects.TIMERS))
    assert (await here.run("replay", "scheduler", "-f")).code == 0
    await running.has_finished(MARIA)
    assert await Timers(broker).pending() == []
    assert refused(node) == []


async def all_exist(broker: Broker) -> bool:
    calls = [f"CONSUMER.INFO.{durable.stream}.{durable.name}" for durable in DURABLES]
    return not any(["error" in msgspec.json.decode(await broker.request(call)) for call in calls])


COMMANDS = (
    "init", "init --apply", "doctor", "pending", f"contact {MARIA.email}", "failures", "stats", "stats --targets",
    "export", f"hold {MARIA.email}", f"resume {MARIA.email}", f"cancel {MARIA.email} --step nurture/email-3",
    f"send-now {MARIA.email} --step nurture/email-4", "pause --for 1h", "resume", "pause notion-sync --for 1h",
    "resume notion-sync", f"trigger christmas-2025 paid {MARIA.email}", "retry --all", "discard --all",
    "replay scheduler -f", "replay notion-sync -f", "restored --down-since 2020-01-01 -f", "notion check",
    "notion rebuild", "notion drift", "notifier test",
)  # fmt: skip
NEVER_ENDS = {"tail"}
NEEDS_NO_BROKER = {"simulate", "schema", "campaigns", "templates", "sandbox"}
RUN_A_BROKER = {"demo", "up"}


def test_every_command_is_tried_as_the_operator() -> None:
    tried = {command.split()[0] for command in COMMANDS} | NEVER_ENDS | set(SERVICES)
    assert set(dripstream.commands) - tried - NEEDS_NO_BROKER - RUN_A_BROKER == set()


async def test_the_operator_may_do_what_every_command_does(here: Machine, broker: Broker, node: Node) -> None:
    """With production's delays, so that there are emails to decide about."""
    async with all_services(here, broker) as running:
        await running.sign_up(MARIA)
        await running.has_sent(1)
        tail = here.start("tail", "--since", "1h")
        answers = {command: await here.run(*command.split(), within_s=60) for command in COMMANDS}
        await eventually(lambda: has_said(tail, "operator_held"))
        assert await tail.stop(signal.SIGINT) == 0
    assert [line for line in refused(node) if "authentication" not in line] == []  # doctor tries to get in without
    assert "user operator may do as the operator needs" in answers.pop("doctor").out  # what else it finds is not ours
    assert {command: answer.err for command, answer in answers.items() if answer.code} == {}


async def has_said(program: Program, words: str) -> bool:
    return words in program.out


async def test_a_service_as_another_ones_user_ends_and_names_it(here: Machine, node: Node) -> None:
    """It would look as if the broker were silent."""
    assert (await here.run("init")).code == 0
    answer = await here.run("pending", NATS_USER="ingest", NATS_PASSWORD="guessed")
    assert answer.code == 1
    assert "does not let user 'ingest' in" in answer.err
    assert "guessed" not in answer.err
    denied = await here.run("trigger", "christmas-2025", "paid", MARIA.email, environment=as_user("sender"))
    assert denied.code == 1
    assert "does not let user 'sender' publish to events." in denied.err
