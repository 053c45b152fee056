"""Who signs up and who books when, from the seed alone. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["form", "paid", "booked", "moved", "cancelled"]

MINUTES_BEFORE = 6
"""The longest a step comes before a meeting, in the campaign's testing minutes."""

BOOKS, SIGNS_UP, FORM_AGAIN, PAYS, POSTED_TWICE = 0.3, 0.95, 0.1, 0.05, 0.15


@dataclass(frozen=True)
class Webhook:
    """Something happens, so many seconds after the start. `twice`: it is posted again although it was taken."""

    at_s: float
    kind: Kind
    email: str
    name: str
    uid: str = ""
    before: str = ""
    """The uid of the booking it replaces."""

    starts_in_s: float = 0
    """Of a meeting: counted from the moment it is booked or moved."""

    form: dict[str, Any] = field(default_factory=dict)
    twice: bool = False


@dataclass(frozen=True)
class Scale:
    """How much happens, and how fast: a step of the campaign takes `minute_s`."""

    people: int
    arrive_in_s: float
    minute_s: float
    all_sign_up: bool = False


def story(seed: int, scale: Scale) -> list[Webhook]:
    """The same seed and scale tell the same story."""
    dice = random.Random(f"people {seed}")
    told = [webhook for number in range(scale.people) for webhook in _life(dice, seed, number, scale)]
    return sorted(told, key=lambda webhook: webhook.at_s)


def _life(dice: random.Random, seed: int, number: int, scale: Scale) -> Iterator[Webhook]:
    email, name = f"p{number}-{seed}@example.com", f"Person {number}"
    arrives = dice.uniform(0, scale.arrive_in_s)
    signs_up = dice.random() < SIGNS_UP or scale.all_sign_up
    books = dice.random() < BOOKS
    if signs_up or not books:
        yield Webhook(arrives, "form", email, name, form=_form(dice, email, name), twice=_rarely(dice))
        if dice.random() < FORM_AGAIN:
            again = arrives + dice.uniform(1, 4) * scale.minute_s
            yield Webhook(again, "form", email, name, form=_form(dice, email, name))
        if dice.random() < PAYS:
            yield Webhook(arrives + dice.uniform(1, 5) * scale.minute_s, "paid", email, name, twice=_rarely(dice))
    if books:
        yield from _call(dice, email, name, f"u{seed}-{number}", arrives + dice.uniform(0, 2) * scale.minute_s, scale)


def _call(dice: random.Random, email: str, name: str, uid: str, at_s: float, scale: Scale) -> Iterator[Webhook]:
    """Booked, and then nothing, or moved, or cancelled."""
    notice = (MINUTES_BEFORE + dice.uniform(0.5, 3)) * scale.minute_s
    yield Webhook(at_s, "booked", email, name, uid=uid, starts_in_s=notice, twice=_rarely(dice))
    then, later = dice.choice(("held", "held", "moved", "cancelled")), at_s + dice.uniform(0.3, 0.9) * notice
    if then == "moved":
        yield Webhook(later, "moved", email, name, uid=f"{uid}-moved", before=uid, starts_in_s=notice)
    elif then == "cancelled":
        yield Webhook(later, "cancelled", email, name, uid=uid, twice=_rarely(dice))


def _rarely(dice: random.Random) -> bool:
    return dice.random() < POSTED_TWICE


def _form(dice: random.Random, email: str, name: str) -> dict[str, Any]:
    return {
        "email": email,
        "first_name": name,
        "business_name": f"Bakery {dice.randint(1, 999)}",
        "assessment_score": dice.randint(0, 100),
        "red_systems": dice.randint(0, 4),
        "orange_systems": dice.randint(0, 4),
    }
