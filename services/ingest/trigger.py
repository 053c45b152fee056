"""A campaign's own trigger to a fact: something happened that neither the website nor the calendar knows of. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from contracts import ids
from contracts.facts import Triggered
from services.ingest.extra import bounded
from services.ingest.form import Address, Name, problem_of, read_text, wrong
from services.ingest.moments import NotAMoment, read_moment
from services.ingest.signup import FieldProblem, is_absent

AHEAD = timedelta(minutes=5)
"""How far another clock may be ahead of ours."""

_canonical = msgspec.json.Encoder(order="sorted")


def _moment(value: Any) -> datetime:
    try:
        return read_moment(value)
    except NotAMoment as error:
        raise wrong(str(error)) from None


def _key(value: Any) -> str:
    """Some systems number what they send."""
    return read_text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


class TriggerForm(BaseModel):
    """Who it is about, and when it happened; everything else a caller sends are variables."""

    email: Address
    first_name: Name | None = None
    occurred_at: Annotated[datetime, BeforeValidator(_moment)] | None = None
    id: Annotated[str, Field(min_length=1, max_length=200), BeforeValidator(_key)] | None = None


KNOWN = frozenset(TriggerForm.model_fields)


def translate_trigger(
    body: Mapping[str, Any], campaign: str, name: str, now: datetime
) -> Triggered | tuple[FieldProblem, ...]:
    """The fact a trigger amounts to, or everything that is wrong with it.

    With an `id`, that is what makes it the same trigger again; without, everything it says.
    """
    said = {field: value for field, value in body.items() if field in KNOWN and not is_absent(value)}
    try:
        form = TriggerForm.model_validate(said)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return tuple(FieldProblem(str(each["loc"][0]), problem_of(each)) for each in details)
    if form.occurred_at and form.occurred_at > now + AHEAD:
        return (FieldProblem("occurred_at", "must not be in the future"),)
    return _fact(form, bounded({k: v for k, v in body.items() if k not in KNOWN}).kept, campaign, name, now)


def _fact(form: TriggerForm, values: dict[str, Any], campaign: str, name: str, now: datetime) -> Triggered:
    said = form.model_dump(exclude={"id"}, exclude_none=True)
    return Triggered(
        contact=ids.contact_id(form.email),
        at=form.occurred_at or now.astimezone(UTC),
        campaign=campaign,
        name=name,
        key=form.id or ids.digest(_canonical.encode({**values, **said}).decode()),
        email=form.email,
        first_name=form.first_name,
        values=values,
    )
