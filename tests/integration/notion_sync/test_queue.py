"""Email Queue and Email Analytics: every planned email, and everything heard of one, is a row."""

from datetime import timedelta
from typing import Any

import pytest
from notion_client import AsyncClient
from structlog.testing import capture_logs

from contracts.facts import AnyFact
from contracts.notion import RowIncomplete
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.outcomes import Done
from services.notion_sync import handlers
from services.notion_sync.handlers import Shell
from services.notion_sync.schema import ANALYTICS
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from tests.factories import ADA, NOW, at, make_delivered, make_email_failed, make_email_id, make_email_sent, make_signup
from tests.integration.notion_sync.kit import ME, STEPS, Clock, Make, happen, wake, written
from tests.integration.notion_sync.office import customer, make_databases, queue, table


@pytest.fixture
async def full(make_shell: Make, notion: AsyncClient) -> Shell:
    """With all databases on."""
    return make_shell(**await make_databases(notion))


def iso(moment: object) -> str:
    return str(getattr(moment, "isoformat")(timespec="milliseconds"))  # noqa: B009


async def test_every_planned_email_is_a_row_that_points_to_its_person(
    broker: Broker, full: Shell, sandbox: Sandbox
) -> None:
    assert isinstance(await happen(broker, full, make_signup()), Done)
    rows = queue(sandbox)
    assert list(rows) == STEPS
    second = rows["email-2"]
    assert second == {
        "id": second["id"],
        "in_trash": False,
        "Name": "Ada · email-2",
        "Key": make_email_id("email-2"),
        "Email Address": ADA,
        "First Name": "Ada",
        "Email Number": 2,
        "Template ID": "christmas_email_2a",
        "Scheduled Time": iso(NOW + timedelta(hours=24)),
        "Status": "queued",
        "Sent At": None,
        "Resend Email ID": "",
        "Error Message": "",
        "Customer": customer(sandbox),
    }


