"""People's own hands in Notion: a tick, a status, a name. What they meant becomes a fact, and only that does."""

import asyncio
from collections.abc import Sequence

import pytest
from notion_client import AsyncClient

from contracts.base import Fact
from contracts.facts import AnyFact
from contracts.operators import ContactCorrected, OperatorCancelled, OperatorHeld, OperatorIntent, OperatorResumed
from eventlog.connection import Broker, Unavailable
from eventlog.log import EventLog
from eventlog.outcomes import Done
from services.notion_sync.answers import Refusal
from services.notion_sync.handlers import Shell
from services.notion_sync.schema import BUSINESSX, EMAIL_SEQUENCE, QUEUE, Database
from services.notion_sync.watch import WATCHED, look, on_page
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.notion_model import PERSON_ID
from services.sandbox.seed import BUSINESSX_DB_ID
from tests.factories import (
    CAMPAIGN,
    at,
    make_booking_created,
    make_email_id,
    make_email_sent,
    make_held,
    make_signup,
)
from tests.integration.notion_sync.kit import ME, Clock, Make, contact_rows, happen, sequence_rows, wake, written
from tests.integration.notion_sync.office import make_databases, queue, table


@pytest.fixture
async def full(make_shell: Make, notion: AsyncClient) -> Shell:
    """With all databases on."""
    return make_shell(**await make_databases(notion))


async def looked(broker: Broker, shell: Shell) -> int:
    """One round of looking; how many facts came of it."""
    return sum([await look(broker, each, shell) for each in WATCHED if each in shell.notion.databases])


async def said(broker: Broker, *kinds: type[Fact]) -> list[AnyFact]:
    return [fact for fact in await EventLog(broker).history(ME) if isinstance(fact, kinds or Fact)]


async def heard(broker: Broker, shell: Shell) -> Sequence[AnyFact]:
    """A look, and then what notion_sync does with what came of it."""
    before = await said(broker)
    assert await looked(broker, shell) > 0
    facts = [fact for fact in await said(broker) if fact not in before]
    assert isinstance(await wake(shell, *facts), Done)
    return facts


def page(sandbox: Sandbox, database: Database) -> str:
    return str(table(sandbox, database)[0]["id"])


