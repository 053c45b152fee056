"""Webhooks as Cal.com sends them: one maker per trigger and shape, in the forms of its versions.

A maker takes overrides for the payload; `uid`, `start` and `sent` are what tests change most. Every time is a parsed
moment, spelt here as the hosted service spells it today, `.000Z`.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.factories import ADA

Body = dict[str, Any]

SECRET = "calendar-s3cret-ü"  # taken as UTF-8
HOST = "grace@example.com"
UID, OLD_UID = "bkXa4mPle9uidQ7", "bkFirstUid8842"
START = datetime(2026, 12, 7, 15, 0, tzinfo=UTC)
SENT = datetime(2026, 12, 1, 9, 30, 12, 345_000, tzinfo=UTC)
VIDEO = f"https://app.example.com/video/{UID}"

VERSIONS = ("2021-10-20", "2026-07-27")


def spelt(moment: datetime) -> str:
    """`2026-12-07T15:00:00.000Z`"""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sign(body: bytes, secret: str = SECRET) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Cal-Signature-256": signature, "X-Cal-Webhook-Version": VERSIONS[0]}


def raw(body: object) -> bytes:
    """Compact, and nothing escaped that need not be: what is signed."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def envelope(trigger: str, payload: Body, sent: datetime = SENT) -> Body:
    return {"triggerEvent": trigger, "createdAt": spelt(sent), "payload": payload}


def attendee(email: str = ADA, name: str = "Ada Lovelace", **overrides: Any) -> Body:
    first, _, last = name.partition(" ")
    return {
        "name": name,
        "firstName": first,
        "lastName": last,
        "email": email,
        "timeZone": "Europe/Berlin",
        "language": {"locale": "de"},
        "phoneNumber": None,
        "utcOffset": 60,
    } | overrides


def host(**overrides: Any) -> Body:
    return {
        "id": 41,
        "name": "Grace Hopper",
        "email": HOST,
        "username": "grace",
        "timeZone": "Europe/London",
        "language": {"locale": "en"},
        "timeFormat": "h:mma",
        "utcOffset": 0,
    } | overrides


def answers(email: str = ADA, name: str = "Ada Lovelace") -> Body:
    return {
        "name": {"label": "your_name", "value": name, "isHidden": False},
        "email": {"label": "email_address", "value": email, "isHidden": False},
        "location": {
            "label": "location",
            "value": {"optionValue": "", "value": "integrations:daily"},
            "isHidden": False,
        },
        "notes": {"label": "additional_notes", "isHidden": False},
        "guests": {"label": "additional_guests", "value": [], "isHidden": False},
    }


def booking(uid: str = UID, start: datetime = START, **overrides: Any) -> Body:
    """The payload that most triggers share."""
    return {
        "bookerUrl": "https://cal.example.com",
        "type": "intro-call",
        "title": "Intro call between Grace Hopper and Ada Lovelace",
        "eventTitle": "Intro call",
        "eventTypeId": 318,
        "eventTypeTitle": "Intro call",
        "eventDescription": "",
        "description": "",
        "additionalNotes": "",
        "customInputs": {},
        "startTime": spelt(start),
        "endTime": spelt(start + timedelta(minutes=30)),
        "length": 30,
        "organizer": host(),
        "attendees": [attendee()],
        "responses": answers(),
        "userFieldsResponses": {},
        "location": "integrations:daily",
        "conferenceData": {"createRequest": {"requestId": "4b7c"}},
        "videoCallData": {"type": "daily_video", "id": "d4Ily", "password": "s3cret-token", "url": VIDEO},
        "metadata": {"videoCallUrl": VIDEO},
        "destinationCalendar": [{"id": 7, "integration": "google_calendar", "externalId": HOST, "userId": 41}],
        "hideCalendarNotes": False,
        "hideOrganizerEmail": False,
        "requiresConfirmation": None,
        "seatsPerTimeSlot": None,
        "seatsShowAttendees": True,
        "schedulingType": None,
        "appsStatus": [{"appName": "daily-video", "type": "daily_video", "success": 1, "failures": 0, "errors": []}],
        "iCalUID": "ic4lUid@example.com",
        "iCalSequence": 0,
        "uid": uid,
        "bookingId": 9001,
        "price": None,
        "currency": "usd",
        "status": "ACCEPTED",
    } | overrides


def created(uid: str = UID, start: datetime = START, sent: datetime = SENT, **overrides: Any) -> Body:
    return envelope("BOOKING_CREATED", booking(uid, start, **overrides), sent)


def requested(uid: str = UID, start: datetime = START, sent: datetime = SENT, **overrides: Any) -> Body:
    pending = {"status": "PENDING", "requiresConfirmation": True, "metadata": {}, "videoCallData": None}
    return envelope("BOOKING_REQUESTED", booking(uid, start, **(pending | overrides)), sent)


