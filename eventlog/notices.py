"""What was told in the chat, and what is just being told: so that neither a restart nor a second notifier repeats it.

A notice is written down before it is posted and again after. Stopped in between, nobody knows whether it was posted;
then it is posted again after a while, as a doubled notice is better than a lost one (docs/adr/0023).
"""

from datetime import datetime, timedelta

import msgspec

from contracts import subjects
from contracts.base import Count, Utc
from eventlog.bucket import Bucket
from eventlog.connection import Broker

KEPT_S = 48 * 3600
"""How long what was told is remembered: twice as long as a signup is news."""

FIRST, GROWS, LONGEST = timedelta(seconds=90), 4, timedelta(hours=1)
"""Longer than a post can take; after each one that ended in doubt so many times as long, up to an hour."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A post that was begun, and of which nothing is known yet. `tries`: how many such there were in a row."""

    at: Utc
    tries: Count = 1

    def until(self) -> datetime:
        """Before then it may still be under way."""
        factor: int = GROWS ** (min(self.tries, 10) - 1)
        return self.at + min(FIRST * factor, LONGEST)


def begun(before: Attempt | None, now: datetime) -> Attempt:
    return Attempt(at=now, tries=before.tries + 1 if before else 1)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell once."""

    attempt: Attempt | None = None
    told: bool = False
    v: int = 1


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An alert since the first look that found it.

    `gone_at`: since when looks do not find it any more. `owed`: the chat did not take what there was to tell. `over`:
    nothing stands any more.
    """

    since: Utc
    gone_at: Utc | None = None
    told_at: Utc | None = None
    told_level: int = 0
    attempt: Attempt | None = None
    owed: bool = False
    over: bool = False
    v: int = 1


def notices(broker: Broker) -> Bucket[Notice]:
    """Bucket `alerts`, what is told once."""
    return Bucket(broker, subjects.ALERTS, Notice)


def standings(broker: Broker) -> Bucket[Standing]:
    """Bucket `alerts`, what stands for a while."""
    return Bucket(broker, subjects.ALERTS, Standing)


def signup_key(name: str) -> str:
    """Of the notice about one signup, by the name of the fact."""
    return f"signup.{name}"


def alert_key(alert: str) -> str:
    return f"alert.{alert}"
