"""What happens in the demo: three people sign up, one for each segment; two book a call, one moves it, one cancels."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

PEOPLE: tuple[dict[str, Any], ...] = (
    {
        "email": "maria@example.com",
        "first_name": "Maria",
        "business_name": "Maria's Bakery",
        "assessment_data": {
            "assessment_score": 34,
            "red_systems": 3,
            "orange_systems": 2,
            "yellow_systems": 1,
            "green_systems": 2,
            "gps_score": 41,
            "money_score": 28,
            "weakest_system_1": "Cash flow",
            "weakest_system_2": "Follow-up",
            "revenue_leak_total": 14_700,
        },
    },
    {
        "email": "tom@example.com",
        "first_name": "Tom",
        "business_name": "Harbour Physio",
        "assessment_score": 58,
        "red_systems": 1,
        "orange_systems": 1,
        "yellow_systems": 4,
        "green_systems": 2,
        "gps_score": 60,
        "weakest_system_1": "Scheduling",
        "revenue_leak_total": 6_200,
    },
    {
        "email": "aiko@example.com",
        "first_name": "Aiko",
        "assessment_score": 83,
        "orange_systems": 1,
        "yellow_systems": 2,
        "green_systems": 5,
    },
)
"""CRITICAL, URGENT, OPTIMIZE."""


class Call(NamedTuple):
    """One webhook of the calendar service, so many seconds after the beginning."""

    after_s: float
    body: dict[str, Any]


def calls(began: datetime, run: str, addresses: list[str]) -> Iterator[Call]:
    """Maria books a call and moves it once; Tom books one and cancels it. The same `began` gives the same webhooks."""
    maria, tom = addresses[:2]
    first, moved = began + timedelta(seconds=22), began + timedelta(seconds=25)
    far = began + timedelta(seconds=30)  # so that the first email about it is seconds after the cancellation
    yield Call(0, _webhook("BOOKING_CREATED", began, f"{run}-m1", maria, first))
    yield Call(0, _webhook("BOOKING_CREATED", began, f"{run}-t1", tom, far))
    yield Call(2, _webhook("BOOKING_CANCELLED", began + timedelta(seconds=2), f"{run}-t1", tom, far))
    late = _webhook("BOOKING_RESCHEDULED", began + timedelta(seconds=6), f"{run}-m2", maria, moved)
    late["payload"] |= {"rescheduleUid": f"{run}-m1", "rescheduleStartTime": first.isoformat(), "iCalSequence": 1}
    yield Call(6, late)


def _webhook(trigger: str, sent_at: datetime, uid: str, email: str, start: datetime) -> dict[str, Any]:
    """As Cal.com sends it, as far as it matters here."""
    return {
        "triggerEvent": trigger,
        "createdAt": sent_at.isoformat(),
        "payload": {
            "type": "systems-call",
            "title": "Systems call",
            "uid": uid,
            "iCalUID": f"{uid.rstrip('12')}@calendar.example.com",
            "startTime": start.isoformat(),
            "endTime": (start + timedelta(seconds=1)).isoformat(),
            "organizer": {"name": "Business X", "email": "hello@example.com", "timeZone": "America/Toronto"},
            "attendees": [
                {"email": email, "name": email.split("@", maxsplit=1)[0].title(), "timeZone": "America/Vancouver"}
            ],
            "metadata": {"videoCallUrl": f"https://video.example.com/{uid}"},
        },
    }


def _name(email: str) -> str:
    return email.partition("@")[0].partition("+")[0].title()
