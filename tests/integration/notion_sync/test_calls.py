"""Bookings in, the contact's row in Notion out: with a signup, before one, and without."""

from collections.abc import Mapping
from typing import Any

import pytest
from notion_client import AsyncClient
from structlog.testing import capture_logs

from eventlog.connection import Broker
from eventlog.outcomes import Done, Retry
from services.notion_sync.handlers import Shell, prepare
from services.notion_sync.schema import BUSINESSX
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.seed import BUSINESSX_DATA_SOURCE_ID
from tests.factories import (
    ADA,
    at,
    make_booking_cancelled,
    make_booking_created,
    make_booking_rescheduled,
    make_chain,
    make_signup,
)
from tests.integration.notion_sync.kit import (
    Clock,
    Make,
    Watched,
    append,
    contact_rows,
    counts,
    happen,
    wake,
    written,
)

CALLS = ("Booking Status", "Diagnostic Call Date")
SOURCE = f"/v1/data_sources/{BUSINESSX_DATA_SOURCE_ID}"


async def drop(notion: AsyncClient, *names: str) -> None:
    properties: dict[str, Any] = dict.fromkeys(names)
    await notion.data_sources.update(BUSINESSX_DATA_SOURCE_ID, properties=properties)


async def columns(notion: AsyncClient) -> Mapping[str, Any]:
    source: dict[str, Any] = await notion.data_sources.retrieve(BUSINESSX_DATA_SOURCE_ID)
    found: Mapping[str, Any] = source["properties"]
    return found


def changes(sandbox: Sandbox) -> int:
    """How often somebody changed the columns."""
    return sum((entry.method, entry.path) == ("PATCH", SOURCE) for entry in sandbox.requests())


async def test_a_booking_of_a_stranger_makes_one_row(broker: Broker, shell: Shell, sandbox: Sandbox) -> None:
    assert isinstance(await happen(broker, shell, make_booking_created()), Done)
    assert counts(sandbox) == (0, 1)
    [row] = contact_rows(sandbox)
    assert {name: value for name, value in row.items() if value not in (None, "", False)} == {
        "id": row["id"],
        "Name": "Ada Lovelace",
        "First Name": "Ada",
        "Email": ADA,
        "Christmas Campaign Status": "Pre-Call Prep",
        "Booking Status": "Booked",
        "Diagnostic Call Date": row["Diagnostic Call Date"],
    }


async def test_a_call_shows_from_when_to_when(
    broker: Broker, shell: Shell, sandbox: Sandbox, notion: AsyncClient
) -> None:
    call = make_booking_created()
    await happen(broker, shell, call)
    page: Any = await notion.pages.retrieve(str(contact_rows(sandbox)[0]["id"]))
    shown = page["properties"]["Diagnostic Call Date"]["date"]
    assert [type(call.start).fromisoformat(shown[end]) for end in ("start", "end")] == [call.start, call.end]
    assert shown["start"].endswith(("-05:00", "-04:00"))


async def test_the_row_follows_the_call(broker: Broker, shell: Shell, sandbox: Sandbox) -> None:
    await happen(broker, shell, make_signup())
    seen = []
    for fact in (make_booking_created(), make_booking_rescheduled(), make_booking_cancelled("b2")):
        assert isinstance(await happen(broker, shell, fact), Done)
        [row] = contact_rows(sandbox)
        seen.append((row["Booking Status"], row["Christmas Campaign Status"], row["Diagnostic Call Date"]))
    assert [each[:2] for each in seen] == [
        ("Booked", "Pre-Call Prep"),
        ("Rescheduled", "Pre-Call Prep"),
        ("Cancelled", "Nurture Sequence"),
    ]
    booked, moved, cancelled = (each[2] for each in seen)
    assert booked != moved == cancelled
    assert written(sandbox) == ["POST", "POST", "PATCH", "PATCH", "PATCH"]


async def test_a_signup_after_the_booking_fills_the_same_row(broker: Broker, shell: Shell, sandbox: Sandbox) -> None:
    await happen(broker, shell, make_booking_created())
    before = contact_rows(sandbox)[0]["id"]
    await happen(broker, shell, make_signup(at=at(hours=1)))
    assert counts(sandbox) == (1, 1)
    [row] = contact_rows(sandbox)
    assert row["id"] == before
    assert (row["Assessment Score"], row["Segment"], row["Booking Status"]) == (42, "CRITICAL", "Booked")


async def test_an_imported_row_keeps_what_a_booking_does_not_tell(
    broker: Broker, shell: Shell, sandbox: Sandbox, notion: AsyncClient
) -> None:
    page: Any = await notion.pages.create(
        parent={"type": "data_source_id", "data_source_id": BUSINESSX_DATA_SOURCE_ID},
        properties={
            "Email": {"email": ADA},
            "Assessment Score": {"number": 61},
            "Phase": {"select": {"name": "Phase 2"}},
        },
    )
    await happen(broker, shell, make_booking_created())
    [row] = contact_rows(sandbox)
    assert (row["id"], row["Assessment Score"], row["Phase"]) == (page["id"], 61, "Phase 2")
    assert row["Booking Status"] == "Booked"


