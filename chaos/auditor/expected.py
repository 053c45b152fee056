"""Which emails everybody should have got, reasoned from the accepted facts and the campaign file alone.

The rules, all of them:
- A signup brings every step of the sequences it triggers, counted from the first form, until a trigger named in
  `exit_on` is stored.
- Every time a meeting ever had brings the steps before its start and after its end, until a move or a cancellation of
  that booking is stored; none whose time had passed when it was booked, and none of a meeting booked too late.
- A step with `again_when_moved = false` comes once a meeting.
- A cancellation is told to whoever had been sent a calendar file for one of the meeting's times.
- What falls due after it was called off must never be sent. What was due before may have been, or may not.
"""

import hashlib
import re
from base64 import b32encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from chaos.auditor.evidence import CAMPAIGN, Document, Stored

Wish = Literal["must", "may", "never"]
MARGIN = timedelta(seconds=1)
"""A wake-up and a cancellation within the same second: either may be first."""

EXPIRY = "72h"
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Expected:
    """One email of one person. `until`: when it was called off, if it was."""

    email_id: str
    due: datetime
    expires: datetime
    wish: Wish
    until: datetime | None = None


@dataclass(frozen=True)
class Booking:
    """One time of one meeting. `root` is the first booking of its chain of moves."""

    uid: str
    root: str
    start: datetime
    end: datetime
    sent_at: datetime
    until: datetime | None

    @property
    def instance(self) -> str:
        return f"{short(self.uid)}-{int(self.start.timestamp())}"


def contact_of(address: str) -> str:
    return "c" + b32encode(hashlib.sha256(address.strip().lower().encode()).digest()[:17]).decode().lower()[:26]


def short(text: str) -> str:
    return b32encode(hashlib.sha256(text.encode()).digest()[:10]).decode().lower()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


class Expectations:
    """The campaign file, at a pace. Delays are the steps' testing delays; expiry is not compressed."""

    def __init__(self, campaign: Document, speedup: float) -> None:
        self._sequences: dict[str, Document] = campaign["sequences"]
        self._speedup = speedup

    def of(self, facts: Iterable[Stored]) -> dict[str, Expected]:
        """By email id, for everybody."""
        by_contact: dict[str, list[Stored]] = {}
        for fact in facts:
            by_contact.setdefault(fact.contact, []).append(fact)
        each = (email for contact, known in by_contact.items() for email in self._of_one(contact, known))
        return {email.email_id: email for email in each}

    def _of_one(self, contact: str, facts: list[Stored]) -> Iterator[Expected]:
        times = _bookings(facts)
        for name, sequence in self._sequences.items():
            who = f"{contact}.{CAMPAIGN}.{name}"
            if sequence["trigger"] == "signup":
                yield from self._after_signup(who, sequence, facts)
            elif sequence["trigger"] == "booking_created":
                for time in times:
                    yield from self._around(who, sequence, time, times, facts)
            elif sequence["trigger"] == "booking_cancelled":
                yield from self._taken_back(who, sequence, times, facts)

    def _after_signup(self, who: str, sequence: Document, facts: list[Stored]) -> Iterator[Expected]:
        forms = [moment(fact.body["at"]) for fact in facts if fact.tag == "signup_received"]
        if not forms:
            return
        stops = [
            fact.at
            for fact in facts
            if fact.tag == "triggered" and fact.body["name"] in sequence.get("exit_on", ())
            if moment(fact.body["at"]) >= min(forms)
        ]
        for step in sequence["steps"]:
            due = min(forms) + self._delay(step)
            yield _wished(f"{who}.once.{step['id']}", due, due + _expiry(step), min(stops, default=None))

    def _around(
        self, who: str, sequence: Document, time: Booking, times: list[Booking], facts: list[Stored]
    ) -> Iterator[Expected]:
        anchor = {"start": time.start, "end": time.end}[sequence["anchor"]]
        notice = duration(sequence.get("testing_min_notice", "0s")) / self._speedup
        for step in sequence["steps"]:
            email_id, due = f"{who}.{time.instance}.{step['id']}", anchor + self._delay(step)
            expires = due + _expiry(step)
            if sequence["anchor"] == "start":
                expires = min(expires, time.start)
                if due < time.sent_at or time.start - time.sent_at < notice:
                    yield Expected(email_id, due, expires, "never")
                    continue
            email = _wished(email_id, due, expires, time.until)
            yield email if step.get("again_when_moved", True) else _once(email, who, step, time, times, facts)

    def _taken_back(
        self, who: str, sequence: Document, times: list[Booking], facts: list[Stored]
    ) -> Iterator[Expected]:
        files = {step["id"] for each in self._sequences.values() for step in each["steps"] if step.get("calendar")}
        for fact in facts:
            if fact.tag != "booking_cancelled":
                continue
            root = next((time.root for time in times if time.uid == fact.body["uid"]), None)
            same = [time for time in times if time.root == root]
            instances = {time.instance for time in same}
            has_file = any(
                sent.body["email_id"].split(".")[3] in instances and sent.body["email_id"].split(".")[4] in files
                for sent in facts
                if sent.tag == "email_sent"
            )
            for step in sequence["steps"]:
                email_id, due = f"{who}.{short(fact.body['uid'])}.{step['id']}", moment(fact.body["sent_at"])
                expires = min([due + _expiry(step), *(time.start for time in same if time.uid == fact.body["uid"])])
                yield Expected(email_id, due + self._delay(step), expires, "must" if has_file else "never")

    def _delay(self, step: Document) -> timedelta:
        return duration(step["testing_after"]) / self._speedup


