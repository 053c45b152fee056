"""What is worth an alert: from what a look found on the broker to what to say of it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from contracts.ids import EmailId
from contracts.subjects import Timer
from eventlog.lag import Lag
from eventlog.pause import Paused
from eventlog.pulling import Pulling
from services.notifier.standing import Finding, duration


class Limits(msgspec.Struct, frozen=True):
    """What is too much. `no_signups` None: never."""

    late: timedelta
    lag: timedelta
    no_signups: timedelta | None = None
    away: timedelta = timedelta(minutes=2)
    unpulled: timedelta = timedelta(minutes=2)


def emails_late(waiting: Iterable[Timer], now: datetime, limits: Limits) -> Finding | None:
    """`waiting`: what has not been sent, whether its time has come or not."""
    late = sorted((timer for timer in waiting if now - timer.due_at > limits.late), key=lambda timer: timer.due)
    if not late:
        return None
    first = EmailId.parse(late[0].email_id)
    age, which = duration(now - late[0].due_at), f"{first.campaign}/{first.sequence}/{first.step}"
    text = f"{_count(len(late), 'email')} late, the oldest by {age} ({which}, contact {first.contact})"
    return Finding(text, "look at `dripstream failures`, and whether the sender and the scheduler run")


def messages_parked(by_consumer: Mapping[str, int], newest: int) -> Finding | None:
    """`newest`: the number of the newest one ever parked, so that more of them are told."""
    if not by_consumer:
        return None
    each = ", ".join(f"{number} of {name}" for name, number in sorted(by_consumer.items()))
    text = f"{_count(sum(by_consumer.values()), 'message')} parked: {each}"
    return Finding(text, "`dripstream failures` says why; retry or discard them", level=newest)


def service_paused(service: str, pause: Paused | None) -> Finding | None:
    if pause is None:
        return None
    text = f"{service} is paused until {pause.until:%Y-%m-%d %H:%M} UTC: {pause.reason}"
    return Finding(text, f"put right why, then `dripstream resume {service}`")


def service_lags(service: str, lag: Lag, limits: Limits) -> Finding | None:
    if lag.oldest_s <= limits.lag.total_seconds():
        return None
    age = duration(timedelta(seconds=lag.oldest_s))
    text = f"{service} is behind by {_count(lag.behind, 'fact')}, the oldest {age} old"
    return Finding(text, f"look at the log of {service}, and at /ready")


def service_down(service: str, pulling: Pulling, now: datetime, limits: Limits) -> Finding | None:
    """Nobody asks for messages, and none were handed out for a while: busy ones ask for more as they finish."""
    if pulling.waiting or (pulling.active_at and now - pulling.active_at <= limits.unpulled):
        return None
    return Finding(f"no {service} asks the broker for work", f"start it, or look at the log of {service}")


def no_signups(last: datetime, now: datetime, limits: Limits) -> Finding | None:
    """`last`: of the newest signup, or when the log was made if there is none."""
    if limits.no_signups is None or now - last <= limits.no_signups:
        return None
    text = f"no signup for {duration(now - last)}, since {last:%Y-%m-%d %H:%M} UTC"
    return Finding(text, "send the form on the website, and look at its log and at that of ingest")


def broker_away(reason: str) -> Finding:
    """Nothing is lost meanwhile: webhooks are refused, and their senders ask again."""
    return Finding(f"JetStream does not answer: {reason}", "look at nats-server, its disk and its log")


def by_consumer(parked: Sequence[str]) -> dict[str, int]:
    """How many of each, from the subjects of what is parked: `parked.<consumer>.…`, or an advisory that names it."""
    found: dict[str, int] = {}
    for subject in parked:
        tokens = subject.split(".")
        name = tokens[1] if tokens[0] == "parked" else tokens[-1]
        found[name] = found.get(name, 0) + 1
    return found


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
