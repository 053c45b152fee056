"""The last check: what to do about an email whose timer fired. Pure.

A wake-up may be a duplicate, early, late, cancelled or superseded. What counts is the plan, the claim and the time.
"""

from datetime import datetime, timedelta

import msgspec

from eventlog.claims import Claim
from journey.contact import Email
from journey.plan import HELD, Planned

KEY_LIFE = timedelta(hours=23)
"""The provider remembers an idempotency key for 24 h; after that the same key sends again."""

EARLY = timedelta(seconds=1)


class Ended(msgspec.Struct, frozen=True):
    """It already is sent, skipped, failed or unknown."""

    state: str


class Later(msgspec.Struct, frozen=True):
    """Its time has not come."""

    due: datetime


class Unwanted(msgspec.Struct, frozen=True):
    """Not to be sent as things stand. No fact: the plan says why, and another fact may change it."""

    reason: str


class Interrupted(msgspec.Struct, frozen=True):
    """Held while an attempt was open whose result nobody wrote down: that is a fact, so that the plan knows of it."""

    attempt: int
    at: datetime


class Skip(msgspec.Struct, frozen=True):
    """It will never be sent, and no attempt was made."""

    reason: str


class Fail(msgspec.Struct, frozen=True):
    """It will never be sent: every attempt was refused, and its time is over."""

    reason: str


class Doubt(msgspec.Struct, frozen=True):
    """It may have been sent, and trying again could send it twice."""

    reason: str


class Lost(msgspec.Struct, frozen=True):
    """The claim says it has ended, the facts do not (yet): a replica that lags, or a restored backup."""


class Send(msgspec.Struct, frozen=True):
    """Send it, as this attempt. `repeat`: that attempt was begun before and its result is not known."""

    attempt: int
    repeat: bool


Decision = Ended | Unwanted | Interrupted | Later | Skip | Fail | Doubt | Lost | Send


def decide(planned: Planned | None, claim: Claim | None, now: datetime) -> Decision:
    """What the plan, the claim and the time say about one email."""
    if planned and planned.email.end:
        return Ended(planned.state)
    claim = of_this_round(claim, planned.email) if planned else claim
    if claim and claim.body is None:
        return Lost()
    if planned is None:
        return Doubt("no longer planned while an attempt was open") if claim else Skip("not_planned")
    if planned.is_held:
        return _held(planned, claim)
    if planned.unwanted:
        in_doubt = in_doubt_since(planned.email, claim) is not None
        return Doubt(f"{planned.unwanted} while an attempt was open") if in_doubt else Unwanted(planned.unwanted)
    if planned.due > now + EARLY:
        return Later(planned.due)
    since = in_doubt_since(planned.email, claim)
    if now > planned.expires:
        return _expired(planned, in_doubt=since is not None)
    if since and now - since > KEY_LIFE:
        return Doubt("unconfirmed for so long that the provider has forgotten the key")
    return Send(*_attempt(planned, claim))


def _held(planned: Planned, claim: Claim | None) -> Decision:
    """It waits, even in doubt: after the resume it is sent under the same key, or found to be unknown."""
    if claim and claim.attempt not in planned.email.attempts:
        return Interrupted(claim.attempt, claim.attempt_at)
    return Unwanted(HELD)


def of_this_round(claim: Claim | None, email: Email) -> Claim | None:
    """A claim from before an operator asked for another try counts no more."""
    return None if claim and claim.round < email.round else claim


def in_doubt_since(email: Email, claim: Claim | None) -> datetime | None:
    """Since when the provider may have the email without our knowing it; None if every answer so far was a clear no."""
    moments = [attempt.at for attempt in email.open_attempts.values() if attempt.accepted == "maybe"]
    if claim and claim.attempt not in email.attempts:
        moments.append(claim.attempt_at)
    return min(moments, default=None)


def _expired(planned: Planned, *, in_doubt: bool) -> Decision:
    if in_doubt:
        return Doubt("expired while an attempt was unconfirmed")
    if tried := planned.email.open_attempts:
        last = tried[max(tried)]
        return Fail(f"expired; last attempt: {last.reason}")
    return Skip("expired")


def _attempt(planned: Planned, claim: Claim | None) -> tuple[int, bool]:
    if claim and claim.attempt not in planned.email.attempts:
        return claim.attempt, True
    return max([0, *planned.email.attempts]) + 1, False
