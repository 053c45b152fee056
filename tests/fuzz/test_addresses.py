"""Two spellings are one person only where it is certain that they are one mailbox."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from cli.trigger import checked_address
from contracts.ids import contact_id
from services.ingest.form import read_address
from tests.fuzz.corpus import ADDRESSES

ONE: dict[str, tuple[str, str]] = {
    "case": ("Ada@Example.COM", "ada@example.com"),
    "blanks around it": (" ada@example.com\u00a0", "ada@example.com"),
    "a character nobody sees": ("ada\u200b@example.com\ufeff", "ada@example.com"),
    "a turned direction": ("\u202aada@example.com\u202c", "ada@example.com"),
    "a full-width domain": ("ada@\uff45xample.com", "ada@example.com"),
    "another full stop": ("ada@example\u3002com", "ada@example.com"),
    "a domain in its two forms": ("ada@b\u00fccher.example.com", "ada@xn--bcher-kva.example.com"),
    "a domain in capitals": ("ada@B\u00dcCHER.example.com", "ada@b\u00fccher.example.com"),
    "a letter and its mark": ("ada@bu\u0308cher.example.com", "ada@b\u00fccher.example.com"),
    "the Kelvin sign, by Unicode the letter K": ("\u212aim@example.com", "kim@example.com"),
}

TWO: dict[str, tuple[str, str]] = {
    "a plus address": ("ada+news@example.com", "ada@example.com"),
    "two plus addresses": ("ada+a@example.com", "ada+b@example.com"),
    "a dot": ("a.da@example.com", "ada@example.com"),
    "a hyphen": ("ada-x@example.com", "ada@example.com"),
    "a subdomain": ("ada@mail.example.com", "ada@example.com"),
    "a Cyrillic domain": ("ada@\u0435xample.com", "ada@example.com"),
    "sharp s in the domain": ("ada@fa\u00df.example.com", "ada@fass.example.com"),
    "a look-alike of ASCII": ("ada1@example.com", "adal@example.com"),
    "rn for m": ("arn@example.com", "am@example.com"),
}

REFUSED = {
    "a Cyrillic letter": "\u0430da@example.com",
    "a Greek letter": "\u03b1da@example.com",
    "full-width letters": "\uff41\uff44\uff41@example.com",
    "a dotless i": "\u0131da@example.com",
    "a long s": "\u017fam@example.com",
    "sharp s": "stra\u00dfe@example.com",
    "an accent": "ad\u00e1@example.com",
    "a mathematical letter": "\U0001d41ada@example.com",
    "a ligature": "\ufb01n@example.com",
    "an emoji": "\U0001f384@example.com",
    "a full-width at": "ada\uff20example.com",
    "a top-level domain of one letter": "ada@example.c",
    "a top-level domain that begins with a digit": "ada@example.1c",
}


@pytest.mark.parametrize(("one", "other"), ONE.values(), ids=ONE.keys())
def test_spellings_of_one_mailbox_are_one_person(one: str, other: str) -> None:
    assert read_address(one) == read_address(other)
    assert contact_id(read_address(one)) == contact_id(read_address(other))


@pytest.mark.parametrize(("one", "other"), TWO.values(), ids=TWO.keys())
def test_what_may_be_two_mailboxes_is_two_people(one: str, other: str) -> None:
    assert contact_id(read_address(one)) != contact_id(read_address(other))


@pytest.mark.parametrize("address", REFUSED.values(), ids=REFUSED.keys())
def test_a_look_alike_before_the_at_is_nobody(address: str) -> None:
    with pytest.raises(PydanticCustomError):
        read_address(address)


@pytest.mark.parametrize("address", ["Ada@Example.com", "ada@B\u00dcCHER.example.com", "ada+x@example.com"])
def test_a_trigger_from_the_command_line_is_about_the_same_person(address: str) -> None:
    assert checked_address(address) == read_address(address)


@pytest.mark.parametrize("address", [REFUSED["a Cyrillic letter"], REFUSED["an accent"]])
def test_the_command_line_takes_no_look_alike_either(address: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        checked_address(address)


@pytest.mark.parametrize(("one", "other"), [("stra\u00dfe", "strasse"), ("\u017fam", "sam"), ("\ufb01n", "fin")])
def test_letters_that_only_fold_to_the_same_are_not_the_same(one: str, other: str) -> None:
    assert contact_id(f"{one}@example.com") != contact_id(f"{other}@example.com")


@given(st.emails() | st.sampled_from([*ADDRESSES.values()]) | st.text(max_size=80))
def test_an_address_is_normalised_once_and_for_all(text: str) -> None:
    try:
        address = read_address(text)
    except PydanticCustomError:
        return
    assert address.isascii()
    assert address == address.lower() == read_address(address)
    assert contact_id(address) == contact_id(address.upper())
