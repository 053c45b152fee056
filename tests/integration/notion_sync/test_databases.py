"""Databases that are off, renamed, split, or emptied by a person."""

import pytest
from notion_client import AsyncClient
from structlog.testing import capture_logs

from contracts.operators import HandlingFailed, OperatorRetried
from eventlog.connection import Broker
from eventlog.outcomes import Done, Park, Retry
from eventlog.pages import Page
from services.notion_sync.handlers import Shell, prepare
from services.notion_sync.schema import BUSINESSX, EMAIL_SEQUENCE
from services.notion_sync.upsert import REJECTED
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.options import UNLIMITED, SandboxOptions
from services.sandbox.seed import (
    BUSINESSX_DB_ID,
    EMAIL_SEQUENCE_DATA_SOURCE_ID,
    EMAIL_SEQUENCE_DB_ID,
)
from tests.factories import ADA, at, make_email_sent, make_signup
from tests.integration.notion_sync.kit import (
    CONTACT_KEY,
    ME,
    Clock,
    Make,
    contact_rows,
    counts,
    happen,
    sequence_rows,
    wake,
)


async def test_a_database_without_an_id_is_off(broker: Broker, make_shell: Make, sandbox: Sandbox) -> None:
    with capture_logs() as logs:
        shell = make_shell(notion_email_sequence_db_id=None)
    assert [log["unset"] for log in logs if log["event"] == "notion_database_off"] == [
        "NOTION_EMAIL_SEQUENCE_DB_ID",
        "NOTION_EMAIL_TEMPLATES_DB_ID",
        "NOTION_EMAIL_ANALYTICS_DB_ID",
        "NOTION_EMAIL_QUEUE_DB_ID",
    ]
    assert isinstance(await happen(broker, shell, make_signup()), Done)
    assert counts(sandbox) == (0, 1)


async def test_without_any_id_notion_is_left_in_peace(broker: Broker, make_shell: Make, sandbox: Sandbox) -> None:
    shell = make_shell(notion_email_sequence_db_id=None, notion_businessx_db_id=None)
    await prepare(shell)
    assert isinstance(await happen(broker, shell, make_signup()), Done)
    assert sandbox.requests() == []


async def test_an_id_may_be_a_link(broker: Broker, make_shell: Make, sandbox: Sandbox) -> None:
    bare = BUSINESSX_DB_ID.replace("-", "")
    shell = make_shell(
        notion_businessx_db_id=f"https://www.notion.so/acme/BusinessX-{bare}?v={'0' * 32}",
        notion_email_sequence_db_id=EMAIL_SEQUENCE_DB_ID.replace("-", ""),
    )
    assert isinstance(await happen(broker, shell, make_signup()), Done)
    assert counts(sandbox) == (1, 1)


def test_an_id_that_is_none_is_refused_by_name(make_shell: Make) -> None:
    with pytest.raises(ValueError, match=r"(?i)notion_businessx_db_id"):
        make_shell(notion_businessx_db_id="the contacts one")


async def rename(notion: AsyncClient, old: str, new: str) -> None:
    await notion.data_sources.update(EMAIL_SEQUENCE_DATA_SOURCE_ID, properties={old: {"name": new}})


async def test_a_column_renamed_before_it_was_ever_found_is_named_and_holds_up_only_its_database(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock, notion: AsyncClient
) -> None:
    await rename(notion, "Segment", "Group")
    with capture_logs() as logs:
        await prepare(shell)
        result = await happen(broker, shell, make_signup())
    assert isinstance(result, Retry)
    assert result.after_s == 300
    assert counts(sandbox) == (0, 1)
    [line] = [log for log in logs if log["event"] == "notion_database_does_not_fit"]
    assert (line["database"], line["problems"]) == (EMAIL_SEQUENCE, ["column 'Segment' is missing"])
    assert ADA not in repr(logs)

    await rename(notion, "Group", "Segment")
    clock.advance(300)
    assert isinstance(await wake(shell, make_signup(), attempt=2), Done)
    assert counts(sandbox) == (1, 1)


async def test_a_column_renamed_later_goes_on_being_written_and_is_named(
    broker: Broker, make_shell: Make, sandbox: Sandbox, notion: AsyncClient
) -> None:
    before, signup = make_shell(), make_signup()
    await prepare(before)
    await rename(notion, "Segment", "Group")
    assert isinstance(await happen(broker, before, signup), Done)
    assert sequence_rows(sandbox)[0]["Group"] == "CRITICAL"
    after = make_shell()
    with capture_logs() as logs:
        await prepare(after)
    named = [log["columns"] for log in logs if log["event"] == "notion_columns_renamed"]
    assert named == [{"Segment": "Group"}]
    assert isinstance(await happen(broker, after, make_signup("bob@example.com")), Done)
    assert [row["Group"] for row in sequence_rows(sandbox)] == ["CRITICAL", "CRITICAL"]


async def test_a_database_of_several_sources_is_refused_by_name(
    broker: Broker, shell: Shell, sandbox: Sandbox, notion: AsyncClient
) -> None:
    await notion.data_sources.create(
        parent={"type": "database_id", "database_id": BUSINESSX_DB_ID},
        title=[{"text": {"content": "Archive"}}],
        properties={"Name": {"title": {}}},
    )
    with capture_logs() as logs:
        assert isinstance(await happen(broker, shell, make_signup()), Retry)
    [line] = [log for log in logs if log["event"] == "notion_database_does_not_fit"]
    assert "'Archive'" in line["problems"][0]
    assert counts(sandbox) == (1, 0)