def rejected(uid: str = UID, start: datetime = START, sent: datetime = SENT, **overrides: Any) -> Body:
    declined = {"status": "REJECTED", "rejectionReason": "Fully booked that week", "metadata": {}}
    return envelope("BOOKING_REJECTED", booking(uid, start, **(declined | overrides)), sent)


def rescheduled(
    uid: str = UID, old_uid: str = OLD_UID, start: datetime = START, sent: datetime = SENT, **overrides: Any
) -> Body:
    """`rescheduleStartTime` is the old time, and the reason stands in `cancellationReason` of a booking that holds."""
    before = start - timedelta(days=2)
    moved = {
        "rescheduleUid": old_uid,
        "rescheduleId": 9000,
        "rescheduleStartTime": spelt(before),
        "rescheduleEndTime": spelt(before + timedelta(minutes=30)),
        "rescheduledBy": ADA,
        "cancellationReason": "Another day suits me better",
        "iCalSequence": 1,
        "bookingId": 9002,
    }
    return envelope("BOOKING_RESCHEDULED", booking(uid, start, **(moved | overrides)), sent)


def cancelled(
    uid: str = UID, start: datetime = START, sent: datetime = SENT, *, by: str = ADA, **overrides: Any
) -> Body:
    gone = {
        "status": "CANCELLED",
        "cancelledBy": by,
        "cancellationReason": "Something came up",
        "requestReschedule": False,
        "metadata": {},
        "iCalSequence": 1,
    }
    return envelope("BOOKING_CANCELLED", booking(uid, start, **(gone | overrides)), sent)


def reschedule_requested(uid: str = UID, start: datetime = START, sent: datetime = SENT, **overrides: Any) -> Body:
    """The host's "Request reschedule": no new booking exists yet."""
    asked = {"requestReschedule": True, "cancellationReason": "Please reschedule. I am travelling that day"}
    return cancelled(uid, start, sent, by=HOST, **(asked | overrides))


def meeting(trigger: str, uid: str = UID, start: datetime = START, **overrides: Any) -> Body:
    """Flat, and fired by a scheduler: the booking's row beside the trigger, `createdAt` when it was made."""
    guest = {"id": 77, "email": ADA, "name": "Ada Lovelace", "timeZone": "Europe/Berlin", "phoneNumber": None}
    return {
        "triggerEvent": trigger,
        "createdAt": spelt(SENT),
        "updatedAt": None,
        "id": 9001,
        "uid": uid,
        "idempotencyKey": "2f0c",
        "userId": 41,
        "userPrimaryEmail": HOST,
        "eventTypeId": 318,
        "title": "Intro call between Grace Hopper and Ada Lovelace",
        "description": "",
        "customInputs": [],
        "responses": {"name": "Ada Lovelace", "email": ADA, "location": {"value": "integrations:daily"}},
        "startTime": spelt(start),
        "endTime": spelt(start + timedelta(minutes=30)),
        "location": "integrations:daily",
        "status": "ACCEPTED",
        "paid": False,
        "destinationCalendarId": 7,
        "cancellationReason": None,
        "rejectionReason": None,
        "fromReschedule": None,
        "noShowHost": False,
        "iCalUID": "ic4lUid@example.com",
        "iCalSequence": 0,
        "metadata": {"videoCallUrl": VIDEO},
        "user": {"email": HOST, "name": "Grace Hopper", "timeZone": "Europe/London", "locale": "en"},
        "attendees": [{**guest, "locale": "de", "noShow": False, "bookingId": 9001}],
        "references": [{"type": "daily_video", "meetingPassword": "s3cret-token", "meetingUrl": VIDEO}],
    } | overrides


def ended(uid: str = UID, start: datetime = START, **overrides: Any) -> Body:
    return meeting("MEETING_ENDED", uid, start, **overrides)


def ended_wrapped(uid: str = UID, start: datetime = START, **overrides: Any) -> Body:
    flat = ended(uid, start, **overrides)
    trigger = flat.pop("triggerEvent")
    return envelope(trigger, flat, start + timedelta(minutes=32))


def no_show(uid: str = UID, sent: datetime = SENT, *, email: str = ADA, marked: bool = True) -> Body:
    """Slim: no times, no names, and `bookingUid`."""
    payload = {
        "message": f"{email} {'marked' if marked else 'unmarked'} as no-show",
        "bookingUid": uid,
        "bookingId": 9001,
        "attendees": [{"email": email, "noShow": marked}],
    }
    return envelope("BOOKING_NO_SHOW_UPDATED", payload, sent)


def ping(trigger: str = "PING", sent: datetime = SENT) -> Body:
    """The test button: without uid, bookingId and status, whatever trigger it is sent as."""
    who = {"name": "John Doe", "email": "john.doe@example.com", "timeZone": "UTC", "language": {"locale": "en"}}
    payload = {
        "type": "Test",
        "title": "Test trigger event",
        "description": "",
        "startTime": spelt(sent),
        "endTime": spelt(sent),
        "attendees": [who],
        "organizer": {"name": "Cal", "email": "", "timeZone": "", "language": {"locale": "en"}},
    }
    return envelope(trigger, payload, sent)


