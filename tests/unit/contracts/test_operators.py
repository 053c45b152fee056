import pytest

from contracts.codec import Undecodable, decode_fact, encode
from contracts.operators import OperatorIntent, prefixes_of
from contracts.subjects import fact_subject
from tests.factories import make_cancelled, make_corrected, make_email_id, make_held, make_resumed


def test_an_email_has_three_prefixes() -> None:
    assert prefixes_of("c1.xmas.nurture.once.email-1") == ("c1", "c1.xmas", "c1.xmas.nurture.once.email-1")


@pytest.mark.parametrize(
    "fact", [make_held(), make_resumed(make_email_id()), make_cancelled()], ids=lambda fact: fact.tag
)
def test_an_intent_survives_the_wire(fact: OperatorIntent) -> None:
    assert decode_fact(encode(fact)) == fact
    assert fact_subject(fact) == f"events.{fact.contact}.{fact.tag}.{fact.what}.{fact.round}"


def test_an_intent_about_no_email_is_undecodable() -> None:
    with pytest.raises(Undecodable, match="neither a contact"):
        decode_fact(encode(make_held()).replace(b'"what":"', b'"what":"a.b.'))


def test_a_correction_is_one_fact_per_field_and_round() -> None:
    assert make_corrected("business_name", round=2).id == "business_name.2"


def test_no_other_field_can_be_corrected() -> None:
    with pytest.raises(Undecodable, match="Invalid enum value"):
        decode_fact(encode(make_corrected()).replace(b'"first_name"', b'"email"'))