async def test_a_page_in_the_trash_stays_there(
    broker: Broker, shell: Shell, sandbox: Sandbox, notion: AsyncClient
) -> None:
    await happen(broker, shell, make_signup())
    page_id = str(contact_rows(sandbox)[0]["id"])
    await notion.pages.update(page_id, in_trash=True)
    with capture_logs() as logs:
        result = await happen(broker, shell, make_signup(at=at(days=1), first_name="Ada L."))
    assert isinstance(result, Done)
    [line] = [log for log in logs if log["event"] == "notion_page_gone"]
    assert (line["page"], line["database"]) == (page_id, BUSINESSX)
    assert sequence_rows(sandbox)[0]["First Name"] == "Ada L."
    assert counts(sandbox) == (1, 1)


async def test_a_page_that_is_not_there_any_more_is_named_and_left(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    await shell.pages.put(CONTACT_KEY, Page(page_id=nobody, at=clock()), over=0)
    with capture_logs() as logs:
        assert isinstance(await happen(broker, shell, make_signup()), Done)
    assert [log["page"] for log in logs if log["event"] == "notion_page_gone"] == [nobody]
    assert counts(sandbox) == (1, 0)


async def test_a_404_of_a_proxy_is_not_taken_for_a_page_thrown_away(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    await happen(broker, shell, make_signup())
    sandbox.add_fault(Fault("notion", "non_json", Match("PATCH", "/v1/pages/*"), status=404))
    later = make_signup(at=at(days=1), first_name="Ada L.")
    assert isinstance(await happen(broker, shell, later), Retry)
    clock.advance(300)
    assert isinstance(await wake(shell, later, attempt=2), Done)
    assert [row["First Name"] for row in (*sequence_rows(sandbox), *contact_rows(sandbox))] == ["Ada L."] * 2


REFUSED = Fault("notion", "status", Match("POST", "/v1/pages", "Phase 1 Assessment"), status=400, times=9_999)


async def test_a_row_refused_for_good_is_named_once_and_then_kept_for_a_person(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.add_fault(REFUSED)
    with capture_logs() as logs:
        outcome, tries = await happen(broker, shell, make_signup()), 1
        while isinstance(outcome, Retry) and tries < 20:
            clock.advance(outcome.after_s)
            tries += 1
            outcome = await wake(shell, make_signup(), attempt=tries)
    assert outcome == Park("refused by Notion", "BusinessX Canada: validation_error (400)", label="refused_by_notion")
    assert tries == 13  # every five minutes for an hour
    assert [log["key"] for log in logs if log["event"] == "notion_row_refused"] == [CONTACT_KEY]
    assert counts(sandbox) == (1, 0)


async def test_a_parked_row_is_parked_once_more_when_somebody_asks_and_not_by_its_own_echo(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.add_fault(REFUSED)
    await happen(broker, shell, make_signup())
    clock.advance(REJECTED.total_seconds())
    assert isinstance(await wake(shell, make_signup(), attempt=2), Park)
    echo = HandlingFailed(contact=ME, at=clock(), consumer="notion_sync", sequence=1, reason="refused by Notion")
    assert isinstance(await happen(broker, shell, echo), Done)
    asked = OperatorRetried(contact=ME, at=clock(), what="notion_sync.1", by="ops")
    assert isinstance(await happen(broker, shell, asked), Park)
    sandbox.state.faults.clear()
    assert isinstance(await wake(shell, asked), Done)
    assert counts(sandbox) == (1, 1)


async def test_a_row_refused_for_good_holds_up_neither_the_other_row_nor_its_own_change(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.add_fault(REFUSED)
    with capture_logs() as logs:
        await happen(broker, shell, make_signup())
        await happen(broker, shell, make_email_sent())
        assert sequence_rows(sandbox)[0]["Email 1 Sent"]
        changed = make_signup(at=at(days=1), first_name="Ada L.")
        assert isinstance(await happen(broker, shell, changed), Retry)  # another change has an hour of its own
    assert len([log for log in logs if log["event"] == "notion_row_refused"]) == 2
    sandbox.state.faults.clear()
    assert isinstance(await wake(shell, changed, attempt=2), Done)
    assert counts(sandbox) == (1, 1)
    entry = await shell.pages.get(CONTACT_KEY)
    assert entry is not None
    assert entry.value.rejected == ""


async def test_a_database_nobody_shares_any_more_is_named_and_waited_for(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    people = [f"p{n}@example.com" for n in range(5)]
    await happen(broker, shell, make_signup())
    sandbox.options = SandboxOptions(notion_rate=None, notion_unshared=(BUSINESSX_DB_ID,))
    later = make_signup(at=at(days=1), first_name="Ada L.")
    with capture_logs() as logs:
        for fact in (later, *(make_signup(email) for email in people)):
            outcome = await happen(broker, shell, fact)
            assert outcome == Retry(300, "BusinessX Canada: database does not fit", label="notion")
    [line] = [log for log in logs if log["event"] == "notion_database_does_not_fit"]
    assert (line["database"], line["problems"]) == (
        BUSINESSX,
        ["it is not there, or not shared with us any more"],
    )
    assert len(sequence_rows(sandbox)) == 6
    sandbox.options = UNLIMITED
    clock.advance(300)
    for fact in (later, *map(make_signup, people)):
        assert isinstance(await wake(shell, fact, attempt=2), Done)
    assert contact_rows(sandbox)[0]["First Name"] == "Ada L."
    assert counts(sandbox) == (6, 6)
