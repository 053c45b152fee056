"""A form becomes a fact, or a list of everything that is wrong with it."""

from typing import Any

import pytest

from contracts import codec, ids
from contracts.facts import Assessment
from services.ingest.signup import translate
from tests.factories import ADA, CAMPAIGN, NOW, at
from tests.unit.ingest.forms import FORM, NESTED, PERSON, SCORES, SMALLEST, fact_of, problems_of

OPTIONAL = sorted(FORM.keys() - SMALLEST.keys())
WHOLE = ["assessment_score", "red_systems", "orange_systems", "yellow_systems", "green_systems"]
NUMBERS = [*WHOLE, "gps_score", "money_score", "revenue_leak_total"]
TEXTS = ["first_name", "business_name", "weakest_system_1", "weakest_system_2"]
NAN, INFINITY = float("nan"), float("inf")


def test_a_full_form_becomes_a_fact() -> None:
    fact = fact_of(FORM)
    assert (fact.contact, fact.campaign, fact.at) == (ids.contact_id(ADA), CAMPAIGN, NOW)
    assert (fact.email, fact.first_name, fact.business_name) == (ADA, "Ada", "Ada's Bakery")
    assert fact.assessment == Assessment(**SCORES)
    assert (fact.extra, fact.extra_dropped) == ({}, 0)


def test_a_fact_survives_the_wire() -> None:
    fact = fact_of(FORM | {"utm": {"source": ["mail", 1, 2.5, None, True]}})
    assert codec.decode_fact(codec.encode(fact)) == fact


def test_the_smallest_form_has_zero_systems_and_no_scores() -> None:
    assert fact_of(SMALLEST).assessment == Assessment(assessment_score=42)
    assert fact_of(SMALLEST).business_name is None


@pytest.mark.parametrize("field", OPTIONAL)
@pytest.mark.parametrize("absent", [None, "", "  "])
def test_null_and_empty_mean_not_given(field: str, absent: object) -> None:
    assert fact_of(FORM | {field: absent}) == fact_of({k: v for k, v in FORM.items() if k != field})


def test_text_of_invisible_characters_means_not_given() -> None:
    assert fact_of(SMALLEST | {"business_name": "\u200b\u3164"}) == fact_of(SMALLEST)


def test_both_nesting_forms_are_the_same_fact() -> None:
    assert fact_of(NESTED | {"utm": "x"}) == fact_of(FORM | {"utm": "x"})
    assert fact_of(PERSON | {"assessment_data": SCORES | {"utm": "x"}}) == fact_of(FORM | {"utm": "x"})


def test_the_form_itself_wins_over_the_nested_fields() -> None:
    fact = fact_of(NESTED | {"assessment_score": 99, "red_systems": None})
    assert (fact.assessment.assessment_score, fact.assessment.red_systems) == (99, 2)


@pytest.mark.parametrize("absent", [None, ""])
def test_an_absent_nested_object_is_none(absent: object) -> None:
    assert fact_of(FORM | {"assessment_data": absent}) == fact_of(FORM)


@pytest.mark.parametrize("wrong", [[], [SCORES], "{}", 5, True])
def test_a_nested_part_that_is_no_object_is_named(wrong: object) -> None:
    assert problems_of(PERSON | {"assessment_data": wrong}) == {"assessment_data": "must be an object"}


@pytest.mark.parametrize(
    "address",
    ["Ada@Example.COM", " ada@example.com ", "ADA@EXAMPLE.COM", "ada@example.com\r\n", "\u200bada@example.com"],
)
def test_an_address_is_normalised(address: str) -> None:
    fact = fact_of(SMALLEST | {"email": address})
    assert (fact.email, fact.contact) == (ADA, ids.contact_id(ADA))


def test_an_international_domain_takes_the_form_that_goes_on_the_wire() -> None:
    assert fact_of(SMALLEST | {"email": "ada@bücher.example.com"}).email == "ada@xn--bcher-kva.example.com"


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "ada@localhost",
        "ada@",
        "@example.com",
        "ada@example..com",
        "ada @example.com",
        "Ada <ada@example.com>",
        '"a b"@example.com',
        "ada@example.com, bob@example.com",
        "ada@example.com\r\nBcc: bob@example.com",
        "ada@[127.0.0.1]",
        f"{'a' * 65}@example.com",
        f"ada@{'a.' * 200}example.com",
        "a" * 60_000,
        "ü@example.com",
        "ada@exämple\u202e.com" + "\ud83d@",
        7,
        True,
        ["ada@example.com"],
        {"email": "ada@example.com"},
    ],
)
def test_what_is_no_address_is_refused(address: object) -> None:
    assert problems_of(SMALLEST | {"email": address}).keys() == {"email"}


@pytest.mark.parametrize("field", SMALLEST)
@pytest.mark.parametrize("absent", ["left out", None, "", " "])
def test_a_required_field_is_asked_for(field: str, absent: object) -> None:
    form = SMALLEST | {field: absent} if absent != "left out" else {k: SMALLEST[k] for k in SMALLEST.keys() - {field}}
    assert problems_of(form) == {field: "is required"}


def test_a_name_of_invisible_characters_is_asked_for() -> None:
    assert problems_of(SMALLEST | {"first_name": "\u202e\x00\u3164"}) == {"first_name": "is required"}


