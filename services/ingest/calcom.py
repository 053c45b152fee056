"""A Cal.com webhook to facts. Pure.

What the service sends, and where its versions and documents differ, is in tests/calcom.py. Go by the trigger: `status`
and `cancellationReason` do not tell what happened.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from contracts.bookings import (
    BookingCancelled,
    BookingCreated,
    BookingFact,
    BookingRejected,
    BookingRequested,
    BookingRescheduled,
    MeetingEnded,
    NoShowReported,
    NoShowWithdrawn,
    Person,
    Scheduled,
)
from contracts.ids import contact_id, digest
from services.ingest.calcom_body import (
    LINE,
    LOCATION,
    REASON,
    Fields,
    Opened,
    Unusable,
    address,
    https_url,
    identifier,
    line,
    moment,
    open_body,
    optional_moment,
    part,
    trigger_of,
    uid_of,
    whole,
)
from services.ingest.calcom_people import bookers, guests, hosts, marked, organizer
from services.ingest.signup import FieldProblem

TITLES = ("title", "eventTitle", "eventTypeTitle")
LENGTH_MINUTES, LONGEST_MINUTES = 30, 7 * 24 * 60

VERSIONS = frozenset({"2021-10-20", "2026-07-27"})
"""Of X-Cal-Webhook-Version; the newer one only adds fields we do not need."""

BookingFacts = tuple[BookingFact, ...]


class Told(NamedTuple):
    """What happened: one fact, or several where several people booked."""

    facts: BookingFacts
    meeting_time: datetime | None


class Ignored(NamedTuple):
    """A trigger we do not act on, or a test without a booking."""

    event: str


class Delivery(NamedTuple):
    """What a fact says beside the booking's own fields. The digest stands in where nothing tells the sending time."""

    uid: str | None
    received_at: datetime
    sent_at: datetime | None
    digest: str

    def about(self, uid: str, booker: Person) -> dict[str, Any]:
        return {
            "contact": contact_id(booker.email),
            "at": self.received_at,
            "uid": uid,
            "sent_at": self.sent_at or self.received_at,
            "delivery": None if self.sent_at else self.digest,
            "booker": booker,
        }


def translate(body: Fields, received_at: datetime, body_digest: str) -> Told | Ignored | FieldProblem:
    """The facts a webhook amounts to, or what keeps it from being one.

    Shape: enveloped, flat, or with the booking in `payload.booking`.
    """
    try:
        trigger = trigger_of(body)
        read = TRIGGERS.get(trigger)
        if read is None:
            return Ignored(trigger)
        opened = open_body(body)
        uid = uid_of(opened.fields)
        if uid is None and not opened.is_nested:
            return Ignored(trigger)  # the test button sends its body under any trigger's name
        facts = read(opened.fields, Delivery(uid, received_at, _sent_at(trigger, opened, body), body_digest))
        return Told(facts, optional_moment(opened.fields.get("startTime")))
    except Unusable as error:
        return error.problem


def _sent_at(trigger: str, opened: Opened, body: Fields) -> datetime | None:
    """The createdAt of a flat MEETING_* body is the booking's."""
    if opened.is_flat and trigger.startswith("MEETING_"):
        return None
    return optional_moment(body.get("createdAt"))


def _scheduled(kind: type[Scheduled]) -> Callable[[Fields, Delivery], BookingFacts]:
    def read(fields: Fields, delivery: Delivery) -> BookingFacts:
        booked = bookers(fields)
        details = _when(fields) | _where(fields) | _links(fields) | {"guests": guests(fields, booked)}
        sequence = whole(fields.get("iCalSequence"), 2**31)
        return _each(kind, fields, delivery, booked, {**details, "ical_sequence": sequence})

    return read


def _cancelled(fields: Fields, delivery: Delivery) -> BookingFacts:
    """A cancellation counts even if its times cannot be read."""
    by = address(fields.get("cancelledBy"))
    details = {
        "reason": line(fields.get("cancellationReason"), REASON) or None,
        "by_organizer": by is not None and by in hosts(fields),
        "reschedule_requested": fields.get("requestReschedule") is True,
    }
    return _each(BookingCancelled, fields, delivery, bookers(fields), details | _links(fields) | _span(fields))


def _rejected(fields: Fields, delivery: Delivery) -> BookingFacts:
    details = {"reason": line(fields.get("rejectionReason"), REASON) or None}
    return _each(BookingRejected, fields, delivery, bookers(fields), details | _links(fields))


