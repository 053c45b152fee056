"""Databases that are off, renamed, split, or emptied by a person."""

import pytest
from notion_client import AsyncClient
from structlog.testing import capture_logs

from eventlog.connection import Broker
from eventlog.consume import Done, Retry
from eventlog.pages import Page
from services.notion_sync.handlers import Shell, prepare
from services.notion_sync.projection import BUSINESSX, EMAIL_SEQUENCE
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.seed import (
    BUSINESSX_DB_ID,
    EMAIL_SEQUENCE_DATA_SOURCE_ID,
    EMAIL_SEQUENCE_DB_ID,
)
from tests.factories import ADA, at, make_signup
from tests.integration.notion_sync.kit import (
    CONTACT_KEY,
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
    assert [log["unset"] for log in logs if log["event"] == "notion_database_off"] == ["NOTION_EMAIL_SEQUENCE_DB_ID"]
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


@pytest.mark.parametrize("ready", [False, True], ids=["before the start", "while running"])
async def test_a_renamed_column_is_named_and_holds_up_only_its_database(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock, notion: AsyncClient, *, ready: bool
) -> None:
    if ready:
        await prepare(shell)
    await rename(notion, "Segment", "Group")
    with capture_logs() as logs:
        if not ready:
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


async def test_a_database_nobody_shares_any_more_is_waited_for(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    await happen(broker, shell, make_signup())
    for path in (f"/v1/databases/{BUSINESSX_DB_ID}", f"/v1/pages/{contact_rows(sandbox)[0]['id']}"):
        sandbox.add_fault(Fault("notion", "status", Match(path=path), status=404, times=3))
    later = make_signup(at=at(days=1), first_name="Ada L.")
    assert await happen(broker, shell, later) == Retry(300, "BusinessX Canada: object_not_found (404)")
    sandbox.state.faults.clear()
    clock.advance(300)
    assert isinstance(await wake(shell, later, attempt=2), Done)
    assert contact_rows(sandbox)[0]["First Name"] == "Ada L."