def form_submitted() -> Body:
    """Answers twice: in the payload, and at the root under the text of the question."""
    payload = {"formId": "f1", "formName": "Contact", "responses": {"Your email": {"value": ADA}}}
    return envelope("FORM_SUBMITTED", payload) | {"Your email": ADA, "Your name": "Ada"}


def instant_meeting() -> Body:
    payload = {"title": "Instant meeting", "body": "Join now", "responses": {"name": "Ada", "email": ADA}}
    return envelope("INSTANT_MEETING", payload)


def recording_ready() -> Body:
    return envelope("RECORDING_READY", booking(downloadLink="https://app.example.com/recording/1"))


def out_of_office() -> Body:
    return envelope("OOO_CREATED", {"oooEntry": {"id": 1, "start": spelt(START), "user": {"email": HOST}}})


def video_no_show(trigger: str = "AFTER_GUESTS_CAL_VIDEO_NO_SHOW") -> Body:
    payload = {"title": "Intro call", "bookingId": 9001, "bookingUid": UID, "message": "Guest did not join", "id": 3}
    return envelope(trigger, payload)


def nested(trigger: str = "BOOKING_CREATED", start: datetime = START, **overrides: Any) -> Body:
    """As some callers other than Cal.com send it, without uid, envelope time or organizer."""
    inner = {
        "startTime": start.isoformat(),
        "endTime": (start + timedelta(minutes=45)).isoformat(),
        "attendees": [{"email": ADA, "name": "Ada Lovelace", "timeZone": "Europe/Berlin"}],
    }
    return {"triggerEvent": trigger, "payload": {"booking": inner | overrides}}


def flat(body: Body) -> Body:
    """The same without an envelope."""
    return {**body["payload"], **{name: value for name, value in body.items() if name != "payload"}}


def with_calendar_files(body: Body) -> Body:
    """Version 2026-07-27 adds calendar files and trims the organizer."""
    trimmed = {name: host()[name] for name in ("name", "email", "timeZone", "language")}
    files = {"attendeeIcsContent": "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "organizerIcsContent": None}
    return body | {"payload": body["payload"] | files | {"organizer": trimmed}}


def seated(email: str = ADA, name: str = "Ada Lovelace", **overrides: Any) -> Body:
    """Only the attendee of that seat is listed, as `bookingSeat` says."""
    seat = {"referenceUid": f"seat-{email}", "id": 5, "data": {}, "bookingId": 9001, "attendeeId": 77}
    values: Body = {"seatsPerTimeSlot": 10, "attendees": [attendee(email, name, bookingSeat=seat)]}
    return created(**(values | overrides))


def team(**overrides: Any) -> Body:
    """A collective event: the team is beside the attendees, and on older servers among them too."""
    member = {"id": 42, "name": "Alan Turing", "email": "alan@example.com", "timeZone": "Europe/London"}
    listed = attendee("alan@example.com", "Alan Turing")
    values: Body = {
        "schedulingType": "COLLECTIVE",
        "team": {"id": 3, "name": "Founders", "members": [{**member, "language": {"locale": "en"}}]},
        "attendees": [attendee(), attendee("bob@example.com", ""), listed],
    }
    return created(**(values | overrides))


VARIANTS: dict[str, Body] = {
    "calendar object": {"destinationCalendar": {"id": 7, "integration": "google_calendar"}},
    "calendar list": {"destinationCalendar": []},
    "calendar null": {"destinationCalendar": None},
    "no price": {"price": None},
    "free": {"price": 0},
    "inputs object": {"customInputs": {}},
    "inputs list": {"customInputs": []},
    "responses absent": {"responses": None, "userFieldsResponses": None},
    "responses empty": {"responses": {}},
    "bare responses": {"responses": {"name": "Ada Lovelace", "email": ADA, "guests": []}},
    "names in parts": {"responses": {"name": {"label": "name", "value": {"firstName": "Ada", "lastName": "L"}}}},
    "no metadata": {"metadata": {}},
    "metadata null": {"metadata": None},
    "no apps": {"appsStatus": None, "bookerUrl": None, "conferenceData": None},
    "in person": {"location": "1 Example Street", "videoCallData": None, "metadata": {}},
    "by phone": {"location": "+491701234567", "videoCallData": None, "metadata": {}},
    "trigger inside": {"triggerEvent": "BOOKING_CREATED"},
    "custom question": {"userFieldsResponses": {"budget": {"label": "Budget", "value": "5k", "isHidden": False}}},
    "time Z": {"startTime": "2026-12-07T15:00:00Z", "endTime": "2026-12-07T15:30:00Z"},
    "time offset": {"startTime": "2026-12-07T15:00:00+00:00", "endTime": "2026-12-07T15:30:00+00:00"},
    "other offset": {"startTime": "2026-12-07T16:00:00+01:00", "endTime": "2026-12-07T16:30:00+01:00"},
}
"""Overrides that change nothing that matters in a booking."""
