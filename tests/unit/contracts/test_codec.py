"""A fact is believed only under the subject it belongs to: rights at the broker go by subject."""

import pytest

from contracts.codec import Undecodable, encode, fact_at, require_place
from contracts.ids import contact_id
from contracts.messages import EmailDue
from contracts.subjects import fact_subject
from tests.factories import ADA, NOW, make_email_id, make_email_sent, make_signup

BOB = contact_id("bob@example.com")


def test_a_fact_is_read_where_it_was_stated() -> None:
    for fact in (make_signup(), make_email_sent()):
        assert fact_at(fact_subject(fact), encode(fact)) == fact


@pytest.mark.parametrize(
    "subject", [f"events.{contact_id(ADA)}.signup_received.1", f"events.{BOB}.email_sent.1", "events.x", "another"]
)
def test_a_fact_of_another_kind_or_about_somebody_else_than_its_subject_says_is_none(subject: str) -> None:
    with pytest.raises(Undecodable, match="a fact email_sent under the subject of another kind, or of somebody else"):
        fact_at(subject, encode(make_email_sent()))


def test_what_is_no_fact_has_no_place_in_a_history() -> None:
    require_place(EmailDue(email_id=make_email_id(), due=NOW), "email.due.x")