async def test_nobody_touched_anything_and_nothing_is_heard(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    await happen(broker, full, make_signup(), make_booking_created())
    await happen(broker, full, make_email_sent("email-1", at=at(minutes=1)))
    before = len(written(sandbox))
    assert await looked(broker, full) == 0
    assert await looked(broker, full) == 0
    assert len(written(sandbox)) == before
    assert await said(broker, OperatorIntent, ContactCorrected) == []


@pytest.mark.parametrize(("database", "what"), [(BUSINESSX, ME), (EMAIL_SEQUENCE, f"{ME}.{CAMPAIGN}")])
async def test_a_tick_holds_and_taking_it_off_resumes(
    broker: Broker, full: Shell, sandbox: Sandbox, clock: Clock, database: Database, what: str
) -> None:
    await happen(broker, full, make_signup())
    clock.advance(600)
    sandbox.person.edit(page(sandbox, database), {"Hold": True})
    [held] = await heard(broker, full)
    assert isinstance(held, OperatorHeld)
    assert (held.what, held.by, held.at) == (what, f"notion:{PERSON_ID}", clock())
    assert {row["Status"] for row in queue(sandbox).values()} == {"held"}
    assert await looked(broker, full) == 0

    clock.advance(600)
    sandbox.person.edit(page(sandbox, database), {"Hold": False})
    [resumed] = await heard(broker, full)
    assert isinstance(resumed, OperatorResumed)
    assert resumed.what == what
    assert {row["Status"] for row in queue(sandbox).values()} == {"queued"}
    assert await looked(broker, full) == 0


@pytest.mark.parametrize(("status", "kind"), [("held", OperatorHeld), ("cancelled", OperatorCancelled)])
async def test_a_status_by_hand_is_about_that_email_alone(
    broker: Broker, full: Shell, sandbox: Sandbox, status: str, kind: type[Fact]
) -> None:
    await happen(broker, full, make_signup())
    sandbox.person.edit(str(queue(sandbox)["email-3"]["id"]), {"Status": status})
    [fact] = await heard(broker, full)
    assert isinstance(fact, kind)
    assert isinstance(fact, OperatorIntent)
    assert fact.what == make_email_id("email-3")
    assert {step: row["Status"] for step, row in queue(sandbox).items() if row["Status"] != "queued"} == {
        "email-3": status
    }
    sandbox.person.edit(str(queue(sandbox)["email-3"]["id"]), {"Status": "queued"})
    assert [type(each) for each in await heard(broker, full)] == [OperatorResumed]
    assert {row["Status"] for row in queue(sandbox).values()} == {"queued"}


async def test_a_status_that_is_no_wish_is_put_right(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    await happen(broker, full, make_signup(), make_email_sent("email-1"))
    sandbox.person.edit(str(queue(sandbox)["email-1"]["id"]), {"Status": "cancelled"})
    sandbox.person.edit(str(queue(sandbox)["email-2"]["id"]), {"Status": "sent"})
    assert await looked(broker, full) == 0
    assert (queue(sandbox)["email-1"]["Status"], queue(sandbox)["email-2"]["Status"]) == ("sent", "queued")
    assert await said(broker, OperatorIntent) == []


@pytest.mark.parametrize("database", [BUSINESSX, EMAIL_SEQUENCE])
async def test_a_corrected_name_is_a_fact_and_shows_everywhere(
    broker: Broker, full: Shell, sandbox: Sandbox, database: Database
) -> None:
    await happen(broker, full, make_signup(first_name="ADA", business_name=None))
    sandbox.person.edit(page(sandbox, database), {"First Name": "Ada", "Business Name": "Engines Ltd"})
    facts = await heard(broker, full)
    assert [(fact.field, fact.was, fact.value) for fact in facts if isinstance(fact, ContactCorrected)] == [
        ("business_name", "", "Engines Ltd"),
        ("first_name", "ADA", "Ada"),
    ]
    for row in (sequence_rows(sandbox)[0], contact_rows(sandbox)[0]):
        assert (row["First Name"], row["Business Name"]) == ("Ada", "Engines Ltd")
    assert {row["First Name"] for row in queue(sandbox).values()} == {"Ada"}
    assert await looked(broker, full) == 0


async def test_what_somebody_is_changing_is_not_written_over(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    """A fact arrives between the tick and the look: the row is written, and the tick stays."""
    await happen(broker, full, make_signup())
    sandbox.person.edit(page(sandbox, BUSINESSX), {"Hold": True, "First Name": "Augusta"})
    await happen(broker, full, make_booking_created())
    row = contact_rows(sandbox)[0]
    assert (row["Booking Status"], row["Hold"], row["First Name"]) == ("Booked", True, "Augusta")
    facts = await heard(broker, full)
    assert [(type(fact), getattr(fact, "by", "")) for fact in facts] == [
        (ContactCorrected, "notion"),
        (OperatorHeld, "notion"),
    ]


async def test_a_hold_from_elsewhere_shows_as_a_tick_and_is_nobodys_hand(
    broker: Broker, full: Shell, sandbox: Sandbox
) -> None:
    await happen(broker, full, make_signup())
    await happen(broker, full, make_held())
    assert contact_rows(sandbox)[0]["Hold"] is True
    assert await looked(broker, full) == 0
    sandbox.person.edit(page(sandbox, BUSINESSX), {"Hold": False})
    assert [type(fact) for fact in await heard(broker, full)] == [OperatorResumed]


async def test_two_that_look_at_once_make_one_fact(
    broker: Broker, make_shell: Make, sandbox: Sandbox, notion: AsyncClient
) -> None:
    ids = await make_databases(notion)
    one, other = make_shell(**ids), make_shell(**ids)
    await happen(broker, one, make_signup())
    sandbox.person.edit(page(sandbox, BUSINESSX), {"Hold": True})
    await asyncio.gather(looked(broker, one), looked(broker, other))
    assert len(await said(broker, OperatorIntent)) == 1


async def test_a_look_that_stopped_after_the_fact_is_repeated_without_a_second_one(
    broker: Broker, full: Shell, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await happen(broker, full, make_signup())
    sandbox.person.edit(page(sandbox, BUSINESSX), {"Hold": True})

    async def stop(*_: object) -> None:
        raise Unavailable("the broker went away")

    with monkeypatch.context() as patched:
        patched.setattr("services.notion_sync.watch._note", stop)
        with pytest.raises(Unavailable):
            await looked(broker, full)
    await looked(broker, full)
    assert len(await said(broker, OperatorIntent)) == 1
    assert await looked(broker, full) == 0


async def test_only_what_was_edited_since_is_looked_at(
    broker: Broker, full: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    await happen(broker, full, make_signup())
    await looked(broker, full)
    clock.advance(3600)
    for number in range(3):
        await happen(broker, full, make_signup(f"p{number}@example.com"))
    await looked(broker, full)
    clock.advance(3600)
    before = len(sandbox.requests())
    await looked(broker, full)
    asked = sandbox.requests()[before:]
    assert len(asked) == len(WATCHED)
    assert await looked(broker, full) == 0


async def test_a_page_of_nobodys_is_left_alone(
    broker: Broker, full: Shell, sandbox: Sandbox, notion: AsyncClient
) -> None:
    await happen(broker, full, make_signup())
    source = await full.notion.table(BUSINESSX)
    await notion.pages.create(
        parent={"type": "data_source_id", "data_source_id": source.source_id},
        properties={"Name": {"title": [{"text": {"content": "a note"}}]}, "Hold": {"checkbox": True}},
    )
    assert await looked(broker, full) == 0
    assert await said(broker, OperatorIntent) == []


async def test_a_tick_on_a_page_that_is_taken_over_is_heard(
    broker: Broker, full: Shell, sandbox: Sandbox, notion: AsyncClient
) -> None:
    """It was there before us; who ticked Hold there meant it."""
    source = await full.notion.table(BUSINESSX)
    await notion.pages.create(
        parent={"type": "data_source_id", "data_source_id": source.source_id},
        properties={"Email": {"email": "ada@example.com"}, "Hold": {"checkbox": True}},
    )
    await happen(broker, full, make_signup())
    assert contact_rows(sandbox)[0]["Hold"] is True
    assert [type(fact) for fact in await heard(broker, full)] == [OperatorHeld]


async def test_trouble_while_looking_loses_no_hand(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    await happen(broker, full, make_signup())
    sandbox.person.edit(str(queue(sandbox)["email-2"]["id"]), {"Status": "held"})
    sandbox.add_fault(Fault("notion", "status", Match("POST", "*/query"), status=409, times=2))
    for _ in range(2):
        with pytest.raises(Exception, match="conflict_error"):
            await look(broker, QUEUE, full)
    assert await look(broker, QUEUE, full) == 1


async def test_a_column_made_anew_resumes_nobody_and_is_filled_again(
    broker: Broker, full: Shell, sandbox: Sandbox
) -> None:
    await happen(broker, full, make_signup(), make_held())
    await looked(broker, full)
    sandbox.person.delete_columns(BUSINESSX_DB_ID, ["Hold", "First Name"])
    sandbox.person.add_columns(BUSINESSX_DB_ID, {"Hold": "checkbox", "First Name": "rich_text"})
    await full.notion.look_again(BUSINESSX)
    assert await looked(broker, full) == 0
    assert isinstance(await wake(full, make_held()), Done)
    row = contact_rows(sandbox)[0]
    assert (row["Hold"], row["First Name"]) == (True, "Ada")
    assert await looked(broker, full) == 0
    assert len(await said(broker, OperatorIntent, ContactCorrected)) == 1


async def test_a_column_of_another_type_says_nothing(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    await happen(broker, full, make_signup(), make_held())
    sandbox.person.retype_column(BUSINESSX_DB_ID, "Hold", "rich_text")
    await happen(broker, full, make_booking_created())
    assert await looked(broker, full) == 0
    assert len(await said(broker, OperatorIntent)) == 1


async def test_a_write_nobody_heard_of_is_nobodys_hand(
    broker: Broker, full: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    await happen(broker, full, make_signup())
    sandbox.add_fault(Fault("notion", "timeout_after_accept", Match("PATCH", "/v1/pages/*"), status=504))
    held = make_held(f"{ME}.{CAMPAIGN}")
    await happen(broker, full, held)
    assert {row["Hold"] for row in (*sequence_rows(sandbox), *contact_rows(sandbox))} == {True, False}
    clock.advance(120)
    assert await looked(broker, full) == 0
    assert isinstance(await wake(full, held, attempt=2), Done)
    assert await looked(broker, full) == 0
    assert await said(broker, OperatorIntent) == [held]


async def test_a_hand_is_not_written_over_by_what_came_from_elsewhere(
    broker: Broker, full: Shell, sandbox: Sandbox
) -> None:
    """Somebody cancels one email, and then holds the person: both count."""
    await happen(broker, full, make_signup())
    sandbox.person.edit(str(queue(sandbox)["email-3"]["id"]), {"Status": "cancelled"})
    await happen(broker, full, make_held())
    assert queue(sandbox)["email-3"]["Status"] == "cancelled"
    assert [type(fact) for fact in await heard(broker, full)] == [OperatorCancelled]
    statuses = {step: row["Status"] for step, row in queue(sandbox).items()}
    assert (statuses["email-2"], statuses["email-3"]) == ("held", "cancelled")


async def test_a_page_as_it_was_before_we_wrote_is_nobodys_hand(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    """A query answers with a hundred pages, and some are older than our last write when their turn comes."""
    await happen(broker, full, make_signup(first_name="Ann"))
    [old] = [found async for found in full.notion.rows(BUSINESSX)]
    await happen(broker, full, make_signup(first_name="Anna", at=at(hours=1)))
    assert await on_page(BUSINESSX, old, 0, full) == 0
    assert await said(broker, ContactCorrected) == []


async def test_a_page_nobody_can_read_keeps_no_other_from_being_heard(
    broker: Broker, full: Shell, sandbox: Sandbox
) -> None:
    await happen(broker, full, make_signup("bob@example.com"))
    await happen(broker, full, make_signup())
    first, second = (str(row["id"]) for row in table(sandbox, BUSINESSX))
    sandbox.person.edit(first, {"Signup Date": "9999-12-31T23:00:00-05:00"})
    sandbox.person.edit(second, {"Hold": True})
    assert await looked(broker, full) == 1


async def test_what_could_not_be_put_right_at_once_is_put_right_later(
    broker: Broker, full: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    await happen(broker, full, make_signup(), make_email_sent("email-1"))
    sandbox.person.edit(str(queue(sandbox)["email-1"]["id"]), {"Status": "cancelled"})
    sandbox.add_fault(Fault("notion", "status", Match("PATCH", "/v1/pages/*"), status=409))
    with pytest.raises(Refusal):
        await look(broker, QUEUE, full)
    assert queue(sandbox)["email-1"]["Status"] == "cancelled"
    clock.advance(100)
    assert await look(broker, QUEUE, full) == 0
    assert queue(sandbox)["email-1"]["Status"] == "sent"


async def test_of_two_corrections_at_once_none_is_lost(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    await happen(broker, full, make_signup())
    sandbox.person.edit(page(sandbox, BUSINESSX), {"First Name": "Anna"})
    sandbox.person.edit(page(sandbox, EMAIL_SEQUENCE), {"First Name": "Anne"})
    await asyncio.gather(*(look(broker, each, full) for each in (BUSINESSX, EMAIL_SEQUENCE)))
    await looked(broker, full)
    names = [fact.value for fact in await said(broker, ContactCorrected) if isinstance(fact, ContactCorrected)]
    assert sorted(names) == ["Anna", "Anne"]


async def test_a_business_name_of_somebody_who_only_booked_is_heard(
    broker: Broker, full: Shell, sandbox: Sandbox
) -> None:
    await happen(broker, full, make_booking_created())
    sandbox.person.edit(page(sandbox, BUSINESSX), {"Business Name": "Engines Ltd"})
    [fact] = await heard(broker, full)
    assert isinstance(fact, ContactCorrected)
    assert (fact.field, fact.value) == ("business_name", "Engines Ltd")
    assert contact_rows(sandbox)[0]["Business Name"] == "Engines Ltd"
    assert await looked(broker, full) == 0