def test_an_empty_form_names_everything_required() -> None:
    assert problems_of({}) == dict.fromkeys(SMALLEST, "is required")


def test_a_missing_score_is_missed_where_the_others_are() -> None:
    scores = {k: v for k, v in SCORES.items() if k != "assessment_score"}
    assert problems_of(PERSON | {"assessment_data": scores}) == {"assessment_data.assessment_score": "is required"}


def test_each_problem_is_named_where_it_was_sent() -> None:
    form = {"email": "x", "red_systems": -1, "assessment_data": {"assessment_score": 101, "gps_score": "much"}}
    assert problems_of(form) == {
        "email": "must be a valid email address",
        "first_name": "is required",
        "red_systems": "must be at least 0",
        "assessment_data.assessment_score": "must be at most 100",
        "assessment_data.gps_score": "must be a number",
    }


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("spelt", ["7", " 7 ", "7.0", "+7", "007", 7, 7.0])
def test_numbers_are_read_as_forms_spell_them(field: str, spelt: object) -> None:
    assert fact_of(FORM | {field: spelt}) == fact_of(FORM | {field: 7})


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize(
    "wrong", [True, False, "seven", "7,5", "0x7", "7 %", "٧", "1e1", "NaN", "Infinity", [], [7], {}, {"a": 1}]
)
def test_what_is_no_number_is_refused(field: str, wrong: object) -> None:
    assert problems_of(FORM | {field: wrong}) == {field: "must be a number"}


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("wrong", [NAN, INFINITY, -INFINITY, 10**400, -(10**400), 1e300, "9" * 20])
def test_a_number_beyond_all_bounds_is_refused(field: str, wrong: object) -> None:
    assert problems_of(FORM | {field: wrong}) == {field: "is out of range"}


@pytest.mark.parametrize("field", WHOLE)
@pytest.mark.parametrize("wrong", [0.5, "0.5"])
def test_a_broken_count_is_refused(field: str, wrong: object) -> None:
    assert problems_of(FORM | {field: wrong}) == {field: "must be a whole number"}


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("wrong", [-1, "-1", -1.0])
def test_a_negative_number_is_refused(field: str, wrong: object) -> None:
    assert problems_of(FORM | {field: wrong}) == {field: "must be at least 0"}


@pytest.mark.parametrize(
    ("field", "most"),
    [("assessment_score", 100), ("gps_score", 100), ("money_score", 100), ("revenue_leak_total", 10**12)]
    + [(field, 1_000) for field in WHOLE[1:]],
)
def test_bounds_are_told_and_include_their_ends(field: str, most: int) -> None:
    assert problems_of(FORM | {field: most + 1}) == {field: f"must be at most {most}"}
    assert getattr(fact_of(FORM | {field: most}).assessment, field) == most
    assert getattr(fact_of(FORM | {field: 0}).assessment, field) == 0


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("wrong", [7, 7.5, True, ["x"], {"x": "y"}])
def test_what_is_no_text_is_refused(field: str, wrong: object) -> None:
    assert problems_of(FORM | {field: wrong}) == {field: "must be text"}


@pytest.mark.parametrize(("field", "most"), [("first_name", 100), *((field, 200) for field in TEXTS[1:])])
def test_text_is_bounded_after_cleaning(field: str, most: int) -> None:
    assert problems_of(FORM | {field: "é" * (most + 1)}) == {field: f"must be at most {most} characters long"}
    assert problems_of(FORM | {field: "x" * 60_000}) == {field: "is too long"}
    fact_of(FORM | {field: f"  {'é' * most} \n"})


@pytest.mark.parametrize("field", FORM)
def test_no_value_is_ever_repeated(field: str) -> None:
    for secret in ("s3cret\ud83d", ["s3cret"], {"s3cret": "s3cret"}):
        problems = problems_of(FORM | {field: secret} | ({"email": "s3cret"} if field != "email" else {}))
        assert "s3cret" not in repr(problems)


def test_the_same_form_again_is_the_same_fact() -> None:
    again: Any = translate(dict(reversed(FORM.items())), CAMPAIGN, at(hours=1))
    assert again.id == fact_of(FORM).id


@pytest.mark.parametrize("field", [*FORM, "utm"])
def test_a_changed_form_is_a_new_fact(field: str) -> None:
    changes: dict[str, Any] = {"email": "bob@example.com"} | dict.fromkeys(TEXTS, "Other")
    assert fact_of(FORM | {field: changes.get(field, 7)}).id != fact_of(FORM).id


def test_the_campaign_is_part_of_the_identity() -> None:
    other: Any = translate(FORM, "other", NOW)
    assert other.id != fact_of(FORM).id


def test_unknown_fields_are_kept_and_cannot_replace_known_ones() -> None:
    fact = fact_of(FORM | {"utm_source": "mail", "assessment_data": {"first_name": "Eve", "quiz": [1]}})
    assert fact.extra == {"utm_source": "mail", "quiz": [1]}
    assert fact.first_name == "Ada"


def test_junk_never_costs_a_lead() -> None:
    fact = fact_of(FORM | {"junk": "x" * 60_000, "x" * 101: 1, "nan": NAN})
    assert (fact.extra, fact.extra_dropped) == ({}, 3)