async def test_a_create_nobody_heard_of_makes_no_second_row(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.add_fault(Fault("notion", "timeout_after_accept", Match("POST", "/v1/pages")))
    first = await happen(broker, shell, make_booking_created())
    assert isinstance(first, Retry)
    clock.advance(100)
    assert isinstance(await wake(shell, make_booking_created(), attempt=2), Done)
    assert counts(sandbox) == (0, 1)


async def test_a_whole_life_in_one_batch_is_one_write(broker: Broker, shell: Shell, sandbox: Sandbox) -> None:
    await append(broker, *make_chain("moved", "moved", "cancelled"))
    await Watched().run(broker, shell, until=4)
    assert written(sandbox) == ["POST"]
    assert contact_rows(sandbox)[0]["Booking Status"] == "Cancelled"


async def test_missing_columns_of_calls_are_made(
    broker: Broker, shell: Shell, sandbox: Sandbox, notion: AsyncClient
) -> None:
    await drop(notion, *CALLS)
    with capture_logs() as logs:
        await prepare(shell)
    [line] = [log for log in logs if log["event"] == "notion_columns_added"]
    assert (line["database"], line["columns"]) == (BUSINESSX, list(CALLS))
    found = await columns(notion)
    assert [each["name"] for each in found["Booking Status"]["select"]["options"]] == [
        "Booked",
        "Rescheduled",
        "Cancelled",
        "No-show",
        "Completed",
    ]
    assert found["Diagnostic Call Date"]["type"] == "date"
    assert isinstance(await happen(broker, shell, make_booking_created()), Done)
    assert contact_rows(sandbox)[0]["Booking Status"] == "Booked"


async def test_a_column_that_is_there_is_left_alone(shell: Shell, sandbox: Sandbox, notion: AsyncClient) -> None:
    await drop(notion, "Diagnostic Call Date")
    options = {"Booking Status": {"select": {"options": [{"name": "Waiting"}]}}}
    await notion.data_sources.update(BUSINESSX_DATA_SOURCE_ID, properties=options)
    before = changes(sandbox)
    await prepare(shell)
    assert changes(sandbox) == before + 1
    found = await columns(notion)
    assert [each["name"] for each in found["Booking Status"]["select"]["options"]] == ["Waiting"]


async def test_no_other_column_is_made(shell: Shell, sandbox: Sandbox, notion: AsyncClient) -> None:
    await drop(notion, "Segment", "Booking Status")
    with capture_logs() as logs:
        await prepare(shell)
    assert "Segment" not in await columns(notion)
    [line] = [log for log in logs if log["event"] == "notion_database_does_not_fit"]
    assert line["problems"] == ["column 'Segment' is missing"]


async def test_nothing_is_changed_where_nothing_is_missing(shell: Shell, sandbox: Sandbox) -> None:
    await prepare(shell)
    assert changes(sandbox) == 0


async def test_a_column_deleted_while_running_is_made_again(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock, notion: AsyncClient
) -> None:
    await happen(broker, shell, make_booking_created())
    await drop(notion, "Booking Status")
    moved = make_booking_rescheduled()
    assert isinstance(await happen(broker, shell, moved), Retry)
    clock.advance(300)
    assert isinstance(await wake(shell, moved, attempt=2), Done)
    assert contact_rows(sandbox)[0]["Booking Status"] == "Rescheduled"


@pytest.mark.parametrize("status", [400, 403])
async def test_columns_we_may_not_make_are_named_and_hold_up_only_their_database(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock, notion: AsyncClient, status: int
) -> None:
    await drop(notion, *CALLS)
    sandbox.add_fault(Fault("notion", "status", Match("PATCH", SOURCE), status=status, times=1))
    with capture_logs() as logs:
        first = await happen(broker, shell, make_signup(), make_booking_created())
    assert first == Retry(300, "BusinessX Canada: database does not fit", label="notion")
    assert counts(sandbox) == (1, 0)
    [line] = [log for log in logs if log["event"] == "notion_database_does_not_fit"]
    assert line["problems"] == [f"column {name!r} is missing" for name in CALLS]
    clock.advance(300)
    assert isinstance(await wake(shell, make_booking_created(), attempt=2), Done)
    assert counts(sandbox) == (1, 1)


@pytest.mark.parametrize("action", ["status", "timeout_after_accept"])
async def test_trouble_while_columns_are_made_passes(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock, notion: AsyncClient, action: Any
) -> None:
    await drop(notion, *CALLS)
    sandbox.add_fault(Fault("notion", action, Match("PATCH", SOURCE), status=503))
    first = await happen(broker, shell, make_booking_created())
    assert isinstance(first, Retry)
    clock.advance(first.after_s)
    assert isinstance(await wake(shell, make_booking_created(), attempt=2), Done)
    assert counts(sandbox) == (0, 1)


async def test_two_may_make_the_same_columns_at_once(
    broker: Broker, make_shell: Make, sandbox: Sandbox, notion: AsyncClient
) -> None:
    await drop(notion, *CALLS)
    people = [f"p{n}@example.com" for n in range(6)]
    await append(broker, *(make_booking_created(f"b{n}", email) for n, email in enumerate(people)))
    await Watched().run(broker, make_shell(), make_shell(), until=6)
    assert counts(sandbox) == (0, 6)
    found = await columns(notion)
    assert len(found["Booking Status"]["select"]["options"]) == 5
    assert found["Diagnostic Call Date"]["type"] == "date"
