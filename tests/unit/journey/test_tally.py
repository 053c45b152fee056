"""What became of emails, from one person's facts."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from contracts.deliveries import EmailClicked, EmailComplained, EmailOpened, EmailSuppressed
from contracts.facts import AnyFact
from contracts.ids import contact_id
from journey.plan import Pace, State
from journey.tally import Counts, Fate, Of, count, fates, in_order, merged
from tests.factories import (
    ADA,
    CAMPAIGN,
    at,
    make_bounced,
    make_delivered,
    make_email_failed,
    make_email_id,
    make_email_sent,
    make_email_skipped,
    make_email_unknown,
    make_held,
    make_retried,
    make_signup,
)
from tests.unit.journey.test_plan import STEPS, campaign, email_facts

ME = contact_id(ADA)
CAMPAIGNS = {CAMPAIGN: campaign()}


def found(*facts: AnyFact) -> dict[str, Fate]:
    return {each.of.step: each for each in fates(ME, facts, CAMPAIGNS, Pace()) if each.of.sequence == "nurture"}


def first(*facts: AnyFact) -> Counts:
    return count([found(make_signup(), *facts)["email-1"]])[Of(CAMPAIGN, "nurture", "email-1")]


def opened(webhook: str = "m2") -> EmailOpened:
    return EmailOpened(contact=ME, at=at(), email_id=make_email_id(), provider_id="re_1", webhook=webhook)


def test_a_signup_plans_seven_emails_of_which_one_was_sent() -> None:
    total = Counts()
    for each in count(found(make_signup(), make_email_sent()).values()).values():
        total = total.plus(each)
    assert (total.pending, total.sent) == (6, 1)


def test_an_email_stands_as_its_plan_says() -> None:
    assert first() == Counts(pending=1)
    assert first(make_held()) == Counts(held=1)
    assert first(make_email_skipped()) == Counts(skipped=1)
    assert first(make_email_failed()) == Counts(failed=1)
    assert first(make_email_unknown()) == Counts(unknown=1)
    assert first(make_email_failed(), make_retried(at=at(hours=1))) == Counts(pending=1)


def test_delivered_opened_and_clicked_are_each_counted() -> None:
    clicked = EmailClicked(contact=ME, at=at(), email_id=make_email_id(), provider_id="re_1", webhook="m3")
    assert first(make_email_sent(), make_delivered()) == Counts(sent=1, delivered=1)
    assert first(make_email_sent(), opened()) == Counts(sent=1, delivered=1, opened=1), "who opens has it"
    assert first(make_email_sent(), clicked) == Counts(sent=1, delivered=1, opened=1, clicked=1)
    assert first(make_email_sent(), opened(), opened("m4")).opened == 1


def test_a_bounce_counts_unless_it_was_for_the_moment_and_it_arrived() -> None:
    sent, delivered = make_email_sent(), make_delivered(at=at(minutes=5))
    soft, hard = make_bounced(kind="transient", webhook="m5"), make_bounced(kind="permanent", webhook="m6")
    assert first(sent, soft) == Counts(sent=1, bounced=1)
    assert first(sent, soft, delivered) == Counts(sent=1, delivered=1)
    assert first(sent, delivered, hard) == Counts(sent=1, bounced=1), "it came back after it was taken"


def test_a_suppressed_email_is_refused_without_a_bounce() -> None:
    suppressed = EmailSuppressed(contact=ME, at=at(), email_id=make_email_id(), provider_id="re_1", webhook="m7")
    fate = found(make_signup(), make_email_sent(), suppressed)["email-1"]
    assert (fate.word, fate.bounced) == ("refused", False)


def test_a_complaint_is_about_an_email_that_arrived() -> None:
    complained = EmailComplained(contact=ME, at=at(), email_id=make_email_id(), provider_id="re_1", webhook="m8")
    assert first(make_email_sent(), complained) == Counts(sent=1, delivered=1, complained=1)


def test_an_email_that_two_provider_ids_tell_of_went_out_twice() -> None:
    once = found(make_signup(), make_email_sent(), make_delivered(), opened())["email-1"]
    assert (once.providers, once.again_at) == (1, None)
    twice = found(make_signup(), make_email_sent(), make_delivered(provider_id="re_2", at=at(hours=1)))["email-1"]
    assert (twice.providers, twice.again_at) == (2, at(hours=1))


def test_an_email_of_a_campaign_nobody_loads_is_counted_by_its_facts() -> None:
    facts = [make_signup(), make_email_sent(), make_email_skipped("email-2")]
    states = {each.of.step: each.state for each in fates(ME, facts, {}, Pace())}
    assert states == {"email-1": "sent", "email-2": "skipped"}


def test_only_what_ended_or_was_due_since_then_is_counted() -> None:
    facts = found(make_signup(), make_email_sent(at=at(hours=1))).values()
    assert sum(each.sent for each in count(facts, at(hours=1)).values()) == 1
    assert sum(each.sent for each in count(facts, at(hours=2)).values()) == 0
    assert sum(each.pending for each in count(facts, at(days=7)).values()) == 3


def test_rates_are_of_what_was_sent_or_delivered_and_none_of_nothing() -> None:
    assert set(Counts(pending=3).rates().values()) == {None}
    rates = Counts(sent=4, delivered=2, opened=1, bounced=1).rates()
    assert (rates["delivered"], rates["bounced"], rates["opened"], rates["clicked"]) == (0.5, 0.25, 0.5, 0.0)


def test_steps_come_in_the_order_of_the_file_and_unknown_ones_last() -> None:
    places = [Of(CAMPAIGN, "nurture", step) for step in STEPS]
    counts = {each: Counts(sent=1) for each in [Of("older", "a", "b"), *reversed(places)]}
    assert [of for of, _ in in_order(counts, CAMPAIGNS)] == [*places, Of("older", "a", "b")]


@given(st.lists(email_facts(), max_size=12).flatmap(lambda facts: st.tuples(st.just(facts), st.permutations(facts))))
def test_order_and_repetition_of_facts_change_no_count(both: tuple[list[AnyFact], list[AnyFact]]) -> None:
    facts, shuffled = both
    assert count(found(make_signup(), *facts).values()) == count(found(*shuffled, *facts, make_signup()).values())


@given(st.lists(email_facts(), max_size=12))
def test_every_email_is_counted_in_exactly_one_state(facts: list[AnyFact]) -> None:
    for each in count(found(make_signup(), *facts).values()).values():
        assert each.pending + each.held + each.sent + each.skipped + each.failed + each.unknown == 1


@given(st.lists(st.builds(Counts, sent=st.integers(0, 9), opened=st.integers(0, 9)), max_size=6))
def test_merging_one_by_one_is_the_sum(counts: list[Counts]) -> None:
    whole: dict[Of, Counts] = {}
    for each in counts:
        whole = merged(whole, {Of("a", "b", "c"): each})
    assert sum(each.sent for each in whole.values()) == sum(each.sent for each in counts)
    assert sum(each.opened for each in whole.values()) == sum(each.opened for each in counts)


def test_planned_is_every_state_an_email_can_be_in_counted_once() -> None:
    for state in get_args(State):
        assert Counts(**{state: 1}).planned == 1
    assert Counts(delivered=1, opened=1, clicked=1, bounced=1, complained=1).planned == 0
