"""Which email an operator means."""

import pytest

from cli.whom import Cannot, clear, one_of
from contracts.ids import contact_id
from journey.contact import fold
from journey.plan import Pace, Planned, plan
from tests.factories import ADA, make_booking_created, make_booking_rescheduled, make_email_id, make_signup
from tests.unit.journey.small_campaign import NURTURE, PRECALL, campaign

ME = contact_id(ADA)


def planned() -> tuple[Planned, ...]:
    facts = [make_signup(), make_booking_created(), make_booking_rescheduled()]
    return plan(fold(ME, facts), campaign(NURTURE, PRECALL), Pace())


@pytest.mark.parametrize("step", ["email-2", "nurture/email-2", make_email_id("email-2")])
def test_a_step_is_named_by_its_name_or_with_its_sequence_or_by_its_id(step: str) -> None:
    assert one_of(planned(), ME, step).email_id == make_email_id("email-2")


def test_an_email_id_may_be_shortened_as_long_as_it_is_clear() -> None:
    assert one_of(planned(), f"{ME}.christmas-2025.nurture.once.email-1", None).email_id == make_email_id("email-1")
    with pytest.raises(Cannot, match="is not clear"):
        one_of(planned(), f"{ME}.christmas-2025.nurture", None)


def test_a_step_of_a_meeting_that_moved_means_the_one_still_to_come() -> None:
    found = one_of(planned(), ME, "day-before")
    assert found.is_pending
    assert len([each for each in planned() if each.step.id == "day-before"]) == 2


def test_an_unknown_step_is_refused_with_those_there_are() -> None:
    with pytest.raises(Cannot, match="nurture/email-1, nurture/email-2"):
        one_of(planned(), ME, "email-9")


def test_a_contact_may_be_shortened_as_long_as_it_is_clear() -> None:
    assert clear("cab", ["cabc", "cxyz"], "nobody") == "cabc"
    assert clear("cab", ["cab", "cabc"], "nobody") == "cab"
    with pytest.raises(Cannot, match="not clear: cabc, cabd"):
        clear("cab", ["cabc", "cabd"], "nobody")
    with pytest.raises(Cannot, match="nobody we know"):
        clear("", ["cabc"], "nobody")