def _wished(email_id: str, due: datetime, expires: datetime, until: datetime | None) -> Expected:
    wish: Wish = "must" if until is None else "never" if due > until + MARGIN else "may"
    return Expected(email_id, due, expires, wish, until)


def _once(
    email: Expected, who: str, step: Document, time: Booking, times: list[Booking], facts: list[Stored]
) -> Expected:
    """For a step that is not repeated when the meeting moves."""
    others = {f"{who}.{other.instance}.{step['id']}" for other in times if other.root == time.root} - {email.email_id}
    sent = [
        fact.at for fact in facts if fact.tag in {"email_sent", "email_unknown"} and fact.body["email_id"] in others
    ]
    if not sent or email.wish == "never":
        return email
    wish: Wish = "never" if email.due > min(sent) + MARGIN else "may"
    return Expected(email.email_id, email.due, email.expires, wish, email.until or min(sent))


def _bookings(facts: list[Stored]) -> list[Booking]:
    told = [fact for fact in facts if fact.tag in {"booking_created", "booking_rescheduled"}]
    before = {fact.body["uid"]: fact.body.get("reschedule_uid") for fact in told}
    ended: dict[str, list[datetime]] = {}
    for fact in facts:
        if fact.tag == "booking_cancelled":
            ended.setdefault(fact.body["uid"], []).append(fact.at)
        elif fact.tag == "booking_rescheduled":
            ended.setdefault(fact.body["reschedule_uid"], []).append(fact.at)
    return [
        Booking(
            uid=fact.body["uid"],
            root=_root(fact.body["uid"], before),
            start=moment(fact.body["start"]),
            end=moment(fact.body["end"]),
            sent_at=moment(fact.body["sent_at"]),
            until=min(ended.get(fact.body["uid"], []), default=None),
        )
        for fact in told
    ]


def _root(uid: str, before: dict[str, Any]) -> str:
    while previous := before.get(uid):
        uid = previous
    return uid


def _expiry(step: Document) -> timedelta:
    return duration(step.get("expires_after", EXPIRY))


def duration(text: str) -> timedelta:
    """`-24h`, `5m`, `90s`, `3d`."""
    match = re.fullmatch(r"(-?\d+)([smhd])", text)
    if match is None:
        raise ValueError(f"{text!r} is not a delay")
    return timedelta(**{UNITS[match[2]]: int(match[1])})
