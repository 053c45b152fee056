"""`dripstream notion rebuild` and `drift`, as an operator meets them after a loss."""

import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.subjects import PAGES, stream_of
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.server import NatsServer
from services.notion_sync.schema import BUSINESSX, EMAIL_SEQUENCE, QUEUE
from services.sandbox.app import Sandbox
from services.sandbox.options import UNLIMITED, SandboxOptions
from services.sandbox.seed import BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID
from tests.e2e.processes import Machine
from tests.factories import ADA, make_email_sent, make_signup
from tests.waiting import eventually

PARENT = "0123456789abcdef0123456789abcdef"
BEA = "bea@example.com"
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(options=UNLIMITED) as running:
        yield running


@pytest.fixture
async def office(here: Machine, sandbox: Sandbox, nats_server: NatsServer, broker: Broker) -> Machine:
    """Five databases, two people's facts, and nothing shown yet."""
    here.environment |= {
        "NATS_URL": nats_server.url,
        "NOTION_TOKEN": "ntn_test",
        "NOTION_API_URL": sandbox.url,
        "NOTION_RATE_LIMIT": "1000",
    }
    made = await here.run("notion", "init", "--parent", PARENT)
    (here.folder / ".env").write_text(made.out)
    for email in (ADA, BEA):
        for fact in (make_signup(email), make_email_sent("email-1", email)):
            await EventLog(broker).append(fact)
    return here


def shown(sandbox: Sandbox) -> Rows:
    """Without ids, and what points to ids."""
    return {
        name: sorted(({k: v for k, v in row.items() if k not in {"id", "Customer"}} for row in rows), key=str)
        for name, rows in sandbox.notion_rows().items()
    }


def ids(machine: Machine) -> dict[str, str]:
    return dict(line.split("=") for line in (machine.folder / ".env").read_text().splitlines())


async def test_after_a_loss_every_row_is_back_and_drift_is_silent(office: Machine, sandbox: Sandbox) -> None:
    assert (await office.run("notion", "drift")).code == 1
    first = await office.run("notion", "rebuild")
    assert first.code == 0
    rows = shown(sandbox)
    assert len(rows[QUEUE]) == 14
    drift = await office.run("notion", "drift")
    assert drift.code == 0
    assert [line.partition(":")[0] for line in drift.out.splitlines()] == list(ids_in_order())

    for database in ids(office).values():
        sandbox.person.clear(database)
    assert (await office.run("notion", "drift")).code == 1
    assert (await office.run("notion", "rebuild")).code == 0
    assert shown(sandbox) == rows
    assert (await office.run("notion", "drift")).code == 0


def ids_in_order() -> tuple[str, ...]:
    return EMAIL_SEQUENCE, BUSINESSX, "Email Analytics", QUEUE


async def test_a_dry_run_tells_each_difference_and_writes_nothing(
    office: Machine, sandbox: Sandbox, broker: Broker
) -> None:
    known = (await broker.js.stream_info(stream_of(PAGES))).state.last_seq
    nothing = await office.run("notion", "rebuild", "--dry-run")
    assert nothing.code == 0
    assert "Ada - Christmas 2025: missing: to be created" in nothing.out
    assert all(not rows for rows in sandbox.notion_rows().values())
    assert (await broker.js.stream_info(stream_of(PAGES))).state.last_seq == known

    await office.run("notion", "rebuild")
    [page] = [row["id"] for row in sandbox.notion_rows()[BUSINESSX] if row["Email"] == ADA]
    sandbox.person.edit(str(page), {"Segment": "OTHER"})
    before = shown(sandbox), (await broker.js.stream_info(stream_of(PAGES))).state.last_seq
    answer = await office.run("notion", "rebuild", "--dry-run", "--contact", ADA)
    assert "BusinessX Canada Ada: differs" in answer.out
    assert "    Segment: OTHER → CRITICAL" in answer.out
    documents = (await office.run("notion", "rebuild", "--dry-run", "--json")).out.splitlines()
    assert json.loads(documents[0])["changes"] == {"Segment": {"shown": "OTHER", "wanted": "CRITICAL"}}
    assert (shown(sandbox), (await broker.js.stream_info(stream_of(PAGES))).state.last_seq) == before
    assert ADA not in answer.err


async def test_thrown_away_rows_are_left_and_said_where_nobody_can_be_asked(office: Machine, sandbox: Sandbox) -> None:
    await office.run("notion", "rebuild")
    rows = shown(sandbox)
    [page] = [row["id"] for row in sandbox.notion_rows()[EMAIL_SEQUENCE] if row["Email"] == ADA]
    sandbox.person.trash(str(page))
    left = await office.run("notion", "rebuild")
    assert left.code == 1
    assert "1 rows were thrown away by hand and are left so; --recreate brings them back" in left.err
    assert shown(sandbox) != rows
    again = await office.run("notion", "rebuild", "--recreate", "--by", "grace", "--why", "thrown away by mistake")
    assert again.code == 0
    assert shown(sandbox) == rows
    assert (await office.run("notion", "rebuild")).code == 0
    facts = [
        json.loads(line)["fact"] for line in (await office.run("export", "--type", "operator_acted")).out.splitlines()
    ]
    assert [(each["about"], each["by"], each["why"]) for each in facts if each["did"] == "rebuild"][1:] == [
        ("rows thrown away too", "grace", "thrown away by mistake")
    ], "where nothing is done, nothing is written"


async def test_interrupted_it_goes_on_when_it_is_run_again(office: Machine, sandbox: Sandbox) -> None:
    async def begun() -> bool:
        return sum(len(rows) for rows in sandbox.notion_rows().values()) >= 3

    running = office.start("notion", "rebuild", NOTION_RATE_LIMIT="4")
    await eventually(begun)
    assert await running.stop(signal.SIGINT) == 130
    assert "it goes on where it was" in running.err
    assert (await office.run("notion", "rebuild")).code == 0
    assert sum(len(rows) for rows in sandbox.notion_rows().values()) == 2 * (2 + 7 + 1)


async def test_where_the_token_may_not_write_one_line_says_so(office: Machine, sandbox: Sandbox) -> None:
    sandbox.options = SandboxOptions(notion_rate=None, notion_read_only=True)
    answer = await office.run("notion", "rebuild")
    assert answer.code == 1
    assert answer.err.splitlines()[-1] == "dripstream: Notion refuses (restricted_resource (403))"
    assert ids(office)["NOTION_BUSINESSX_DB_ID"] != BUSINESSX_DB_ID
    assert ids(office)["NOTION_EMAIL_SEQUENCE_DB_ID"] != EMAIL_SEQUENCE_DB_ID
