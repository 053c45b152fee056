import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import TOKEN, BadId, EmailId, contact_id, digest
from tests.factories import make_email_id


def test_an_address_in_any_case_is_the_same_contact() -> None:
    assert contact_id("Ada@Example.com") == contact_id(" ada@example.COM ")


def test_a_plus_address_is_another_contact() -> None:
    assert contact_id("ada+news@example.com") != contact_id("ada@example.com")


def test_the_contact_id_of_an_address_never_changes() -> None:
    """Streams hold it for ever: another algorithm would split every person in two."""
    assert contact_id("ada@example.com") == "cwx6ilzkxkx46bubquefliqu3nm"


@given(st.text(max_size=300))
def test_any_text_becomes_one_subject_token(text: str) -> None:
    assert TOKEN.fullmatch(contact_id(text))
    assert TOKEN.fullmatch(digest(text))


def test_an_email_id_reads_back_as_written() -> None:
    text = make_email_id("email-3")
    assert str(EmailId.parse(text)) == text
    assert EmailId.parse(text).step == "email-3"


@pytest.mark.parametrize(
    "text", ["", "a.b.c.d", "a.b.c.d.e.f", "a.b.c.d.", "a.b.c.d.e@f", "a.b.*.d.e", "a.b.c.d.>", "a.b c.d.e.f"]
)
def test_what_is_not_an_email_id_is_refused(text: str) -> None:
    with pytest.raises(BadId):
        EmailId.parse(text)
