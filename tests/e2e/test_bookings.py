"""Calls, from Cal.com's webhook to the reminder in the mailbox, and the story told afterwards."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from icalendar import Calendar

from services.sandbox.mailbox import Mail
from tests.calcom import cancelled, created, rescheduled
from tests.e2e.conftest import FAST
from tests.e2e.processes import Machine, machine
from tests.e2e.site import CONTACTS, Site, broker_of, started
from tests.waiting import eventually

WEBHOOK = "/webhook/calcom-booking"
MINUTE_S = 3
"""A testing minute where calls take place. Reminders come 6, 3 and 1 of them before the call, the follow-up 1 after it;
a reminder that comes too late is not sent, so this is how long the machine may stand still.
"""


@pytest.fixture
async def up(here: Machine) -> AsyncIterator[Site]:
    async with started(here, **FAST) as site:
        await site.lift_limits()
        yield site


@pytest.fixture(scope="module")
async def calls(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Two calls have taken place beside each other, as they mostly wait: one as booked, one moved before."""
    slower = FAST | {"DRIPSTREAM_SPEEDUP": f"{60 / MINUTE_S:g}"}
    with machine(tmp_path_factory.mktemp("calls"), **slower) as made:
        async with started(made) as up:
            await up.lift_limits()
            await asyncio.gather(booked(up, "sam@example.com"), booked_and_moved(up, "mo@example.com"))
            yield up


async def booked(up: Site, email: str) -> None:
    answer = await post(up, booking(created, email, "s1", start_s=8 * MINUTE_S))
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    await has_mails(up, email, 4)


async def booked_and_moved(up: Site, email: str) -> None:
    await post(up, booking(created, email, "m1", start_s=8 * MINUTE_S))
    await has_mails(up, email, 1)
    await post(up, booking(rescheduled, email, "m2", start_s=8 * MINUTE_S, rescheduleUid="m1", iCalSequence=1))
    await has_mails(up, email, 4)


def moment(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def booking(make: Any, email: str, uid: str, *, start_s: float = 0, **payload: Any) -> dict[str, Any]:
    """A real payload about somebody else, at another time."""
    body: dict[str, Any] = make()
    body["createdAt"] = moment(0)
    body["payload"] |= {"uid": uid, "iCalUID": f"{email}@cal.example.com"} | payload
    body["payload"]["attendees"] = [body["payload"]["attendees"][0] | {"email": email, "timeZone": "America/Vancouver"}]
    if start_s:
        body["payload"] |= {"startTime": moment(start_s), "endTime": moment(start_s + 1)}
    return body


async def post(site: Site, body: dict[str, Any]) -> httpx.Response:
    return await site.webhooks.post(WEBHOOK, json=body)


async def mails_to(site: Site, email: str) -> list[Mail]:
    return [mail for mail in await site.mails() if email in mail.to]


async def has_mails(site: Site, email: str, number: int) -> None:
    async def arrived() -> bool:
        return len(await mails_to(site, email)) >= number

    await eventually(arrived, timeout=60)


async def row_of(site: Site, email: str) -> dict[str, Any]:
    rows = [row for row in await site.rows(CONTACTS) if row["Email"] == email]
    return rows[0] if rows else {}


async def shows(site: Site, email: str, status: str) -> None:
    async def shown() -> bool:
        return (await row_of(site, email)).get("Booking Status") == status

    await eventually(shown)


def calendar_entry(mail: Mail) -> Any:
    [attachment] = mail.attachments
    [entry] = Calendar.from_ical(base64.b64decode(str(attachment.content))).walk("VEVENT")
    return entry


async def test_who_books_without_signing_up_is_reminded_and_followed_up(calls: Site) -> None:
    email = "sam@example.com"
    mails = await mails_to(calls, email)
    assert [mail.tag("step") for mail in mails] == ["prep-guide", "reminder", "last-reminder", "follow-up"]
    assert [len(mail.attachments) for mail in mails] == [1, 1, 1, 0]
    assert "Vancouver time" in str(mails[1].text)
    await shows(calls, email, "Booked")
    assert (await row_of(calls, email))["Diagnostic Call Date"]


async def test_a_moved_call_is_reminded_of_at_its_new_time_with_a_newer_calendar_file(calls: Site) -> None:
    email = "mo@example.com"
    mails = await mails_to(calls, email)
    assert [mail.tag("step") for mail in mails] == ["prep-guide", "reminder", "last-reminder", "follow-up"]
    events = [calendar_entry(mail) for mail in mails[:3]]
    assert [event["SEQUENCE"] for event in events] == [0, 1, 1]
    assert len({event["UID"] for event in events}) == 1
    assert events[1]["DTSTART"].dt > events[0]["DTSTART"].dt
    await shows(calls, email, "Rescheduled")


async def test_a_call_moved_twice_and_cancelled_leaves_no_timer_and_sends_nothing(up: Site, here: Machine) -> None:
    email = "cy@example.com"
    await post(up, booking(created, email, "c1", start_s=60))
    await post(up, booking(rescheduled, email, "c2", start_s=70, rescheduleUid="c1"))
    await post(up, booking(rescheduled, email, "c3", start_s=80, rescheduleUid="c2"))
    await post(up, booking(cancelled, email, "c3"))
    await shows(up, email, "Cancelled")
    pending = await here.run("pending", "--json")
    assert pending.out == ""
    story = json.loads((await here.run("contact", email, "--json")).out)
    reasons = {each["reason"] for each in story["emails"]}
    assert {each["state"] for each in story["emails"]} == {"skipped"}
    assert reasons <= {"booking_cancelled", "booking_rescheduled", "nothing_to_take_back"}
    told = await here.run("contact", email)
    assert "the meeting was cancelled (booking_cancelled)" in told.out
    assert await mails_to(up, email) == []


async def test_a_repeated_webhook_is_one_fact(up: Site, here: Machine) -> None:
    body = booking(created, "ray@example.com", "r1", start_s=300)
    first, again = await post(up, body), await post(up, body)
    assert "duplicate" not in first.json()
    assert again.json()["duplicate"] is True
    async with broker_of(here, here.data) as broker:
        state = (await broker.js.stream_info("EVENTS", subjects_filter="events.*.booking_created.>")).state
    assert len(state.subjects or {}) == 1


async def test_a_trigger_stops_what_the_campaign_says_it_stops(up: Site, here: Machine) -> None:
    email = "pat@example.com"
    form = {"email": email, "first_name": "Pat", "assessment_score": 50}
    (await up.webhooks.post("/webhook/christmas-signup", json=form)).raise_for_status()
    answer = await here.run("trigger", "christmas-2025", "paid", email, "--id", "invoice-1")
    assert answer.code == 0, answer
    again = await here.run("trigger", "christmas-2025", "paid", email, "--id", "invoice-1")
    assert "was known already" in again.out

    async def nothing_pending() -> bool:
        return (await here.run("pending", "--json")).out == ""

    await eventually(nothing_pending)
    unknown = await here.run("trigger", "christmas-2025", "married", email)
    assert unknown.code == 1
    assert "known: paid" in unknown.err


async def test_a_stranger_has_no_story(up: Site, here: Machine) -> None:
    answer = await here.run("contact", "nobody@example.com")
    assert answer.code == 1
    assert "nobody of that address is known" in answer.err
