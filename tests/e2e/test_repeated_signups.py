"""Forms that are sent again: once more the same, or changed half-way."""

import asyncio
from dataclasses import dataclass

import pytest

from contracts.facts import SignupReceived
from eventlog.connection import Broker
from services.sandbox.mailbox import Mail
from tests.e2e.people import MARIA, STEPS, TOM, Person, subjects_for
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


@dataclass(frozen=True)
class Changed:
    """A person who sent another form after the second email, and what they got, the first step first."""

    bob: Person
    better: Person
    mails: list[Mail]


@pytest.fixture(scope="module")
async def changed(up: Site, broker_of_up: Broker) -> Changed:
    for number in range(5):
        bob, better = (form.again(email=f"bob{number}@example.com") for form in (BOB, BETTER))
        if await in_time(up, bob, better):
            break
    else:
        raise AssertionError("the form came too late to show anything, five times")
    await up.has_finished(bob)
    await eventually(lambda: has_handled_all(broker_of_up), timeout=30)
    return Changed(bob, better, sorted(await up.mails(bob), key=lambda mail: str(mail.tag("step"))))


async def in_time(up: Site, bob: Person, better: Person) -> bool:
    """Whether there was something left to change, which it is not where this machine stands still meanwhile."""
    before = await up.count()
    await up.sign_up(bob)
    await up.has_sent(before + 2)
    await up.sign_up(better)
    if len(await up.mails(bob)) < 4:
        return True
    await up.has_finished(bob)
    return False


async def test_a_changed_form_changes_the_emails_that_are_still_to_come(changed: Changed) -> None:
    mails = changed.mails
    assert [mail.subject for mail in mails[:2]] == subjects_for(changed.bob)[:2]
    assert [mail.subject for mail in mails[4:]] == subjects_for(changed.better)[4:]
    assert all("Hi Robert," in (mail.text or "") for mail in mails[4:])


async def test_a_changed_form_starts_no_second_sequence(broker_of_up: Broker, changed: Changed) -> None:
    bob = changed.bob
    assert [mail.idempotency_key for mail in changed.mails] == [bob.email_id(step) for step in STEPS]
    assert (await facts_of(broker_of_up))[bob.contact] == {"signup_received": 2, "email_sent": 7}


async def test_a_changed_form_changes_both_rows_and_adds_none(up: Site, broker_of_up: Broker, changed: Changed) -> None:
    """The date of the first form stays: it is when the sequence began."""
    facts = await history(broker_of_up, changed.bob)
    assert [fact.first_name for fact in facts if isinstance(fact, SignupReceived)] == ["Bob", "Robert"]
    assert await up.row(SEQUENCES, changed.bob) == expected_sequence(changed.better, facts)
    assert await up.row(CONTACTS, changed.bob) == expected_contact(changed.better, facts)
