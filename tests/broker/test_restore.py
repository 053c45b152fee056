"""Yesterday's backup is restored by the runbook (docs/operations.md): nothing of yesterday is sent again."""

import asyncio
import copy
import os
import re
import shutil
import textwrap
from asyncio.subprocess import PIPE, STDOUT
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.restored import set_aside
from contracts import subjects
from contracts.facts import EmailUnknown
from contracts.ids import contact_id
from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.log import EventLog
from eventlog.timers import Timers
from journey.plan import Pace
from services.sandbox.app import Sandbox
from services.sandbox.options import UNLIMITED
from services.settings import ROOT
from tests.backup import Backup, backup, restore
from tests.broker.product import People, Postman, mailed, working
from tests.cluster import Node
from tests.factories import CAMPAIGN, make_email_id, make_signup
from tests.integration.notifier.kit import Room
from tests.unit.journey.test_plan import campaign
from tests.waiting import eventually, is_idle

BUCKETS = (subjects.SENDS, subjects.PAGES, subjects.TEMPLATES)
KEPT = [subjects.EVENTS, subjects.PARKED, *map(subjects.stream_of, BUCKETS)]
"""As the runbook names them. KV_timers is rebuilt from EVENTS, and KV_alerts from what is found wrong then."""

DAY = timedelta(days=1)
EARLY, BEFORE, AFTER, LATER = "early@example.com", "before@example.com", "after@example.com", "later@example.com"


@dataclass(frozen=True)
class Yesterday:
    """A backup, and what was mailed until the broker was lost."""

    taken: list[Backup]
    postman: Postman
    lost_at: datetime


@pytest.fixture(scope="module")
async def lost(tmp_path_factory: pytest.TempPathFactory) -> Yesterday:
    """EARLY has had what was due before the backup. After it went BEFORE's second email, and AFTER's first.

    LATER's second email comes due when the broker is away.
    """
    people, postman = People(), Postman()
    async with (
        Node(tmp_path_factory.mktemp("lost")) as node,
        connect(node.url_of("operator"), name="test", patience_s=20) as broker,
    ):
        await topology.init(broker)
        log = EventLog(broker)
        async with working(node.url_of("operator"), postman):
            now = datetime.now(UTC).replace(microsecond=0)
            second, third = now + timedelta(seconds=12), now + timedelta(seconds=24)
            await people.sign_up(log, EARLY, now)
            await people.sign_up(log, BEFORE, second - DAY)
            await people.sign_up(log, LATER, third - DAY)
            await mailed(3, postman)
            taken = [await backup(broker, stream) for stream in KEPT]
            assert datetime.now(UTC) < second, "too slow a machine to make a backup in time"
            await people.sign_up(log, AFTER, now)
            await mailed(5, postman)
        lost_at = datetime.now(UTC)
        assert lost_at < third, "too slow a machine to lose the broker in time"
    postman.forget_keys()  # 24 h have passed: the provider would accept the same email again
    return Yesterday(taken, postman, lost_at)


@pytest.fixture
def yesterday(lost: Yesterday) -> Yesterday:
    """For each test as it was."""
    return copy.deepcopy(lost)


async def test_a_restored_backup_has_the_facts_it_was_made_of(tmp_path: Path, yesterday: Yesterday) -> None:
    async with Node(tmp_path / "new") as node, connect(node.url_of("operator"), name="test", patience_s=20) as broker:
        await restored(broker, yesterday)
        tags = [fact.tag for fact in await EventLog(broker).history(contact_id(BEFORE))]
        assert tags == ["signup_received", "email_sent"]
        assert await EventLog(broker).history(contact_id(AFTER)) == []


async def restored(broker: Broker, yesterday: Yesterday) -> None:
    """Steps 3 and 4 of the runbook."""
    for taken in yesterday.taken:
        await restore(broker, taken)
    checks = {check.name: check.state for check in await topology.init(broker)}
    assert {name for name, state in checks.items() if state == "created"} == {
        "timers", "alerts", "EVENTS > scheduler", "EVENTS > notion_sync", "KV_timers > sender",
    }  # fmt: skip


async def test_without_setting_aside_an_email_goes_out_twice(tmp_path: Path, yesterday: Yesterday) -> None:
    """Why the runbook has that step: the log of yesterday does not know what was sent since."""
    async with Node(tmp_path / "new") as node, connect(node.url_of("operator"), name="test", patience_s=20) as broker:
        await restored(broker, yesterday)
        async with working(node.url_of("operator"), yesterday.postman):
            await eventually(lambda: sent_twice(yesterday), timeout=60)


async def sent_twice(yesterday: Yesterday) -> bool:
    return yesterday.postman.accepted[make_email_id("email-2", BEFORE)] == 2


