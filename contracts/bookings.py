"""Facts about meetings, as the calendar service tells them.

They arrive in any order, twice, or not at all; `sent_at` says when the service sent each. A booking has a `uid`; moving
it makes another booking with another uid that names the one before. The uid opens the booking's cancel page, so it
stays out of subjects: there its digest stands for it.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.base import Fact, Utc
from contracts.ids import digest


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a meeting."""

    email: str
    name: str = ""
    first_name: str = ""
    time_zone: Annotated[str | None, Meta(description="IANA name")] = None
    locale: str | None = None


class BookingFact(Fact, frozen=True, kw_only=True):
    """A fact about one booking; the contact is the person who booked.

    Identity: the booking, and when the service sent it; where it does not say, what it sent.
    """

    uid: str
    sent_at: Utc
    booker: Person
    delivery: Annotated[
        str | None, Meta(description="digest of what was delivered, where it does not say when it was sent")
    ] = None

    @property
    def id(self) -> str:
        return f"{digest(self.uid)}.{digest(self.delivery or self.sent_at.isoformat())}"


class Scheduled(BookingFact, frozen=True, kw_only=True):
    """What is known of a meeting that has a time. `guests` came along."""

    start: Utc
    end: Utc
    guests: tuple[Person, ...] = ()
    organizer: Person | None = None
    reschedule_uid: Annotated[str | None, Meta(description="the booking this one replaces")] = None
    ical_uid: Annotated[str | None, Meta(description="stays the same when a meeting moves")] = None
    ical_sequence: int | None = None
    title: str = ""
    event_type: Annotated[str | None, Meta(description="slug of the event type")] = None
    location: str | None = None
    video_url: str | None = None


class BookingCreated(Scheduled, frozen=True, kw_only=True, tag="booking_created"):
    """A meeting is booked, and confirmed where that is needed."""


class BookingRescheduled(Scheduled, frozen=True, kw_only=True, tag="booking_rescheduled"):
    """A meeting has moved: `uid` is the new booking, `reschedule_uid` the one before it."""


class BookingRequested(Scheduled, frozen=True, kw_only=True, tag="booking_requested"):
    """A meeting is asked for and waits for the organiser to confirm it."""


class BookingCancelled(BookingFact, frozen=True, kw_only=True, tag="booking_cancelled"):
    """A meeting will not take place."""

    ical_uid: str | None = None
    reschedule_uid: str | None = None
    start: Utc | None = None
    end: Utc | None = None
    reason: str | None = None
    by_organizer: bool = False
    reschedule_requested: Annotated[bool, Meta(description="the host asked for another time")] = False


class BookingRejected(BookingFact, frozen=True, kw_only=True, tag="booking_rejected"):
    """The organiser declined a requested meeting."""

    ical_uid: str | None = None
    reschedule_uid: str | None = None
    reason: str | None = None


class MeetingEnded(BookingFact, frozen=True, kw_only=True, tag="meeting_ended"):
    """The planned end has passed, whether or not anybody came. Identity: the booking; it ends once."""

    start: Utc | None = None
    end: Utc | None = None

    @property
    def id(self) -> str:
        return digest(self.uid)


class NoShowReported(BookingFact, frozen=True, kw_only=True, tag="no_show_reported"):
    """Somebody did not come, says the organiser."""


class NoShowWithdrawn(BookingFact, frozen=True, kw_only=True, tag="no_show_withdrawn"):
    """They did come after all."""
