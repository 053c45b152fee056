"""The targets: what counts as good and bad, and since when one has held."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.operations import Answers, WebhooksCounted
from journey.plan import State
from journey.tally import Fate, Of
from journey.targets import GRAIN, LEAST, WINDOW, Cases, Measured, Name, Target, not_held, standing

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = BEGIN + timedelta(days=30)
HISTORIES = st.dictionaries(
    st.integers(0, 60), st.builds(Cases, good=st.integers(0, 60), bad=st.integers(0, 2)), max_size=25
)
LAST = 60


def measured(name: Name, *cases: tuple[float, int, int]) -> Target:
    """From (days after the beginning, good, bad)."""
    found = Measured()
    for days, good, bad in cases:
        found.add(name, BEGIN + timedelta(days=days), good=good, bad=bad)
    return next(each for each in found.targets(NOW) if each.name == name)


def email(state: State = "sent", days: float = 29, **overrides: object) -> Fate:
    moment = BEGIN + timedelta(days=days)
    return Fate(**({"of": Of("c", "s", "e"), "state": state, "at": moment, "accepted_at": moment} | overrides))  # type: ignore[arg-type]


def of_emails(name: Name, *emails: Fate) -> Target:
    found = Measured()
    for each in emails:
        found.email(each)
    return next(each for each in found.targets(NOW) if each.name == name)


def of_answers(name: Name, answers: Answers) -> Target:
    found = Measured()
    found.answers(WebhooksCounted(at=NOW - timedelta(hours=1), process="p", since=BEGIN, routes={"signup": answers}))
    return next(each for each in found.targets(NOW) if each.name == name)


def test_without_data_nothing_is_held_nor_failed() -> None:
    for each in Measured().targets(NOW):
        assert (each.held, each.value, each.since) == (None, None, None)
    assert not_held(Measured().targets(NOW)) == []


@pytest.mark.parametrize(("good", "bad", "held"), [(99, 1, False), (199, 1, True), (100, 0, True), (0, 1, False)])
def test_more_than_99_of_100_is_held_and_99_is_not(good: int, bad: int, held: bool) -> None:
    assert measured("delivery", (29, good, bad)).held is held


def test_one_duplicate_among_thousands_is_not_held() -> None:
    assert measured("duplicates", (29, 100_000, 1)).held is False


def test_it_holds_since_the_bad_cases_left_the_window() -> None:
    days = [(float(day), 10, 0) for day in range(30)]
    target = measured("webhooks", *days, (5.0, 0, 5))
    assert target.held is True
    assert target.since == BEGIN + timedelta(days=5) + WINDOW


def test_it_holds_since_the_first_case_where_it_always_did() -> None:
    assert measured("webhooks", *((float(day), 1, 0) for day in range(3, 30))).since == BEGIN + timedelta(days=3)


def test_a_time_without_any_case_ends_what_held() -> None:
    target = measured("webhooks", (1, 10, 0), (28, 10, 0))
    assert target.since == BEGIN + timedelta(days=28)
    idle = measured("webhooks", (1, 10, 0))
    assert (idle.held, idle.since, idle.ever.all) == (None, None, 10)


def test_a_bad_case_that_a_wrong_clock_put_into_the_future_counts_now() -> None:
    assert measured("webhooks", (29, 10, 0), (300, 0, 5)).held is False
    assert measured("webhooks", (300, 10, 0)).since == NOW


def test_delivered_is_good_and_refused_or_failed_is_bad() -> None:
    when = BEGIN + timedelta(days=29)
    emails = [email(delivered_at=when), email(refused_at=when), email("failed", refused_at=when)]
    assert of_emails("delivery", *emails).cases == Cases(good=1, bad=2)


def test_emails_without_a_word_are_left_out_and_said() -> None:
    target = of_emails("delivery", email(), email(), email("unknown"), email("skipped"), email("pending"))
    assert (target.held, target.cases.all) == (None, 0)
    assert target.apart == {"without a word yet": 2, "unknown": 1}


def test_an_email_accepted_twice_is_a_duplicate_from_the_second_time_on() -> None:
    again = BEGIN + timedelta(days=29)
    target = of_emails("duplicates", email(days=1, again_at=again), email(days=28))
    assert (target.held, target.cases) == (False, Cases(good=1, bad=1))


def test_webhooks_that_were_refused_are_no_failures_of_ours_and_are_said() -> None:
    target = of_answers("webhooks", Answers(accepted=200, refused=50, failed=1))
    assert (target.held, target.cases, target.apart) == (True, Cases(200, 1), {"refused": 50})


def test_answers_count_by_how_long_they_took_whatever_they_said() -> None:
    target = of_answers("answers", Answers(accepted=90, refused=8, failed=2, slow=1, slowest_ms=812.5))
    assert (target.held, target.cases, target.apart) == (False, Cases(99, 1), {"slowest ms": 812.5})


def test_only_refusals_are_no_measure_of_success() -> None:
    assert of_answers("webhooks", Answers(refused=5)).held is None


def by_definition(history: Mapping[int, Cases], window: int, least: float) -> tuple[bool, int | None]:
    """Looked at in every single moment."""
    held = []
    for moment in range(LAST + 1):
        inside = [each for at, each in history.items() if moment - window < at <= moment]
        good, bad = sum(each.good for each in inside), sum(each.bad for each in inside)
        held.append(good + bad > 0 and (bad == 0 or good / (good + bad) > least))
    if not held[-1]:
        return False, None
    return True, next((moment + 1 for moment in range(LAST, -1, -1) if not held[moment]), 0)


@given(HISTORIES, st.integers(1, 30), st.sampled_from(sorted({*LEAST.values(), 0.9, 0.5})))
def test_since_is_as_if_every_moment_had_been_looked_at(history: dict[int, Cases], window: int, least: float) -> None:
    inside, since = standing(history, LAST, window, least)
    assert (inside.holds(least), since) == by_definition(history, window, least)


@given(HISTORIES, st.integers(1, 30), st.integers(0, LAST))
def test_one_more_failure_makes_nothing_hold_longer(history: dict[int, Cases], window: int, place: int) -> None:
    _, before = standing(history, LAST, window, 0.99)
    worse = {**history, place: history.get(place, Cases()).plus(Cases(bad=1))}
    _, after = standing(worse, LAST, window, 0.99)
    assert after is None or (before is not None and after >= before)


@given(st.permutations([(float(day), 5, day % 2) for day in range(20, 30)]))
def test_facts_may_come_in_any_order(cases: list[tuple[float, int, int]]) -> None:
    assert measured("webhooks", *cases) == measured("webhooks", *sorted(cases))


def test_years_of_cases_take_a_place_for_each_ten_minutes_only() -> None:
    found = Measured()
    for second in range(10_000):
        found.add("delivery", BEGIN + timedelta(seconds=second), good=1)
    assert len(found.cases["delivery"]) <= 10_000 / GRAIN.total_seconds() + 1