def _ended(fields: Fields, delivery: Delivery) -> BookingFacts:
    return _each(MeetingEnded, fields, delivery, bookers(fields), _span(fields))


def _marked(fields: Fields, delivery: Delivery) -> BookingFacts:
    """A fact for each attendee: it names the booking, which we may never have heard of, and no times."""
    if delivery.uid is None:
        raise Unusable("bookingUid", "is required")
    return tuple(
        (NoShowReported if was_absent else NoShowWithdrawn)(**delivery.about(delivery.uid, who))
        for who, was_absent in marked(fields)
    )


def _each(
    kind: type[BookingFact], fields: Fields, delivery: Delivery, booked: tuple[Person, ...], details: dict[str, Any]
) -> BookingFacts:
    """One fact for each person who booked."""
    uid = delivery.uid or _own_uid(fields, booked[0])
    return tuple(kind(**delivery.about(uid, booker), **details) for booker in booked)


def _own_uid(fields: Fields, booker: Person) -> str:
    """For callers that know none: the same booking gets the same one again. Errors: Unusable: no start either."""
    known = identifier(fields.get("id")) or identifier(fields.get("bookingId"))
    if known is None:
        known = digest(f"{booker.email} {moment(fields.get('startTime'), 'startTime')}")
    return f"own-{known}"


def _when(fields: Fields) -> dict[str, datetime]:
    """Without a usable end, the length tells it, and without that half an hour. Errors: Unusable: no start."""
    start = moment(fields.get("startTime"), "startTime")
    end = optional_moment(fields.get("endTime"))
    minutes = whole(fields.get("length"), LONGEST_MINUTES) or LENGTH_MINUTES
    return {"start": start, "end": end if end and end > start else start + timedelta(minutes=minutes)}


def _span(fields: Fields) -> dict[str, datetime | None]:
    return {"start": optional_moment(fields.get("startTime")), "end": optional_moment(fields.get("endTime"))}


def _where(fields: Fields) -> dict[str, Any]:
    """And with whom, and what for."""
    return {
        "organizer": organizer(fields),
        "title": next(filter(None, (line(fields.get(name), LINE) for name in TITLES)), ""),
        "event_type": line(fields.get("type"), LINE) or None,
        "location": line(fields.get("location"), LOCATION) or None,
        "video_url": _video_url(fields),
    }


def _video_url(fields: Fields) -> str | None:
    """Without the password beside videoCallData.url: it can be a token."""
    places = (
        part(fields, "metadata").get("videoCallUrl"),
        fields.get("location"),
        part(fields, "videoCallData").get("url"),
    )
    return next(filter(None, map(https_url, places)), None)


def _links(fields: Fields) -> dict[str, str | None]:
    """What a booking has in common with the ones before it."""
    return {
        "reschedule_uid": identifier(fields.get("rescheduleUid")) or identifier(fields.get("fromReschedule")),
        "ical_uid": identifier(fields.get("iCalUID")),
    }


TRIGGERS: dict[str, Callable[[Fields, Delivery], BookingFacts]] = {
    "BOOKING_CREATED": _scheduled(BookingCreated),
    "BOOKING_RESCHEDULED": _scheduled(BookingRescheduled),
    "BOOKING_REQUESTED": _scheduled(BookingRequested),
    "BOOKING_CANCELLED": _cancelled,
    "BOOKING_REJECTED": _rejected,
    "MEETING_ENDED": _ended,
    "BOOKING_NO_SHOW_UPDATED": _marked,
}
"""Every trigger that becomes a fact."""

IGNORED = frozenset({
    "AFTER_GUESTS_CAL_VIDEO_NO_SHOW",
    "AFTER_HOSTS_CAL_VIDEO_NO_SHOW",
    "BOOKING_PAID",
    "BOOKING_PAYMENT_INITIATED",
    "BOOKING_REASSIGNED",
    "FORM_SUBMITTED",
    "FORM_SUBMITTED_NO_EVENT",
    "INSTANT_MEETING",
    "MEETING_STARTED",
    "OOO_CREATED",
    "PING",
    "RECORDING_READY",
    "RECORDING_TRANSCRIPTION_GENERATED",
})  # fmt: skip
"""Triggers we know and leave alone; one we do not know is treated the same."""
