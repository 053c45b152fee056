"""Arbitrary JSON in any place of a webhook becomes a storable fact, nothing, or a named problem."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import codec, subjects
from services.ingest.calcom import Ignored, Told, translate
from tests import calcom
from tests.calcom import Body
from tests.factories import NOW

BODIES = [
    calcom.created(),
    calcom.rescheduled(),
    calcom.cancelled(),
    calcom.rejected(),
    calcom.ended(),
    calcom.ended_wrapped(),
    calcom.no_show(),
    calcom.nested(),
    calcom.seated(),
    calcom.team(),
    calcom.flat(calcom.created()),
]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just(calcom.spelt(NOW)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a body."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


def changed(body: Body, changes: list[tuple[tuple[Any, ...], Any]]) -> Body:
    result = copy.deepcopy(body)
    for path, value in changes:
        place: Any = result
        for key in path[:-1]:
            place = place[key] if isinstance(place, dict) and key in place else {}
        if isinstance(place, dict):
            place[path[-1]] = value
    return result


mangled = st.sampled_from(BODIES).flatmap(
    lambda body: st.lists(st.tuples(st.sampled_from(list(places(body))), anything), min_size=1, max_size=3).map(
        lambda changes: changed(body, changes)
    )
)
guessed = st.fixed_dictionaries(
    {"triggerEvent": st.sampled_from(["BOOKING_CREATED", "MEETING_ENDED", "BOOKING_NO_SHOW_UPDATED"]) | anything},
    optional={"payload": anything, "createdAt": anything, "uid": anything, "attendees": anything},
)


def check(body: Body) -> None:
    found = translate(body, NOW, "digest")
    if isinstance(found, Told):
        assert found.facts
        for fact in found.facts:
            assert codec.decode_fact(codec.encode(fact)) == fact
            assert subjects.fact_subject(fact).isascii()
    else:
        assert (found.event if isinstance(found, Ignored) else found.problem).encode()


@settings(max_examples=1_000, deadline=None)
@given(mangled)
def test_a_mangled_webhook_never_breaks_us(body: Body) -> None:
    check(body)


@settings(max_examples=300, deadline=None)
@given(guessed | st.dictionaries(st.text(max_size=8), anything, max_size=4))
def test_any_object_never_breaks_us(body: Body) -> None:
    check(body)
