"""What is derived from the log can be lost: a replay brings it back, and sends nothing twice."""

from contracts import subjects
from eventlog.connection import Broker
from eventlog.timers import Timers
from tests.e2e.people import MARIA, TOM
from tests.e2e.processes import Machine
from tests.e2e.site import CONTACTS, SEQUENCES, Site, broker_of, each_email_was_sent_once, has_handled_all, started
from tests.waiting import eventually

ADA = MARIA.again(email="ada@example.com", first_name="Ada")


async def test_a_replay_restores_lost_timers_and_nothing_else(here: Machine) -> None:
    """Days ahead, at the same times as before."""
    async with started(here) as up, broker_of(here) as broker:
        for person in (MARIA, TOM):
            assert await up.sign_up(person)
        await up.has_sent(2)
        await eventually(lambda: has_handled_all(broker), timeout=30)
        timers = Timers(broker)
        before = await timers.pending()
        await broker.js.purge_stream(subjects.stream_of(subjects.TIMERS))
        assert await timers.pending() == []
        answer = await here.run("replay", "scheduler", "-f")
        await eventually(lambda: has_handled_all(broker), timeout=30)
        assert await timers.pending() == before
        assert len(before) == 12
        assert await up.count() == 2
    assert (answer.code, answer.out) == (0, "scheduler reads 5 facts again\n")  # the last says who asked for it


async def test_lost_timers_mid_journey_are_restored_and_each_email_is_sent_once(up: Site, broker_of_up: Broker) -> None:
    await up.begins(MARIA, sent=2)
    await broker_of_up.js.purge_stream(subjects.stream_of(subjects.TIMERS))
    assert (await up.machine.run("replay", "scheduler", "-f")).code == 0
    await up.has_finished(MARIA)
    await each_email_was_sent_once(up, broker_of_up, MARIA)


async def test_a_replay_after_the_end_sends_nothing_and_leaves_every_row(up: Site, broker_of_up: Broker) -> None:
    assert await up.sign_up(TOM)
    await up.has_finished(TOM)
    sent = await up.count()
    rows = [await up.rows(SEQUENCES), await up.rows(CONTACTS)]
    for service in ("scheduler", "notion-sync"):
        assert (await up.machine.run("replay", service, "-f")).code == 0
    await each_email_was_sent_once(up, broker_of_up, TOM)
    assert await up.count() == sent
    assert [await up.rows(SEQUENCES), await up.rows(CONTACTS)] == rows


async def test_deleted_rows_and_their_bucket_come_back_without_doubles(up: Site, broker_of_up: Broker) -> None:
    assert await up.sign_up(ADA)
    await up.has_finished(ADA)
    before = {table: len(await up.rows(table)) for table in (SEQUENCES, CONTACTS)}
    await delete_rows(up)
    await broker_of_up.js.purge_stream(subjects.stream_of(subjects.PAGES))
    assert (await up.machine.run("replay", "notion-sync", "-f")).code == 0
    await up.has_finished(ADA)
    await each_email_was_sent_once(up, broker_of_up, ADA)
    assert {table: len(await up.rows(table)) for table in (SEQUENCES, CONTACTS)} == before


async def delete_rows(up: Site) -> None:
    """As a person does it in Notion: to the trash."""
    headers = {"Authorization": "Bearer ntn_sandbox", "Notion-Version": "2025-09-03"}
    for row in [*await up.rows(SEQUENCES), *await up.rows(CONTACTS)]:
        answer = await up.sandbox.patch(f"/v1/pages/{row['id']}", json={"in_trash": True}, headers=headers)
        answer.raise_for_status()
    assert await up.rows(SEQUENCES) == await up.rows(CONTACTS) == []


async def test_a_replay_asks_first(up: Site) -> None:
    """And without an answer it does nothing."""
    answer = await up.machine.run("replay", "scheduler")
    assert answer.code == 1
    assert "Replay every fact to scheduler?" in answer.err
