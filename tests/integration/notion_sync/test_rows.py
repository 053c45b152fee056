"""Facts in, rows in Notion out, on a real nats-server and against the strict stand-in."""

import asyncio
from typing import Any

from notion_client import AsyncClient

from eventlog import topology
from eventlog.connection import Broker
from eventlog.outcomes import Done, Park
from services.notion_sync.handlers import Shell
from services.notion_sync.service import run
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault
from services.sandbox.seed import (
    BUSINESSX_DATA_SOURCE_ID,
    EMAIL_SEQUENCE_DATA_SOURCE_ID,
)
from tests.factories import ADA, NOW, at, make_email_sent, make_signup
from tests.integration.notion_sync.kit import (
    STEPS,
    Configure,
    Make,
    Watched,
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


async def test_a_signup_makes_one_row_in_each_database(broker: Broker, shell: Shell, sandbox: Sandbox) -> None:
    scores: dict[str, Any] = {
        "yellow_systems": 3,
        "green_systems": 4,
        "gps_score": 45.5,
        "weakest_system_1": "Follow-up",
    }
    result = await happen(broker, shell, make_signup(business_name=None, **scores))
    assert isinstance(result, Done)
    [sequence], [contact] = sequence_rows(sandbox), contact_rows(sandbox)
    person = {
        "in_trash": False,
        "Email": ADA,
        "First Name": "Ada",
        "Business Name": "N/A",
        "Assessment Score": 42,
        "Red Systems": 2,
        "Orange Systems": 1,
        "Yellow Systems": 3,
        "Green Systems": 4,
        "Segment": "CRITICAL",
        "Campaign": "Christmas 2025",
        "Signup Date": NOW.isoformat(timespec="milliseconds"),
        "Hold": False,
    }
    assert sequence == {
        "id": sequence["id"],
        "Name": "Ada - Christmas 2025",
        **person,
        "Assessment Completed": True,
        "Sequence Completed": False,
        **{f"Email {n} Sent": None for n in range(1, 8)},
    }
    assert contact == {
        "id": contact["id"],
        "Name": "Ada",
        **person,
        "Phase": "Phase 1 Assessment",
        "Christmas Campaign Status": "Nurture Sequence",
        "GPS Score": 45.5,
        "Money Score": None,
        "Weakest System 1": "Follow-up",
        "Weakest System 2": "",
        "Revenue Leak Total": None,
        "Booking Status": None,
        "Diagnostic Call Date": None,
    }


async def test_seven_emails_show_on_the_page_they_belong_to(broker: Broker, shell: Shell, sandbox: Sandbox) -> None:
    await happen(broker, shell, make_signup())
    sent = [make_email_sent(step, at=at(hours=n)) for n, step in enumerate(STEPS)]
    assert isinstance(await happen(broker, shell, *sent), Done)
    [row] = sequence_rows(sandbox)
    assert row["Email 7 Sent"] == at(hours=6).isoformat(timespec="milliseconds")
    assert row["Sequence Completed"] is True
    assert written(sandbox) == ["POST", "POST", "PATCH"]  # the contact's own page has nothing new to show


async def test_the_same_facts_again_ask_notion_nothing(broker: Broker, shell: Shell, sandbox: Sandbox) -> None:
    facts = make_signup(), make_email_sent()
    await happen(broker, shell, *facts)
    asked = len(sandbox.requests())
    assert isinstance(await wake(shell, *facts, attempt=2), Done)
    assert len(sandbox.requests()) == asked


async def test_a_row_made_by_hand_is_adopted(
    broker: Broker, shell: Shell, sandbox: Sandbox, notion: AsyncClient
) -> None:
    page = await notion.pages.create(
        parent={"type": "data_source_id", "data_source_id": BUSINESSX_DATA_SOURCE_ID},
        properties={"Email": {"email": ADA}, "Name": {"title": [{"text": {"content": "Ada L."}}]}},
    )
    assert isinstance(await happen(broker, shell, make_signup(email="Ada@Example.com")), Done)
    [row] = contact_rows(sandbox)
    assert (row["id"], row["Assessment Score"]) == (page["id"], 42)


async def test_a_row_of_another_campaign_is_not_adopted(
    broker: Broker, shell: Shell, sandbox: Sandbox, notion: AsyncClient
) -> None:
    await notion.pages.create(
        parent={"type": "data_source_id", "data_source_id": EMAIL_SEQUENCE_DATA_SOURCE_ID},
        properties={"Email": {"email": ADA}, "Campaign": {"select": {"name": "Christmas 2024"}}},
    )
    await happen(broker, shell, make_signup())
    assert sorted(str(row["Campaign"]) for row in sequence_rows(sandbox)) == [
        "Christmas 2024",
        "Christmas 2025",
    ]


async def test_a_signup_of_an_unknown_campaign_is_parked(broker: Broker, shell: Shell, sandbox: Sandbox) -> None:
    result = await happen(broker, shell, make_signup(), make_signup(campaign="spring"))
    assert result == Park("unknown campaign", "no folder campaigns/spring", label="unknown_campaign")
    assert counts(sandbox) == (1, 1)


async def test_eight_facts_of_a_person_cost_one_write_in_each_database(
    broker: Broker, shell: Shell, sandbox: Sandbox
) -> None:
    await append(broker, make_signup(), *(make_email_sent(step) for step in STEPS))
    await Watched().run(broker, shell, until=8)
    assert written(sandbox) == ["POST", "POST"]
    assert sequence_rows(sandbox)[0]["Sequence Completed"] is True


async def test_a_replay_of_everything_writes_nothing(broker: Broker, make_shell: Make, sandbox: Sandbox) -> None:
    people = [f"p{n}@example.com" for n in range(20)]
    await append(broker, *(make_signup(email) for email in people))
    await Watched().run(broker, make_shell(), until=20)
    asked = len(sandbox.requests())
    await topology.rewind(broker, topology.NOTION_SYNC)
    await Watched().run(broker, make_shell(), until=20)
    assert len(sandbox.requests()) == asked
    assert counts(sandbox) == (20, 20)


async def test_two_consumers_share_the_work_and_double_nothing(
    broker: Broker, make_shell: Make, sandbox: Sandbox
) -> None:
    people = [f"p{n}@example.com" for n in range(10)]
    await append(broker, *(make_signup(email) for email in people))
    await append(broker, *(make_email_sent(email=email) for email in people))
    await Watched().run(broker, make_shell(), make_shell(), until=20)
    assert counts(sandbox) == (10, 10)
    assert all(row["Email 1 Sent"] for row in sequence_rows(sandbox))


async def test_the_service_runs_until_it_is_told_to_stop(
    broker: Broker, configure: Configure, sandbox: Sandbox
) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(run(broker, configure(), campaigns(), stop))
    await append(broker, make_signup())
    await until(lambda: counts(sandbox) == (1, 1))
    stop.set()
    await asyncio.wait_for(running, timeout=20)


async def test_the_service_stops_while_notion_keeps_it_waiting(
    broker: Broker, configure: Configure, sandbox: Sandbox
) -> None:
    sandbox.add_fault(Fault("notion", "timeout_before_accept", delay_s=60, times=9))
    stop = asyncio.Event()
    running = asyncio.create_task(run(broker, configure(), campaigns(), stop))
    await until(lambda: bool(sandbox.state.faults.all[0].used))
    stop.set()
    await asyncio.wait_for(running, timeout=20)
