"""A website's signup form to a fact. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from pydantic import ValidationError

from contracts import ids
from contracts.facts import Assessment, SignupReceived
from services.ingest.extra import bounded
from services.ingest.form import Form, Person, Scores, problem_of

NESTED = "assessment_data"
KNOWN = frozenset(Form.model_fields)
ABOUT_PERSON = frozenset(Person.model_fields)
ABOUT_SCORES = frozenset(Scores.model_fields)

_canonical = msgspec.json.Encoder(order="sorted")


class FieldProblem(msgspec.Struct, frozen=True):
    """One field, named as the form spells it, and what is wrong with it; never its value."""

    field: str
    problem: str


class _Said(NamedTuple):
    """What a form said, on one level, and under which name each known field was found."""

    known: dict[str, Any]
    unknown: dict[str, Any]
    names: dict[str, str]


def translate(form: Mapping[str, Any], campaign: str, now: datetime) -> SignupReceived | tuple[FieldProblem, ...]:
    """The fact a form amounts to, or everything that is wrong with it.

    Shape: the assessment's fields may stand in the form itself or under `assessment_data`; the former win. Unknown
    fields of both are kept, bounded. The same content is the same fact, however it was nested, spelt or timed.
    """
    nested = form.get(NESTED)
    if not (isinstance(nested, dict) or is_absent(nested)):
        return (FieldProblem(NESTED, "must be an object"),)
    said = _flatten(form, nested if isinstance(nested, dict) else {})
    try:
        valid = Form.model_validate(said.known)
    except ValidationError as error:
        return _problems(error, said.names, has_nested=isinstance(nested, dict))
    return _fact(valid, said.unknown, campaign, now)


def is_absent(value: object) -> bool:
    """How forms say "not given"."""
    return value is None or (isinstance(value, str) and not value.strip())


def _flatten(form: Mapping[str, Any], nested: Mapping[str, Any]) -> _Said:
    known: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    names: dict[str, str] = {}
    for prefix, fields in ((f"{NESTED}.", nested), ("", form)):
        for name, value in fields.items():
            if fields is form and name == NESTED:
                continue
            if name not in KNOWN:
                unknown[name] = value
            elif not is_absent(value):
                known[name] = value
                names[name] = prefix + name
    return _Said(known, unknown, names)


def _problems(error: ValidationError, names: Mapping[str, str], *, has_nested: bool) -> tuple[FieldProblem, ...]:
    details = error.errors(include_url=False, include_input=False)
    return tuple(
        FieldProblem(names.get(field) or _expected(field, has_nested), problem_of(detail))
        for detail in details
        for field in [str(detail["loc"][0])]
    )


def _expected(field: str, has_nested: bool) -> str:
    """Where a missing field should have been."""
    return f"{NESTED}.{field}" if has_nested and field in ABOUT_SCORES else field


def _fact(form: Form, unknown: Mapping[str, Any], campaign: str, now: datetime) -> SignupReceived:
    extra = bounded(unknown)
    said = {name: value for name, value in form.model_dump().items() if value not in {None, ""}}
    return SignupReceived(
        contact=ids.contact_id(form.email),
        at=now,
        campaign=campaign,
        content=ids.digest(_canonical.encode({**extra.kept, **said}).decode()),
        email=form.email,
        first_name=form.first_name,
        business_name=said.get("business_name"),
        assessment=Assessment(**{name: said[name] for name in ABOUT_SCORES & said.keys()}),
        extra=extra.kept,
        extra_dropped=extra.dropped,
    )
