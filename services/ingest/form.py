"""What a signup form may say, and how it is told what is wrong. Pure.

Forms send messy JSON: numbers as text, `""` or null for "not given". The caller leaves out what was not given; here
numbers in text are read, text is cleaned, and bounds are checked.
"""

import re
from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import ErrorDetails, PydanticCustomError

from services.ingest.text import LONGEST, clean

MOST_SYSTEMS = 1_000
MOST_MONEY = 1e12
FARTHEST = 1e18
"""From zero; beyond it, and for NaN, no bound of a field is worth naming."""

NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)

TOP_LEVEL = re.compile(r"\.[a-z][a-z0-9-]*[a-z0-9]", re.ASCII)
"""As all there are begin: the provider refuses mail to others, such as `example.c`."""

NAMED = {
    "missing": "is required",
    "string_too_short": "is required",
    "greater_than_equal": "must be at least {ge:.0f}",
    "less_than_equal": "must be at most {le:.0f}",
    "string_too_long": "must be at most {max_length} characters long",
}
"""Our words for pydantic's verdicts; they name our bounds, never what was sent."""


def problem_of(error: ErrorDetails) -> str:
    known = NAMED.get(error["type"])
    return known.format(**error.get("ctx", {})) if known else error["msg"]


def wrong(problem: str) -> PydanticCustomError:
    return PydanticCustomError("form", problem)


def _number(value: Any) -> float | int:
    if isinstance(value, str) and NUMBER.fullmatch(text := value.strip()):
        value = float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong("must be a number")
    if not -FARTHEST <= value <= FARTHEST:
        raise wrong("is out of range")
    return value + 0  # -0.0 is 0


def _whole(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise wrong("must be a whole number")
    return int(number)


def read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong("must be text")
    if len(value) > LONGEST:
        raise wrong("is too long")
    return clean(value)


def read_address(value: Any) -> str:
    """One address per person: lower case throughout, the domain in the ASCII form that goes on the wire."""
    text = read_text(value)
    if not text.isascii() and not text.rpartition("@")[0].isascii():
        raise wrong("must be an email address with only ASCII characters before the @")
    try:
        parts = validate_email(text, check_deliverability=False, allow_smtputf8=False, strict=True)
    except (EmailNotValidError, UnicodeError):
        raise wrong("must be a valid email address") from None
    address = (parts.ascii_email or parts.normalized).lower()
    if not TOP_LEVEL.fullmatch(address[address.rindex(".") :]):
        raise wrong("must be a valid email address")
    return address


# Bounds stand before the reader: that puts them on the inner type, where JSON Schema shows them.
Address = Annotated[str, Field(json_schema_extra={"format": "email"}), BeforeValidator(read_address)]
Name = Annotated[str, Field(min_length=1, max_length=100), BeforeValidator(read_text)]
Line = Annotated[str, Field(max_length=200), BeforeValidator(read_text)]
Count = Annotated[int, Field(ge=0, le=MOST_SYSTEMS), BeforeValidator(_whole)]
Score = Annotated[int, Field(ge=0, le=100), BeforeValidator(_whole)]
Percent = Annotated[float, Field(ge=0, le=100), BeforeValidator(_number)]
Money = Annotated[float, Field(ge=0, le=MOST_MONEY), BeforeValidator(_number)]


class Person(BaseModel):
    """Who signs up."""

    email: Address
    first_name: Name
    business_name: Line | None = None


class Scores(BaseModel):
    """The result of the assessment."""

    assessment_score: Score
    red_systems: Count = 0
    orange_systems: Count = 0
    yellow_systems: Count = 0
    green_systems: Count = 0
    gps_score: Percent | None = None
    money_score: Percent | None = None
    weakest_system_1: Line | None = None
    weakest_system_2: Line | None = None
    revenue_leak_total: Money | None = None


class Form(Person, Scores):
    """Both, on one level."""
