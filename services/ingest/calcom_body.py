"""The parts of a Cal.com webhook, read from JSON of any shape. Pure.

Bodies differ by server version, by trigger and by who sends them, so what is not needed is left out when it cannot be
read; only what a booking cannot do without is refused.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from contracts.bookings import Person
from services.ingest.form import read_address
from services.ingest.moments import NotAMoment, read_moment
from services.ingest.signup import FieldProblem
from services.ingest.text import clean

Fields = Mapping[str, Any]

NAME, LINE, REASON, LOCATION, LONGEST_ID = 100, 200, 500, 500, 200

BY_PHONE = "@sms.cal.com"
"""The domain of the addresses Cal.com makes up for people who book with a phone number."""

ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,3}")
URL = re.compile(r"https://[!#-;=?-\[\]-~]{1,1992}")
"""2,000 characters, without space, quotation marks, `<`, `>` and backslash."""


class Unusable(Exception):
    """A webhook that cannot become a fact."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field)
        self.problem = FieldProblem(field, problem)


class Opened(NamedTuple):
    """The booking's fields, and how they were wrapped."""

    fields: Fields
    is_flat: bool = False
    """They stand beside `triggerEvent`."""

    is_nested: bool = False
    """They are in `payload.booking`, where Cal.com never puts them: a caller that may know no uid."""


def trigger_of(body: Fields) -> str:
    """Some payloads repeat it. Errors: Unusable."""
    trigger = line(body.get("triggerEvent"), NAME) or line(part(body, "payload").get("triggerEvent"), NAME)
    if not trigger:
        raise Unusable("triggerEvent", "is required")
    return trigger


def open_body(body: Fields) -> Opened:
    """Errors: Unusable."""
    payload = body.get("payload") or body
    if not isinstance(payload, dict):
        raise Unusable("payload", "must be an object")
    nested = part(payload, "booking")
    beside = {name: value for name, value in payload.items() if value is not None}
    return Opened({**nested, **beside}, is_flat=payload is body, is_nested=bool(nested))


def line(value: object, most: int) -> str:
    """One line of at most so many characters; empty for anything but text. Cut first: cleaning can be slow."""
    return clean(value[: 2 * most])[:most].strip() if isinstance(value, str) else ""


def first_word(value: object) -> str:
    return line(value, NAME).partition(" ")[0]


def part(fields: Fields, name: str) -> Fields:
    """The object of that name, empty where there is none."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def items(fields: Fields, name: str, most: int) -> list[Fields]:
    """The objects in the list of that name."""
    value = fields.get(name)
    return [each for each in value[:most] if isinstance(each, dict)] if isinstance(value, list) else []


def identifier(value: object) -> str | None:
    """An id as text, where there is a usable one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    is_usable = isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value == clean(value)
    return str(value) if is_usable else None


def uid_of(fields: Fields) -> str | None:
    """None for a test without a booking. Errors: Unusable."""
    value = fields.get("uid") or fields.get("bookingUid")
    uid = identifier(value)
    if value and not uid:
        raise Unusable("uid", f"must be text of at most {LONGEST_ID} characters")
    return uid


def moment(value: object, field: str) -> datetime:
    """Errors: Unusable."""
    try:
        return read_moment(value)
    except NotAMoment as error:
        raise Unusable(field, str(error)) from None


def optional_moment(value: object) -> datetime | None:
    try:
        return read_moment(value)
    except NotAMoment:
        return None


def address(value: object) -> str | None:
    """A normalised address that mail can be sent to."""
    try:
        found = read_address(value)
    except PydanticCustomError:
        return None
    return None if found.endswith(BY_PHONE) else found


def person(fields: Fields) -> Person | None:
    """Somebody with an address; attendees of MEETING_* have a `locale`, others a `language`."""
    email = address(fields.get("email"))
    if email is None:
        return None
    return Person(
        email=email,
        name=line(fields.get("name"), LINE),
        first_name=line(fields.get("firstName"), NAME) or first_word(fields.get("name")),
        time_zone=_matching(ZONE, fields.get("timeZone")),
        locale=_matching(LOCALE, part(fields, "language").get("locale") or fields.get("locale")),
    )


def https_url(value: object) -> str | None:
    """A link that can stand in an email: https, without credentials."""
    found = _matching(URL, value)
    try:
        parts = urlsplit(found or "")
    except ValueError:
        return None
    return found if parts.hostname and parts.username is None and parts.password is None else None


def whole(value: object, most: int) -> int | None:
    """A number from 0 to `most`."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
