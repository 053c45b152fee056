"""What a webhook took becomes an email in which every value is text and nothing else: no markup, header, link or line.

From the bytes of the webhook through fact, fold, plan and templates to the request that sends it; letters.py has what
holds of every email. Pure, so there is no server.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.bookings import Person
from journey.campaign import Campaign
from tests import calcom
from tests.factories import make_booking_created
from tests.fuzz import corpus
from tests.fuzz.letters import Letter, christmas, everything, facts_of, letters_of
from tests.fuzz.offers import WEBHOOKS, Webhook
from tests.fuzz.profile import examples

EACH = pytest.mark.parametrize("webhook", WEBHOOKS.values(), ids=WEBHOOKS.keys())
Letters = Callable[[Mapping[str, Any]], dict[str, Letter]]


@pytest.fixture(scope="module")
def campaigns(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Campaign]:
    return everything(tmp_path_factory.mktemp("campaigns"))


def markups(letters: list[dict[str, Letter]]) -> dict[str, set[object]]:
    """What an email of each step may look like."""
    found: dict[str, set[object]] = {}
    for each in letters:
        for step, letter in each.items():
            found.setdefault(step, set()).add(letter.markup)
    return found


@EACH
def test_no_text_in_any_place_becomes_more_than_text(webhook: Webhook, campaigns: dict[str, Campaign]) -> None:
    sent = 0
    for place in webhook.places:
        plain = [webhook.good, *(webhook.with_at(place, value) for value in ("plain", "Plain and long" * 20, None))]
        expected = markups([letters_of(facts_of(webhook, body), campaigns) for body in plain])
        for name, text in corpus.TEXTS.items():
            for step, letter in letters_of(facts_of(webhook, webhook.with_at(place, text)), campaigns).items():
                assert letter.markup in expected[step], (place, name)
                sent += 1
    assert sent


@EACH
@pytest.mark.parametrize("text", corpus.TEXTS.values(), ids=corpus.TEXTS.keys())
def test_the_emails_of_christmas_bear_a_nasty_text_in_every_place_at_once(webhook: Webhook, text: str) -> None:
    plain, nasty = webhook.good, webhook.good
    for place in webhook.places:
        changed = Webhook(webhook.path, nasty, (), webhook.before).with_at(place, text)
        if facts_of(webhook, changed):
            nasty = changed
    letters = letters_of(facts_of(webhook, nasty), christmas())
    assert letters.keys() == letters_of(facts_of(webhook, plain), christmas()).keys()


def with_guests(addresses: list[str]) -> dict[str, Any]:
    guests = [calcom.attendee(address, "Guest") for address in addresses]
    return calcom.created(attendees=[calcom.attendee(), *guests])


ODD_GUESTS = [
    *corpus.ADDRESSES.values(),
    *("guest@example.c", "guest@example.1c", "guest@example.123", "a@b.co", "guest@xn--exmple-cua.com"),
    *(f"{'x' * 64}@example.com", "{}@example.com", "guest@example.com.", "guest'@example.com"),
]


@pytest.mark.parametrize("address", ODD_GUESTS)
def test_no_guest_can_keep_the_booker_from_getting_the_email(address: str, campaigns: dict[str, Campaign]) -> None:
    letters = letters_of(facts_of(WEBHOOKS["booking"], with_guests([address, "bob@example.com"])), campaigns)
    assert "bob@example.com" in letters["call all"].body["cc"]


@pytest.mark.parametrize("address", ODD_GUESTS)
def test_nor_can_a_guest_who_was_stored_when_less_was_refused(address: str, campaigns: dict[str, Campaign]) -> None:
    guests = (Person(email=address), Person(email="bob@example.com"))
    letters = letters_of([make_booking_created(guests=guests)], campaigns)
    assert "bob@example.com" in letters["call all"].body["cc"]


@pytest.mark.parametrize("sequence", [0, 2**31 - 1, 2**31, 2**63, -1])
def test_a_sequence_number_fits_into_the_calendar_file(sequence: int, campaigns: dict[str, Campaign]) -> None:
    booked = facts_of(WEBHOOKS["booking"], calcom.created(iCalSequence=sequence))
    moved = facts_of(WEBHOOKS["booking"], calcom.rescheduled("b2", calcom.UID, iCalSequence=sequence))
    off = facts_of(WEBHOOKS["booking"], calcom.cancelled("b2"))
    assert letters_of([*booked, *moved, *off], campaigns)["off all"].calendar


@EACH
@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
def test_any_values_in_any_places_lead_to_good_emails(
    webhook: Webhook, campaigns: dict[str, Campaign], data: st.DataObject
) -> None:
    body = webhook.good
    for place, value in data.draw(st.lists(st.tuples(st.sampled_from(webhook.places), corpus.anything), max_size=4)):
        body = Webhook(webhook.path, body, (), webhook.before).with_at(place, value)
    letters_of(facts_of(webhook, body), campaigns)
