"""What the sender is told: to pause, and to go on. Pure: requests in, answers out."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from eventlog.pause import Paused
from services.durations import LONGEST_PAUSE, duration
from services.questions import LINE, Refused, one_line, read

ME = "sender"

Line = Annotated[str, Meta(max_length=LINE)]


class PauseAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long, who says so, and why."""

    for_: Annotated[str, Meta(max_length=30)] = msgspec.field(name="for", default="")
    by: Line = ""
    why: Line = ""
    service: Line = ME


class ResumeAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who says so, and why."""

    by: Line = ""
    why: Line = ""
    service: Line = ME


class Pause(msgspec.Struct, frozen=True):
    """What is to be done."""

    for_: timedelta
    by: str
    why: str


class Resume(msgspec.Struct, frozen=True):
    """What is to be done."""

    by: str
    why: str


def pause_from(payload: bytes) -> Pause:
    """Errors: Refused."""
    asked = read(payload, PauseAsked)
    return Pause(for_=_how_long(asked.for_), by=_who(asked), why=one_line(asked.why))


def resume_from(payload: bytes) -> Resume:
    """Errors: Refused."""
    asked = read(payload, ResumeAsked)
    return Resume(by=_who(asked), why=one_line(asked.why))


def _who(asked: PauseAsked | ResumeAsked) -> str:
    if asked.service != ME:
        raise Refused(400, '`service` can only be "sender" here; `dripstream pause --help` names the others')
    if not (by := one_line(asked.by)):
        raise Refused(400, '`by` is missing: say who you are, {"by": "ada"}; it is kept with the fact')
    return by


def _how_long(text: str) -> timedelta:
    """Errors: Refused."""
    try:
        return duration(text, LONGEST_PAUSE)
    except ValueError as error:
        how = f"`for` says how long: 30m, 1h30m, 2d; more than nothing and up to {LONGEST_PAUSE.days}d"
        raise Refused(400, how) from error


def pause_answer(now: Paused | None, before: Paused | None) -> dict[str, Any]:
    """How it stands, and how it stood. `now` is None only where somebody resumed it in the same moment."""
    return {"service": ME, "paused": _said(now), "before": _said(before)}


def resume_answer(before: Paused | None) -> dict[str, Any]:
    """`before` is null where it was not paused: then nothing was done, and nothing is in the diary."""
    return {"service": ME, "paused": None, "before": _said(before)}


def _said(pause: Paused | None) -> dict[str, Any] | None:
    return {"until": pause.until, "reason": pause.reason} if pause else None