async def test_the_commands_of_the_runbook_do_the_same(tmp_path: Path) -> None:
    """The very lines of docs/operations.md, with the NATS command line."""
    if not shutil.which("nats"):
        pytest.skip("nats is not installed: .ci/run builds it with Go")
    first, second = [block for block in shell_blocks() if "nats stream" in block]
    async with Node(tmp_path / "lost") as node, connect(node.url_of("operator"), name="test", patience_s=20) as broker:
        await topology.init(broker)
        await EventLog(broker).append(make_signup(EARLY))
        await runs(first, tmp_path, node)
    async with Node(tmp_path / "new") as node, connect(node.url_of("operator"), name="test", patience_s=20) as broker:
        await runs(second, tmp_path, node)
        checks = {check.name: check.state for check in await topology.init(broker)}
        assert [checks[name] for name in ("EVENTS", "PARKED", "sends", "pages", "templates")] == ["as wanted"] * 5
        assert checks["timers"] == checks["alerts"] == checks["EVENTS > scheduler"] == "created"
        assert [fact.tag for fact in await EventLog(broker).history(contact_id(EARLY))] == ["signup_received"]


def shell_blocks() -> list[str]:
    text = (ROOT / "docs" / "operations.md").read_text()
    return [textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)```", text, re.DOTALL | re.MULTILINE)]


async def runs(script: str, folder: Path, node: Node) -> None:
    environment = {**os.environ, "NATS_URL": node.url_of("operator"), "HOME": str(folder)}
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=folder, env=environment, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def test_by_the_runbook_nothing_of_yesterday_is_sent_again(tmp_path: Path, yesterday: Yesterday) -> None:
    """What may have been sent waits for a person, what cannot have been goes out, each exactly once."""
    campaigns, postman = {CAMPAIGN: campaign()}, yesterday.postman
    async with Node(tmp_path / "new") as node, connect(node.url_of("operator"), name="test", patience_s=20) as broker:
        await restored(broker, yesterday)
        count, _ = await set_aside(broker, campaigns, Pace(), until=yesterday.lost_at, now=datetime.now(UTC))
        assert await set_aside(broker, campaigns, Pace(), until=yesterday.lost_at, now=datetime.now(UTC)) == (0, [])
        async with working(node.url_of("operator"), postman):
            await eventually(lambda: is_mailed(postman, make_email_id("email-2", LATER)), timeout=60)
            await eventually(lambda: nothing_waits(broker), timeout=60)
        assert set(postman.accepted.values()) == {1}
        history = await EventLog(broker).history(contact_id(BEFORE))
        unknown = [fact.email_id for fact in history if isinstance(fact, EmailUnknown)]
        assert unknown == [make_email_id("email-2", BEFORE)]
        assert count == 1
        assert {timer.contact for timer in await Timers(broker).pending()} == set(
            map(contact_id, (EARLY, BEFORE, LATER))
        )


async def test_the_chat_hears_no_signup_of_the_backup_again_and_once_more_what_still_stands(tmp_path: Path) -> None:
    """Why `KV_alerts` is not in a backup: the notifier's consumer starts from new."""
    async with Sandbox(options=UNLIMITED) as sandbox:
        async with Node(tmp_path / "lost") as node, connect(node.url, name="test", patience_s=20) as broker:
            await topology.init(broker)
            await broker.publish("parked.scheduler.events.x.1", b"{}")
            assert await told(broker, sandbox, EARLY) == ["CRITICAL signup", "MessagesParked"]
            taken = [await backup(broker, stream) for stream in KEPT]
        async with Node(tmp_path / "new") as node, connect(node.url, name="test", patience_s=20) as broker:
            for each in taken:
                await restore(broker, each)
            await topology.init(broker)
            assert await told(broker, sandbox, AFTER) == ["CRITICAL signup", "MessagesParked"]


async def told(broker: Broker, sandbox: Sandbox, person: str) -> list[str]:
    """First lines of what a notifier says when this person signs up, and in five looks."""
    room, before = Room(broker, sandbox), len(sandbox.chat())
    await room.prepare()
    async with room.open():
        await EventLog(broker).append(make_signup(person, at=datetime.now(UTC)))
        await room.is_done()
    await room.watch("MessagesParked").look(5)
    await room.close()
    return [each.text.splitlines()[0].strip("*") for each in sandbox.chat()[before:]]


async def is_mailed(postman: Postman, email_id: str) -> bool:
    return postman.accepted[email_id] > 0


async def nothing_waits(broker: Broker) -> bool:
    """Every fact is planned, and every wake-up looked at."""
    return await is_idle(broker, topology.SCHEDULER) and await is_idle(broker, topology.SENDER)
