"""When an alert is told: as it begins, now and then while it stands, and once it is over. Pure."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from eventlog.notices import Standing, begun
from services.notifier.message import Message

Kind = Literal["begun", "still", "over"]


class Finding(msgspec.Struct, frozen=True):
    """What a look found wrong. `level` grows where more of it is worth telling before `again` is over."""

    text: str
    advice: str
    level: int = 0


class Pace(msgspec.Struct, frozen=True):
    """`hold`: how long it must be found before it counts, `clear`: and how long not, before it is over."""

    hold: timedelta
    clear: timedelta
    again: timedelta = timedelta(hours=6)
    more: timedelta = timedelta(minutes=10)

    @classmethod
    def two_looks(cls, every: timedelta) -> "Pace":
        """A look apart; less, since looks come a little early or late, and two notifiers take turns."""
        return cls(hold=every * 3 / 4, clear=every * 3 / 4)


class Note(msgspec.Struct, frozen=True):
    """Nothing to tell, only something to remember."""

    standing: Standing


class Tell(msgspec.Struct, frozen=True):
    """Remember `begun`, post, and then `told` or, if it surely is not in the chat, `owed`."""

    kind: Kind
    begun: Standing
    told: Standing
    owed: Standing


Step = Note | Tell | None


def step(standing: Standing | None, finding: Finding | None, now: datetime, pace: Pace) -> Step:
    """What one look means for one alert. None: nothing changes."""
    if standing is None or standing.over:
        return Note(Standing(since=now)) if finding else None
    return _stands(standing, finding, now, pace) if finding else _gone(standing, now, pace)


def _stands(before: Standing, finding: Finding, now: datetime, pace: Pace) -> Step:
    standing = msgspec.structs.replace(before, gone_at=None)
    if now - standing.since >= pace.hold and _is_due(standing, finding, now, pace):
        told = msgspec.structs.replace(
            standing, told_at=now, told_level=max(finding.level, standing.told_level), attempt=None, owed=False
        )
        return _tell("still" if standing.told_at else "begun", standing, told, now)
    return Note(standing) if standing != before else None


def _is_due(standing: Standing, finding: Finding, now: datetime, pace: Pace) -> bool:
    if _is_under_way(standing, now):
        return False
    if standing.told_at is None:
        return True
    age = now - standing.told_at
    return age >= pace.again or (finding.level > standing.told_level and age >= pace.more)


def _gone(before: Standing, now: datetime, pace: Pace) -> Step:
    if before.told_at is None and before.attempt is None and not before.owed:
        return Note(_over(before))  # nobody ever heard of it
    standing = msgspec.structs.replace(before, gone_at=before.gone_at or now)
    if standing.gone_at and now - standing.gone_at >= pace.clear and not _is_under_way(standing, now):
        return _tell("over", standing, _over(standing), now)
    return Note(standing) if standing != before else None


def _is_under_way(standing: Standing, now: datetime) -> bool:
    return standing.attempt is not None and now < standing.attempt.until()


def _tell(kind: Kind, standing: Standing, told: Standing, now: datetime) -> Tell:
    under_way = msgspec.structs.replace(standing, attempt=begun(standing.attempt, now))
    return Tell(kind, under_way, told, msgspec.structs.replace(standing, attempt=None, owed=True))


def _over(standing: Standing) -> Standing:
    return Standing(since=standing.since, over=True)


def message(alert: str, kind: Kind, standing: Standing, finding: Finding | None, now: datetime) -> Message:
    lasted = duration((standing.gone_at or now) - standing.since)
    since = f"{standing.since:%Y-%m-%d %H:%M} UTC"
    if kind == "over" or finding is None:
        return Message(f"{alert}: over", (("Stood", f"{lasted}, since {since}"),))
    lines = (("What", finding.text), ("Do", finding.advice))
    if kind == "still":
        return Message(f"{alert}: still so", (*lines, ("Stands", f"{lasted}, since {since}")))
    return Message(alert, lines)


def duration(length: timedelta) -> str:
    """`3 days 4 h`, `2 h 5 min`, `40 s`: the two biggest parts."""
    seconds = max(0, round(length.total_seconds()))
    days = seconds // 86400
    day = "day" if days == 1 else "days"
    parts = [(days, day), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next((place for place, (number, _) in enumerate(parts) if number), 3)
    shown = [f"{number} {unit}" for number, unit in parts[first : first + 2] if number and (unit != "s" or first == 3)]
    return " ".join(shown) or "0 s"
