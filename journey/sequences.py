"""The sequences of a campaign file: when each begins and ends, and its steps. What can never work is refused."""

import re
from datetime import timedelta
from difflib import get_close_matches
from typing import NamedTuple, get_args

from contracts.facts import FACTS
from contracts.ids import TOKEN
from journey.model import BOOKED, CANCELLED, EVENTS, NO_SHOW, Anchor, Sequence, Step
from journey.toml_table import Table

DEFAULT_EXPIRY = "72h"
LONGEST_DELAY = timedelta(days=3_650)
MEETINGS = (BOOKED, CANCELLED, NO_SHOW)
_DELAY = re.compile(r"(-?)(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TAGS = frozenset(str(fact.__struct_config__.tag) for fact in FACTS) - set(EVENTS)


class _Around(NamedTuple):
    """What steps depend on outside their own table."""

    segments: tuple[str, ...]
    templates: set[str]
    trigger: str = ""
    anchor: Anchor = "trigger"


def read_sequences(table: Table, segments: tuple[str, ...], templates: set[str]) -> tuple[Sequence, ...]:
    """`templates` are the names of those that are there."""
    sequences = table.table("sequences")
    if not sequences.data:
        sequences.refuse(None, "no sequence is defined: write [sequences.<id>] and [[sequences.<id>.steps]]")
    around = _Around(segments, templates)
    return tuple(_sequence(sequences.table(id_), id_, around) for id_ in sequences.data)


def refuse_twice(tables: list[Table], names: list[str], key: str, what: str) -> None:
    for number, (table, name) in enumerate(zip(tables, names, strict=True)):
        if name and name in names[:number]:
            table.refuse(key, f"{what} {name}: is there twice")


def _sequence(table: Table, id_: str, around: _Around) -> Sequence:
    table.allow_only("trigger", "anchor", "exit_on", "min_notice", "testing_min_notice", "guests", "steps")
    if not TOKEN.fullmatch(id_):
        table.refuse(None, f"sequence {id_!r} is no id: letters, digits, '-' and '_' only, at most 64")
    trigger = table.text("trigger")
    _check_event(table, "trigger", id_, trigger)
    anchor = _anchor(table, id_, trigger)
    tables = table.tables("steps")
    if not tables:
        table.refuse("steps", f"sequence {id_}: has no steps")
    steps = tuple(_step(each, around._replace(trigger=trigger, anchor=anchor)) for each in tables)
    refuse_twice(tables, [step.id for step in steps], "id", "step")
    return Sequence(
        id=id_,
        trigger=trigger,
        steps=steps,
        anchor=anchor,
        exit_on=_exit_on(table, id_, trigger),
        min_notice=_notice(table, id_, "min_notice", anchor),
        testing_min_notice=_notice(table, id_, "testing_min_notice", anchor),
        guests=_flag(table, f"sequence {id_}", "guests", trigger in MEETINGS, default=False),
    )


def _check_event(table: Table, key: str, id_: str, name: str) -> None:
    """Our own events, or any name that somebody may send as a trigger, unless it looks like one of ours."""
    if not name or name in EVENTS:
        return
    close = get_close_matches(name, EVENTS, n=1, cutoff=0.85)
    if name in _TAGS or close:
        hint = f"did you mean {close[0]!r}?" if close else f"those that do are {', '.join(EVENTS)}"
        table.refuse(key, f"sequence {id_}: {name!r} is not an event that counts; {hint}")
    elif not TOKEN.fullmatch(name):
        table.refuse(key, f"sequence {id_}: {name!r} is no name: letters, digits, '-' and '_' only, at most 64")


def _anchor(table: Table, id_: str, trigger: str) -> Anchor:
    text = table.text("anchor", "trigger")
    anchor: Anchor = next((each for each in get_args(Anchor) if each == text), "trigger")
    if text and text not in get_args(Anchor):
        table.refuse("anchor", f"sequence {id_}: 'anchor' must be one of {', '.join(get_args(Anchor))}")
    elif anchor != "trigger" and trigger != BOOKED:
        table.refuse("anchor", f"sequence {id_}: 'anchor' can be {anchor!r} only with trigger = \"{BOOKED}\"")
    return anchor


def _exit_on(table: Table, id_: str, trigger: str) -> tuple[str, ...]:
    names = table.texts("exit_on")
    for number, name in enumerate(names):
        _check_event(table, "exit_on", id_, name)
        if name in names[:number]:
            table.refuse("exit_on", f"sequence {id_}: {name!r} is in 'exit_on' twice")
        if name == trigger:
            table.refuse("exit_on", f"sequence {id_}: {name!r} triggers it, so it would end as it begins")
    return names


def _notice(table: Table, id_: str, key: str, anchor: Anchor) -> timedelta:
    other = "min_notice" if key.startswith("testing_") else "testing_min_notice"
    if key not in table.data:
        if other in table.data:
            table.refuse(None, f"sequence {id_}: {key!r} is missing, and {other!r} is there")
        return timedelta(0)
    if anchor != "start":
        table.refuse(key, f'sequence {id_}: {key!r} is for sequences with anchor = "start"')
    return _delay(table, f"sequence {id_}", key)


def _flag(table: Table, whose: str, key: str, fits: bool, *, default: bool) -> bool:
    if key in table.data and not fits:
        table.refuse(key, f"{whose}: {key!r} means nothing with this trigger")
    return table.flag(key, default=default)


def _step(table: Table, around: _Around) -> Step:
    table.allow_only("id", "after", "testing_after", "expires_after", "template", "again_when_moved", "calendar")
    id_ = table.text("id")
    whose = f"step {id_}"
    if id_ and not TOKEN.fullmatch(id_):
        table.refuse("id", f"step {id_!r} is no id: letters, digits, '-' and '_' only, at most 64")
    expires_after = _delay(table, whose, "expires_after", DEFAULT_EXPIRY)
    if expires_after == timedelta(0) and "expires_after" in table.data:
        table.refuse("expires_after", f"{whose}: 'expires_after' must be longer than nothing")
    booked = around.trigger == BOOKED
    return Step(
        id=id_,
        after=_after(table, whose, "after", around.anchor),
        testing_after=_after(table, whose, "testing_after", around.anchor),
        expires_after=expires_after,
        template=_template(table, id_, around),
        again_when_moved=_flag(table, whose, "again_when_moved", booked, default=True),
        calendar=_flag(table, whose, "calendar", booked or around.trigger == CANCELLED, default=False),
    )


def _after(table: Table, whose: str, key: str, anchor: Anchor) -> timedelta:
    """Before the start of a meeting, or after anything else."""
    delay = _delay(table, whose, key, signed=anchor == "start")
    is_delay = _DELAY.fullmatch(str(table.data.get(key)).strip()) is not None
    if anchor == "start" and is_delay and delay >= timedelta(0):
        table.refuse(key, f"{whose}: {key!r} must be before the start, such as '-24h': nothing is sent once it began")
    return delay


def _delay(table: Table, whose: str, key: str, default: str | None = None, *, signed: bool = False) -> timedelta:
    text = table.text(key, default)
    match = _DELAY.fullmatch(text)
    if match and not signed and match[1]:
        table.refuse(key, f'{whose}: {key!r} can be negative only with anchor = "start", not {text!r}')
        return timedelta(0)
    size = timedelta(**{_UNITS[match[3]]: int(match[2])}) if match else timedelta(0)
    if (text and not match) or size > LONGEST_DELAY:
        table.refuse(key, f"{whose}: {key!r} must be a delay such as '90s', '5m', '24h' or '3d', not {text!r}")
    return -size if match and match[1] else size


def _template(table: Table, step: str, around: _Around) -> str | dict[str, str]:
    """One name, or a table that names one for every segment."""
    if not isinstance(table.data.get("template"), dict):
        return _existing(table, "template", step, around.templates)
    variants = table.table("template")
    for name in variants.data.keys() - set(around.segments):
        variants.refuse(name, f"step {step}: there is no segment {name!r}; there are {', '.join(around.segments)}")
    for name in set(around.segments) - variants.data.keys():
        table.refuse("template", f"step {step}: no template for segment {name}")
    return {name: _existing(variants, name, step, around.templates) for name in variants.data}


def _existing(table: Table, key: str, step: str, templates: set[str]) -> str:
    name = table.text(key)
    if name and name not in templates:
        table.refuse(key, f"step {step}: template {name!r} does not exist")
    return name
