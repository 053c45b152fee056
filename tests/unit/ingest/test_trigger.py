"""What happened outside becomes a fact, or a list of everything that is wrong with it."""

from datetime import timedelta
from typing import Any

import pytest

from contracts import codec, ids
from contracts.facts import Triggered
from services.ingest.trigger import translate_trigger
from tests.factories import ADA, CAMPAIGN, NOW, at

BODY: dict[str, Any] = {
    "email": "Ada@Example.com",
    "first_name": "Ada",
    "occurred_at": "2026-01-12T17:30:00+01:00",
    "id": "invoice-1042",
    "amount": 950.5,
    "lines": [{"what": "audit"}],
}


def fact_of(body: dict[str, Any], name: str = "paid") -> Triggered:
    fact = translate_trigger(body, CAMPAIGN, name, NOW)
    assert isinstance(fact, Triggered), fact
    return fact


def problems_of(body: dict[str, Any]) -> dict[str, str]:
    problems = translate_trigger(body, CAMPAIGN, "paid", NOW)
    assert not isinstance(problems, Triggered)
    return {each.field: each.problem for each in problems}


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in BODY.items() if name not in names}


def test_a_trigger_becomes_a_fact() -> None:
    fact = fact_of(BODY)
    assert (fact.contact, fact.email, fact.first_name) == (ids.contact_id(ADA), ADA, "Ada")
    assert (fact.campaign, fact.name, fact.key, fact.by) == (CAMPAIGN, "paid", "invoice-1042", "webhook")
    assert fact.at.isoformat() == "2026-01-12T16:30:00+00:00"
    assert fact.values == {"amount": 950.5, "lines": [{"what": "audit"}]}
    assert codec.decode_fact(codec.encode(fact)) == fact


def test_an_address_is_enough() -> None:
    fact = fact_of({"email": ADA})
    assert (fact.at, fact.first_name, fact.values) == (NOW, None, {})


@pytest.mark.parametrize("field", ["first_name", "occurred_at", "id"])
@pytest.mark.parametrize("absent", [None, "", " "])
def test_null_and_empty_mean_not_given(field: str, absent: object) -> None:
    assert fact_of(BODY | {field: absent}) == fact_of(without(field))


def test_the_same_id_is_the_same_trigger_whatever_else_it_says() -> None:
    assert fact_of(BODY | {"amount": 1, "occurred_at": None}).id == fact_of(BODY).id
    assert fact_of(BODY | {"id": "invoice-1043"}).id != fact_of(BODY).id
    assert fact_of(BODY, "call_done").id != fact_of(BODY).id


def test_an_id_may_be_a_number() -> None:
    assert fact_of(BODY | {"id": 1042}).id == fact_of(BODY | {"id": "1042"}).id


def test_without_an_id_the_content_tells_triggers_apart() -> None:
    body = without("id")
    assert fact_of(dict(reversed(body.items()))).id == fact_of(body).id
    assert fact_of(body | {"occurred_at": "2026-01-12T16:30:00.000Z"}).id == fact_of(body).id
    for changes in ({"amount": 1}, {"occurred_at": "2026-01-13T16:30:00Z"}, {"first_name": "Eve"}):
        assert fact_of(body | changes).id != fact_of(body).id


@pytest.mark.parametrize(
    ("occurred_at", "problem"),
    [
        ("2026-01-12T17:30:00", "must name its offset from UTC"),
        ("yesterday", "must be a time in ISO 8601"),
        (1_768_231_800, "must be a time in ISO 8601"),
        ("1999-12-31T23:59:59Z", "is out of range"),
        pytest.param(at(minutes=6).isoformat(), "must not be in the future", id="in six minutes"),
    ],
)
def test_a_time_that_is_none_is_refused(occurred_at: object, problem: str) -> None:
    assert problems_of(BODY | {"occurred_at": occurred_at}) == {"occurred_at": problem}


def test_a_clock_may_be_a_little_ahead() -> None:
    assert fact_of(BODY | {"occurred_at": at(minutes=5).isoformat()}).at == NOW + timedelta(minutes=5)


@pytest.mark.parametrize("identity", ["x" * 201, ["x"], {}, True, 1.5, "\u200b"])
def test_an_id_that_is_none_is_refused(identity: object) -> None:
    assert problems_of(BODY | {"id": identity}).keys() == {"id"}


def test_everything_wrong_is_named_and_nothing_repeated() -> None:
    problems = problems_of({"email": "s3cret", "first_name": ["s3cret"], "id": ["s3cret"], "occurred_at": "s3cret"})
    assert problems.keys() == {"email", "first_name", "id", "occurred_at"}
    assert "s3cret" not in str(problems)
    assert problems_of({}) == {"email": "is required"}


def test_variables_are_bounded() -> None:
    values = fact_of(BODY | {"big": "x" * 60_000} | {f"f{n}": n for n in range(60)}).values
    assert len(values) == 50
    assert "big" not in values