async def test_what_became_of_an_email_is_in_its_row(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    await happen(broker, full, make_signup())
    sent, failed = make_email_sent("email-1", at=at(minutes=1)), make_email_failed("email-2", at=at(days=1))
    await happen(broker, full, sent, failed)
    rows = queue(sandbox)
    assert (rows["email-1"]["Status"], rows["email-1"]["Sent At"]) == ("sent", iso(at(minutes=1)))
    assert rows["email-1"]["Resend Email ID"] == sent.provider_id
    assert (rows["email-2"]["Status"], rows["email-2"]["Error Message"]) == ("failed", failed.reason)
    assert rows["email-3"]["Status"] == "queued"


async def test_only_the_rows_that_changed_are_written(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    await happen(broker, full, make_signup())
    before = len(written(sandbox))
    await happen(broker, full, make_email_sent("email-1"))
    made = written(sandbox)[before:]
    assert sorted(made) == ["PATCH", "PATCH", "POST"]  # its row in the queue, "Email 1 Sent", and what was heard


async def test_a_new_person_costs_one_query_in_the_queue(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    await happen(broker, full, make_signup())
    queries = [each for each in sandbox.requests() if each.path.endswith("/query")]
    assert len(queries) == 3


async def test_every_fact_about_an_email_is_a_row(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    sent = make_email_sent("email-1", at=at(minutes=1))
    delivered = make_delivered("email-1", at=at(minutes=2))
    await happen(broker, full, make_signup(), sent, delivered)
    first, second = table(sandbox, ANALYTICS)
    assert first == {
        "id": first["id"],
        "in_trash": False,
        "Name": "sent · email-1",
        "Key": f"{ME}.email_sent.{make_email_id('email-1')}",
        "Event Type": "sent",
        "Template ID": sent.template,
        "Email Number": 1,
        "Resend Email ID": sent.provider_id,
        "Campaign": "Christmas 2025",
        "Customer": customer(sandbox),
        "Timestamp": iso(at(minutes=1)),
        "Reason": "",
    }
    assert (second["Event Type"], second["Timestamp"]) == ("delivered", iso(at(minutes=2)))


async def test_a_webhook_that_overtook_the_sender_is_filled_in_later(
    broker: Broker, full: Shell, sandbox: Sandbox
) -> None:
    await happen(broker, full, make_signup(), make_delivered("email-1"))
    assert [row["Template ID"] for row in table(sandbox, ANALYTICS)] == [""]
    sent = make_email_sent("email-1")
    await happen(broker, full, sent)
    assert {row["Template ID"] for row in table(sandbox, ANALYTICS)} == {sent.template}


async def test_a_replay_of_everything_writes_nothing(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    facts: list[AnyFact] = [make_signup(), make_email_sent("email-1"), make_delivered("email-1")]
    await happen(broker, full, *facts)
    before = len(sandbox.requests())
    for fact in facts:
        assert isinstance(await wake(full, fact), Done)
    assert len(sandbox.requests()) == before


async def test_a_row_whose_create_nobody_heard_of_is_found_again(
    broker: Broker, full: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    await happen(broker, full, make_signup())
    sandbox.add_fault(Fault("notion", "timeout_after_accept", Match("POST", "/v1/pages"), status=504))
    sent = make_email_sent("email-1")
    await happen(broker, full, sent)
    clock.advance(120)
    assert isinstance(await wake(full, sent, attempt=2), Done)
    assert len(table(sandbox, ANALYTICS)) == 1


async def test_an_address_too_long_for_notion_is_a_fact_and_stops_nobody(
    broker: Broker, full: Shell, sandbox: Sandbox
) -> None:
    long = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 30}.example.com"
    signup = make_signup(long)
    assert isinstance(await happen(broker, full, signup), Done)
    assert isinstance(await wake(full, signup), Done)
    told = [fact for fact in await EventLog(broker).history(signup.contact) if isinstance(fact, RowIncomplete)]
    assert {(fact.database, fact.columns) for fact in told} == {
        ("Email Sequence", ("Email",)),
        ("BusinessX Canada", ("Email",)),
        ("Email Queue", ("Email Address",)),
    }
    assert len(told) == 2 + len(STEPS)
    assert isinstance(await happen(broker, full, make_signup("bob@example.com")), Done)
    assert len(table(sandbox, "BusinessX Canada")) == 2


async def test_a_person_whose_page_is_gone_for_good_keeps_nobody_from_the_queue(
    broker: Broker, full: Shell, sandbox: Sandbox
) -> None:
    await happen(broker, full, make_signup())
    [page] = customer(sandbox)
    sandbox.person.delete(page)
    result = await happen(broker, full, make_email_sent("email-1"))
    assert isinstance(result, Done)
    assert queue(sandbox)["email-1"]["Status"] == "sent"
    assert [row["Customer"] for row in table(sandbox, ANALYTICS)] == [[]]


async def test_a_row_of_the_queue_that_is_gone_is_left_alone(broker: Broker, full: Shell, sandbox: Sandbox) -> None:
    await happen(broker, full, make_signup())
    sandbox.person.delete(str(queue(sandbox)["email-1"]["id"]))
    with capture_logs() as logs:
        assert isinstance(await happen(broker, full, make_email_sent("email-1")), Done)
    assert [log["key"] for log in logs if log["event"] == "notion_page_gone"] == [f"queue.{make_email_id('email-1')}"]
    assert "email-1" not in queue(sandbox)


async def test_news_that_come_while_rows_are_written_are_shown_at_once(
    broker: Broker, full: Shell, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another notion_sync may have shown them before: our older view must not be the last."""
    real, sent = handlers.upsert_all, make_email_sent("email-7")

    async def late(*args: Any, **more: Any) -> Any:
        outcomes = await real(*args, **more)
        await EventLog(broker).append(sent)
        return outcomes

    monkeypatch.setattr(handlers, "upsert_all", late)
    assert isinstance(await happen(broker, full, make_signup()), Done)
    assert queue(sandbox)["email-7"]["Status"] == "sent"
