"""One maker per fact, with sensible values for everything a test does not care about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts import bookings, deliveries, facts, ids, operators

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30)
"""A moment ago: what is due now fires on a real server, and what is due tomorrow does not."""

ADA = "ada@example.com"
CAMPAIGN = "christmas-2025"


def at(**delta: float) -> datetime:
    return NOW + timedelta(**delta)


def make_signup(email: str = ADA, **overrides: Any) -> facts.SignupReceived:
    scores = {name: overrides.pop(name) for name in facts.Assessment.__struct_fields__ if name in overrides}
    assessment = facts.Assessment(**({"assessment_score": 42, "red_systems": 2, "orange_systems": 1} | scores))
    values: dict[str, Any] = {
        "contact": ids.contact_id(email),
        "at": NOW,
        "campaign": CAMPAIGN,
        "email": email,
        "first_name": "Ada",
        "business_name": "Ada's Bakery",
        "assessment": assessment,
    } | overrides
    return facts.SignupReceived(**({"content": ids.digest(repr(values))} | values))


def make_email_id(step: str = "email-1", email: str = ADA) -> str:
    return str(ids.EmailId(ids.contact_id(email), CAMPAIGN, "nurture", "once", step))


def make_email_sent(step: str = "email-1", email: str = ADA, **overrides: Any) -> facts.EmailSent:
    values = _about(step, email) | {"provider_id": "re_1", "template": "christmas_email_1"} | overrides
    return facts.EmailSent(**values)


def make_email_skipped(step: str = "email-1", email: str = ADA, **overrides: Any) -> facts.EmailSkipped:
    return facts.EmailSkipped(**(_about(step, email) | {"reason": "expired"} | overrides))


def make_email_failed(step: str = "email-1", email: str = ADA, **overrides: Any) -> facts.EmailFailed:
    return facts.EmailFailed(**(_about(step, email) | {"reason": "validation_error"} | overrides))


def make_email_unknown(step: str = "email-1", email: str = ADA, **overrides: Any) -> facts.EmailUnknown:
    return facts.EmailUnknown(**(_about(step, email) | {"reason": "unconfirmed"} | overrides))


def make_attempt_failed(step: str = "email-1", email: str = ADA, **overrides: Any) -> facts.EmailAttemptFailed:
    values = {"attempt": 1, "reason": "internal_server_error", "retry_at": at(seconds=60)} | overrides
    return facts.EmailAttemptFailed(**(_about(step, email) | values))


def make_delivered(step: str = "email-1", email: str = ADA, **overrides: Any) -> deliveries.EmailDelivered:
    return deliveries.EmailDelivered(**(_delivery(step, email) | overrides))


def make_bounced(step: str = "email-1", email: str = ADA, **overrides: Any) -> deliveries.EmailBounced:
    return deliveries.EmailBounced(**(_delivery(step, email) | {"kind": "permanent"} | overrides))


def make_retried(step: str = "email-1", email: str = ADA, **overrides: Any) -> operators.OperatorRetried:
    return operators.OperatorRetried(**(_decision(step, email) | overrides))


def make_discarded(step: str = "email-1", email: str = ADA, **overrides: Any) -> operators.OperatorDiscarded:
    return operators.OperatorDiscarded(**(_decision(step, email) | overrides))


def make_hurried(step: str = "email-1", email: str = ADA, **overrides: Any) -> operators.OperatorHurried:
    return operators.OperatorHurried(**(_decision(step, email) | overrides))


def make_held(what: str | None = None, email: str = ADA, **overrides: Any) -> operators.OperatorHeld:
    return operators.OperatorHeld(**(_intent(what, email) | overrides))


def make_resumed(what: str | None = None, email: str = ADA, **overrides: Any) -> operators.OperatorResumed:
    return operators.OperatorResumed(**(_intent(what, email) | {"round": 1} | overrides))


def make_cancelled(what: str | None = None, email: str = ADA, **overrides: Any) -> operators.OperatorCancelled:
    return operators.OperatorCancelled(**(_intent(what, email) | overrides))


def make_corrected(
    field: operators.Correctable = "first_name", email: str = ADA, **overrides: Any
) -> operators.ContactCorrected:
    values: dict[str, Any] = {"contact": ids.contact_id(email), "at": NOW, "field": field, "by": "grace"}
    return operators.ContactCorrected(**(values | {"value": "Augusta", "was": "Ada"} | overrides))


def _intent(what: str | None, email: str) -> dict[str, Any]:
    """About everything the person gets, unless said otherwise."""
    contact = ids.contact_id(email)
    return {"contact": contact, "at": NOW, "what": what or contact, "by": "grace"}


def _delivery(step: str, email: str) -> dict[str, Any]:
    return _about(step, email) | {"provider_id": "re_1", "webhook": "msg_1"}


def _decision(step: str, email: str) -> dict[str, Any]:
    return {"contact": ids.contact_id(email), "at": NOW, "what": make_email_id(step, email), "by": "grace"}


def _about(step: str, email: str) -> dict[str, Any]:
    return {"contact": ids.contact_id(email), "at": NOW, "email_id": make_email_id(step, email)}


AnyBooking = (
    bookings.BookingCreated
    | bookings.BookingRescheduled
    | bookings.BookingRequested
    | bookings.BookingCancelled
    | bookings.BookingRejected
    | bookings.MeetingEnded
    | bookings.NoShowReported
    | bookings.NoShowWithdrawn
)
ORGANIZER = bookings.Person(email="host@example.com", name="Business X", time_zone="America/Toronto", locale="en")


def make_booker(email: str = ADA, **overrides: Any) -> bookings.Person:
    values = {"name": "Ada Lovelace", "first_name": "Ada", "time_zone": "America/Toronto", "locale": "en"}
    return bookings.Person(**({"email": email} | values | overrides))


def make_booking_created(uid: str = "b1", email: str = ADA, **overrides: Any) -> bookings.BookingCreated:
    return bookings.BookingCreated(**_meeting(uid, email, overrides))


def make_booking_requested(uid: str = "b1", email: str = ADA, **overrides: Any) -> bookings.BookingRequested:
    return bookings.BookingRequested(**_meeting(uid, email, overrides))


def make_booking_rescheduled(
    uid: str = "b2", before: str | None = "b1", email: str = ADA, **overrides: Any
) -> bookings.BookingRescheduled:
    """A day later than before, said an hour later."""
    moved = {"reschedule_uid": before, "sent_at": at(hours=1), "start": at(days=8), "ical_sequence": 1}
    return bookings.BookingRescheduled(**_meeting(uid, email, moved | overrides))


def make_booking_cancelled(uid: str = "b1", email: str = ADA, **overrides: Any) -> bookings.BookingCancelled:
    return bookings.BookingCancelled(**_called_off(uid, email, overrides))


def make_booking_rejected(uid: str = "b1", email: str = ADA, **overrides: Any) -> bookings.BookingRejected:
    return bookings.BookingRejected(**_called_off(uid, email, overrides))


def make_meeting_ended(uid: str = "b1", email: str = ADA, **overrides: Any) -> bookings.MeetingEnded:
    return bookings.MeetingEnded(**_about_booking(uid, email, {"sent_at": at(days=7, minutes=30)} | overrides))


def make_no_show_reported(uid: str = "b1", email: str = ADA, **overrides: Any) -> bookings.NoShowReported:
    return bookings.NoShowReported(**_about_booking(uid, email, {"sent_at": at(days=7, hours=1)} | overrides))


def make_no_show_withdrawn(uid: str = "b1", email: str = ADA, **overrides: Any) -> bookings.NoShowWithdrawn:
    return bookings.NoShowWithdrawn(**_about_booking(uid, email, {"sent_at": at(days=7, hours=2)} | overrides))


def make_triggered(name: str = "call_done", email: str = ADA, **overrides: Any) -> facts.Triggered:
    values: dict[str, Any] = {"contact": ids.contact_id(email), "at": NOW, "campaign": CAMPAIGN, "name": name}
    return facts.Triggered(**(values | {"email": email, "key": "k1", "first_name": "Ada"} | overrides))


def make_chain(*fates: str, email: str = ADA, uid: str = "b", **overrides: Any) -> list[AnyBooking]:
    """One meeting: created, then each of `moved`, `cancelled`, `ended`, `missed`, an hour apart.

    A move makes booking `b2` of `b1`, a day later; the rest is about the newest. `overrides` hold for all that is
    scheduled.
    """
    first = make_booking_created(f"{uid}1", email, **overrides)
    chain: list[AnyBooking] = [first]
    newest: bookings.BookingCreated | bookings.BookingRescheduled = first
    for hour, fate in enumerate(fates, start=1):
        said = {"at": first.at + timedelta(hours=hour), "sent_at": first.sent_at + timedelta(hours=hour)}
        if fate == "moved":
            newest = _moved(newest, uid, overrides | said)
        chain.append(newest if fate == "moved" else _befell(fate, newest, email, said))
    return chain


def _befell(fate: str, newest: bookings.Scheduled, email: str, said: dict[str, Any]) -> AnyBooking:
    match fate:
        case "cancelled":
            return make_booking_cancelled(newest.uid, email, ical_uid=newest.ical_uid, **said)
        case "ended":
            return make_meeting_ended(newest.uid, email, **said)
        case "missed":
            return make_no_show_reported(newest.uid, email, **said)
    raise ValueError(fate)


def _moved(before: bookings.Scheduled, uid: str, overrides: dict[str, Any]) -> bookings.BookingRescheduled:
    number = int(before.uid.removeprefix(uid)) + 1
    day = timedelta(days=1)
    times = {"start": before.start + day, "end": before.end + day, "ical_sequence": number - 1}
    names = {"ical_uid": before.ical_uid, "booker": before.booker}
    return make_booking_rescheduled(f"{uid}{number}", before.uid, before.booker.email, **(overrides | names | times))


def _meeting(uid: str, email: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """In a week, for half an hour, unless said otherwise; a move keeps the calendar uid of the first booking."""
    start = overrides.get("start", at(days=7))
    root = overrides.get("reschedule_uid") or uid
    values = {
        "start": start,
        "end": start + timedelta(minutes=30),
        "organizer": ORGANIZER,
        "ical_uid": f"{root}@example.com",
        "ical_sequence": 0,
        "title": "Systems call",
        "event_type": "systems-call",
        "video_url": "https://video.example.com/call",
    }
    return _about_booking(uid, email, values | overrides)


def _called_off(uid: str, email: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """Two hours after it was booked."""
    return _about_booking(uid, email, {"ical_uid": f"{uid}@example.com", "sent_at": at(hours=2)} | overrides)


def _about_booking(uid: str, email: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """Heard when it was sent."""
    sent_at = overrides.get("sent_at", NOW)
    values = {"contact": ids.contact_id(email), "at": sent_at, "uid": uid, "booker": make_booker(email)}
    return values | {"sent_at": sent_at} | overrides
