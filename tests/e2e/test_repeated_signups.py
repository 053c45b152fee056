"""Forms that are sent again: once more the same, or changed half-way."""

import asyncio

import pytest

from contracts.facts import SignupReceived
from eventlog.connection import Broker
from services.sandbox.mailbox import Mail
from tests.e2e.people import MARIA, STEPS, TOM, subjects_for
from tests.e2e.site import CONTACTS, SEQUENCES, Site, each_email_was_sent_once, facts_of, has_handled_all, history
from tests.e2e.tables import expected_contact, expected_sequence
from tests.waiting import eventually

ADA = MARIA.again(email="ada@example.com", first_name="Ada")
BOB = TOM.again(email="bob@example.com", first_name="Bob", segment="CRITICAL", scores={**TOM.scores, "red_systems": 2})
BETTER = BOB.again(
    first_name="Robert",
    business_name="Robert's Garage",
    segment="OPTIMIZE",
    scores={"assessment_score": 91, "yellow_systems": 2, "green_systems": 6},
    more={"gps_score": 88},
)


async def test_the_same_form_again_is_one_signup_and_one_sequence(up: Site, broker_of_up: Broker) -> None:
    new = await asyncio.gather(*(up.sign_up(ADA) for _ in range(10)))
    assert sorted(new) == [False] * 9 + [True]
    await up.has_rows(ADA)
    assert not await up.sign_up(ADA)
    await up.has_finished(ADA)
    assert not await up.sign_up(ADA.again(email=" ADA@Example.com ", nested=False))
    await each_email_was_sent_once(up, broker_of_up, ADA)


@pytest.fixture(scope="module")
async def changed(up: Site, broker_of_up: Broker) -> list[Mail]:
    """What a person got who sent another form after the second email."""
    before = await up.count()
    assert await up.sign_up(BOB)
    await up.has_sent(before + 2)
    assert await up.sign_up(BETTER)
    assert len(await up.mails(BOB)) < 4, "the form came too late to show anything"
    await up.has_finished(BOB)
    await eventually(lambda: has_handled_all(broker_of_up), timeout=30)
    return await up.mails(BOB)


async def test_a_changed_form_changes_the_emails_that_are_still_to_come(changed: list[Mail]) -> None:
    assert [mail.subject for mail in changed[:2]] == subjects_for(BOB)[:2]
    assert [mail.subject for mail in changed[4:]] == subjects_for(BETTER)[4:]
    assert all("Hi Robert," in (mail.text or "") for mail in changed[4:])


async def test_a_changed_form_starts_no_second_sequence(up: Site, broker_of_up: Broker, changed: list[Mail]) -> None:
    assert [mail.idempotency_key for mail in changed] == [BOB.email_id(step) for step in STEPS]
    assert (await facts_of(broker_of_up))[BOB.contact] == {"signup_received": 2, "email_sent": 7}


@pytest.mark.usefixtures("changed")
async def test_a_changed_form_changes_both_rows_and_adds_none(up: Site, broker_of_up: Broker) -> None:
    """The date of the first form stays: it is when the sequence began."""
    facts = await history(broker_of_up, BOB)
    assert [fact.first_name for fact in facts if isinstance(fact, SignupReceived)] == ["Bob", "Robert"]
    assert await up.row(SEQUENCES, BOB) == expected_sequence(BETTER, facts)
    assert await up.row(CONTACTS, BOB) == expected_contact(BETTER, facts)
