"""Looking databases over without touching them, on request and at the start of the service."""

import asyncio
from collections.abc import Mapping

import pytest
from notion_client import AsyncClient
from structlog.testing import capture_logs

from services.notion_sync.checkup import Checked, check
from services.notion_sync.handlers import Shell, keep_looking, name_unwritable, prepare
from services.notion_sync.rights import Rights
from services.notion_sync.schema import BUSINESSX, EMAIL_SEQUENCE, HOLD
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.options import UNLIMITED, SandboxOptions
from services.sandbox.seed import BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID
from tests.integration.notion_sync.kit import Clock, counts, until

READ_ONLY = SandboxOptions(notion_rate=None, notion_read_only=True)
BOTH = {EMAIL_SEQUENCE, BUSINESSX}


def other_states(found: Checked) -> Mapping[str, str]:
    return {each.name: each.state for each in found.columns if each.state != "ok"}


async def test_a_database_that_is_right_is_found_right_and_unchanged(shell: Shell, sandbox: Sandbox) -> None:
    await prepare(shell)
    before = sandbox.state.store.notion.sources.copy()
    found = await check(shell.notion, EMAIL_SEQUENCE)
    assert (found.problems, found.rights, other_states(found)) == ((), Rights(update=True, insert=True), {})
    assert found.id == EMAIL_SEQUENCE_DB_ID
    assert {key: each.columns for key, each in sandbox.state.store.notion.sources.items()} == {
        key: each.columns for key, each in before.items()
    }
    assert counts(sandbox) == (0, 0)


async def test_a_renamed_column_is_known_by_what_the_service_remembers(shell: Shell, sandbox: Sandbox) -> None:
    await prepare(shell)
    sandbox.person.rename_columns(EMAIL_SEQUENCE_DB_ID, {"Segment": "Group"})
    found = await check(shell.notion, EMAIL_SEQUENCE)
    assert found.problems == ()
    [column] = [each for each in found.columns if each.state == "renamed"]
    assert (column.name, column.property, str(column)) == ("Segment", "Group", "renamed from 'Segment'")


async def test_missing_and_retyped_columns_are_problems(shell: Shell, sandbox: Sandbox) -> None:
    await prepare(shell)
    sandbox.person.delete_columns(BUSINESSX_DB_ID, ["Phase"])
    sandbox.person.retype_column(BUSINESSX_DB_ID, "GPS Score", "rich_text")
    found = await check(shell.notion, BUSINESSX)
    assert set(found.problems) == {"column 'Phase' is missing", "column 'GPS Score' is rich_text, not number"}


async def test_a_column_the_service_makes_by_itself_is_not_made_by_a_look(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.person.delete_columns(BUSINESSX_DB_ID, [HOLD])
    for _ in range(2):
        found = await check(shell.notion, BUSINESSX)
        assert (found.problems, other_states(found)) == ((), {HOLD: "to come"})
    await prepare(shell)
    assert other_states(await check(shell.notion, BUSINESSX)) == {}


async def test_a_database_of_several_sources_is_named(shell: Shell, notion: AsyncClient) -> None:
    await notion.data_sources.create(
        parent={"type": "database_id", "database_id": BUSINESSX_DB_ID},
        title=[{"text": {"content": "Archive"}}],
        properties={"Name": {"title": {}}},
    )
    assert (await check(shell.notion, BUSINESSX)).problems == (
        "needs one data source and has: 'BusinessX Canada', 'Archive'",
    )


async def test_a_database_in_the_trash_or_not_shared_is_named(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.person.trash_database(BUSINESSX_DB_ID)
    assert (await check(shell.notion, BUSINESSX)).problems == ("it is in the trash",)
    sandbox.options = SandboxOptions(notion_rate=None, notion_unshared=(BUSINESSX_DB_ID,))
    [problem] = (await check(shell.notion, BUSINESSX)).problems
    assert "not shared" in problem


async def test_a_token_that_may_not_write_is_told_so(shell: Shell, sandbox: Sandbox) -> None:
    await prepare(shell)
    sandbox.options = READ_ONLY
    found = await check(shell.notion, EMAIL_SEQUENCE)
    assert found.rights == Rights(update=False, insert=False)
    assert len(found.problems) == 2


@pytest.mark.parametrize(
    ("match", "rights"),
    [
        (Match("POST", "/v1/pages"), Rights(update=True, insert=False)),
        (Match("PATCH", "/v1/data_sources/*"), Rights(update=False, insert=True)),
    ],
    ids=["insert", "update"],
)
async def test_each_right_is_found_out_by_itself(shell: Shell, sandbox: Sandbox, match: Match, rights: Rights) -> None:
    await prepare(shell)
    sandbox.add_fault(Fault("notion", "status", match, status=403))
    assert (await check(shell.notion, EMAIL_SEQUENCE)).rights == rights


def unwritable(logs: list[dict[str, object]]) -> list[object]:
    return [log["database"] for log in logs if log["event"] == "notion_may_not_write"]


async def test_the_service_says_at_its_start_where_it_may_not_write_and_only_once(
    shell: Shell, sandbox: Sandbox
) -> None:
    await prepare(shell)
    sandbox.options = READ_ONLY
    with capture_logs() as logs:
        looking = asyncio.create_task(keep_looking(shell, every_s=0.01))
        reads = len(sandbox.requests())
        await until(lambda: len(sandbox.requests()) > reads + 40)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert set(unwritable(list(map(dict, logs)))) == BOTH
    assert len(unwritable(list(map(dict, logs)))) == len(BOTH)
    tried = [entry.method for entry in sandbox.requests()[reads:] if entry.method != "GET"]
    assert sorted(tried) == ["PATCH", "PATCH", "POST", "POST"]


async def test_a_database_that_nobody_could_ask_is_asked_at_the_next_look(
    shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    await prepare(shell)
    sandbox.add_fault(Fault("notion", "status", Match("PATCH", "/v1/data_sources/*"), status=503))
    with capture_logs() as logs:
        left = await name_unwritable(BOTH, shell)
        assert left == BOTH  # all are left in peace after the first
        clock.advance(60)
        sandbox.options = READ_ONLY
        assert await name_unwritable(left, shell) == set()
    assert set(unwritable(list(map(dict, logs)))) == BOTH
    sandbox.options = UNLIMITED
