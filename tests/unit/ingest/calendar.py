"""Short cuts to the translator."""

from typing import Any

from contracts.bookings import BookingFact
from services.ingest.calcom import Ignored, Told, translate
from services.ingest.signup import FieldProblem
from tests.calcom import Body
from tests.factories import NOW


def told(body: Body) -> Told:
    found = translate(body, NOW, "digest")
    assert isinstance(found, Told), found
    return found


def fact_of(body: Body) -> Any:
    """The only fact of a body."""
    [fact] = told(body).facts
    assert isinstance(fact, BookingFact)
    return fact


def ignored(body: Body) -> bool:
    return isinstance(translate(body, NOW, "digest"), Ignored)


def problem_of(body: Body) -> dict[str, str]:
    found = translate(body, NOW, "digest")
    assert isinstance(found, FieldProblem), found
    return {found.field: found.problem}
