"""Whatever crashes, repeats or races, a person has one page."""

import asyncio
from typing import Any

import pytest

from contracts.facts import AnyFact
from contracts.subjects import PAGES, stream_of
from eventlog import topology
from eventlog.connection import Broker
from eventlog.outcomes import Done, Retry
from eventlog.pages import Page
from journey.contact import fold
from journey.plan import Pace
from services.notion_sync.handlers import Shell
from services.notion_sync.projection import rows_for
from services.notion_sync.row import Row
from services.notion_sync.turns import HOLD_S
from services.notion_sync.upsert import IN_DOUBT, upsert
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.options import SandboxOptions
from tests.factories import make_email_sent, make_signup
from tests.integration.notion_sync.kit import (
    CONTACT_KEY,
    ME,
    Clock,
    Make,
    append,
    campaigns,
    contact_rows,
    counts,
    happen,
    sequence_rows,
    until,
    wake,
    written,
)


@pytest.mark.parametrize("action", ["timeout_after_accept", "reset"])
async def test_a_create_nobody_heard_of_makes_no_second_page(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock, action: Any
) -> None:
    sandbox.options = SandboxOptions(notion_rate=None, notion_query_lag_s=30)
    sandbox.add_fault(Fault("notion", action, Match("POST", "/v1/pages"), times=2))
    assert isinstance(await happen(broker, shell, make_signup()), Retry)
    clock.advance(HOLD_S[0])
    assert isinstance(await wake(shell, make_signup(), attempt=2), Retry)  # now the other row as well
    assert written(sandbox) == ["POST", "POST"]
    asked = len(sandbox.requests())

    clock.advance(20)
    result = await wake(shell, make_signup(), attempt=3)
    assert result == Retry(IN_DOUBT.total_seconds() - 21, "an earlier create may have been accepted", label="in_doubt")
    assert len(sandbox.requests()) == asked

    sandbox.state.faults.clear()
    clock.advance(70)
    assert isinstance(await wake(shell, make_signup(), attempt=3), Done)
    assert counts(sandbox) == (1, 1)
    assert isinstance(await wake(shell, make_signup(), attempt=4), Done)
    assert counts(sandbox) == (1, 1)


async def test_a_create_that_was_refused_is_tried_again_without_a_wait(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.add_fault(Fault("notion", "status", Match("POST", "/v1/pages"), status=409))
    assert await happen(broker, shell, make_signup()) == Retry(
        5, "Email Sequence: conflict_error (409)", label="notion"
    )
    clock.advance(5)
    assert isinstance(await wake(shell, make_signup(), attempt=2), Done)
    assert counts(sandbox) == (1, 1)


async def test_a_crash_between_page_and_record_makes_no_second_page(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    await happen(broker, shell, make_signup())
    await shell.pages.put(CONTACT_KEY, Page(at=clock()), over=None)
    clock.advance(IN_DOUBT.total_seconds())
    assert isinstance(await wake(shell, make_signup()), Done)
    assert counts(sandbox) == (1, 1)
    entry = await shell.pages.get(CONTACT_KEY)
    assert entry is not None
    assert entry.value.page_id == contact_rows(sandbox)[0]["id"]


async def test_two_at_once_make_one_page(broker: Broker, make_shell: Make, sandbox: Sandbox) -> None:
    shells = [make_shell() for _ in range(4)]
    await append(broker, make_signup())
    results = await asyncio.gather(*(wake(shell, make_signup()) for shell in shells))
    assert counts(sandbox) == (1, 1)
    assert any(isinstance(result, Retry) for result in results)
    for shell in shells:
        assert isinstance(await wake(shell, make_signup(), attempt=2), Done)
    assert counts(sandbox) == (1, 1)
    assert written(sandbox).count("POST") == 2


async def test_an_older_view_never_stays_on_the_page(broker: Broker, make_shell: Make, sandbox: Sandbox) -> None:
    """Its write arrives last, and whoever wrote it notices."""
    one, other = make_shell(), make_shell()
    await happen(broker, one, make_signup())

    def view(*facts: AnyFact) -> Row:
        return rows_for(fold(ME, [make_signup(), *facts]), campaigns(), Pace())[0]

    older = view(make_email_sent("email-1"))
    newer = view(make_email_sent("email-1"), make_email_sent("email-2"))
    sandbox.add_fault(Fault("notion", "slow", Match("PATCH"), delay_s=3))
    late = asyncio.create_task(upsert(older, one))
    await until(lambda: any(fault.used for fault in sandbox.state.faults.all))
    assert isinstance(await upsert(newer, other), Done)
    assert isinstance(await late, Retry)
    assert isinstance(await upsert(newer, one), Done)
    assert sequence_rows(sandbox)[0]["Email 2 Sent"] is not None


async def test_without_its_bucket_a_replay_makes_no_second_page(broker: Broker, shell: Shell, sandbox: Sandbox) -> None:
    facts = make_signup(), make_email_sent()
    await happen(broker, shell, *facts)
    before = sandbox.notion_rows()
    await broker.js.delete_stream(stream_of(PAGES))
    await topology.init(broker)
    assert isinstance(await wake(shell, *facts), Done)
    assert sandbox.notion_rows() == before
