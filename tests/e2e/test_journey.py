"""A signup for each segment, from the webhook to the last email and the last column."""

import html
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from contracts.facts import AnyFact, EmailSent, SignupReceived
from eventlog.connection import Broker
from services.sandbox.mailbox import Mail
from tests.e2e.conftest import STEP_S
from tests.e2e.people import AIKO, MARIA, PEOPLE, STEPS, TEMPLATES, TOM, Person, subjects_for
from tests.e2e.site import CONTACTS, SEQUENCES, Site, facts_of, history, is_at_rest
from tests.e2e.tables import expected_contact, expected_sequence
from tests.factories import CAMPAIGN
from tests.waiting import eventually

LATE_S = 60
"""Timers fire at whole seconds, and the machine may be busy."""

each_person = pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.segment)


@dataclass(frozen=True)
class Journey:
    site: Site
    broker: Broker
    mails: dict[str, list[Mail]]
    """Of each person, the first step first."""
    facts: dict[str, list[AnyFact]]


@pytest.fixture(scope="module")
async def journey(up: Site, broker_of_up: Broker) -> Journey:
    """Everybody has been through it."""
    for person in PEOPLE:
        assert await up.sign_up(person)
    await up.has_finished(*PEOPLE)
    mails = {person.email: sorted(await up.mails(person), key=lambda mail: str(mail.tag("step"))) for person in PEOPLE}
    facts = {person.email: await history(broker_of_up, person) for person in PEOPLE}
    return Journey(up, broker_of_up, mails, facts)


@each_person
async def test_a_signup_brings_the_seven_emails_of_its_segment_in_order(journey: Journey, person: Person) -> None:
    mails = journey.mails[person.email]
    assert [mail.tag("step") for mail in mails] == list(STEPS)
    assert [mail.subject for mail in mails] == subjects_for(person)
    sent = sorted((fact for fact in journey.facts[person.email] if isinstance(fact, EmailSent)), key=due_at)
    assert [fact.email.step for fact in sent] == list(STEPS)
    assert [fact for fact in sent if fact.at < due_at(fact)] == []
    assert [fact.template for fact in sent] == list(TEMPLATES[person.segment])
    assert [fact.provider_id for fact in sent] == [mail.id for mail in mails]


def due_at(fact: EmailSent) -> datetime:
    """What was late, as this machine stood still, goes out in any order."""
    assert fact.due
    return fact.due


async def test_exactly_21_emails_reach_three_people(journey: Journey) -> None:
    assert len(await journey.site.mails()) == 21


@each_person
async def test_an_email_names_its_reader_in_html_and_text(journey: Journey, person: Person) -> None:
    for mail in journey.mails[person.email]:
        for body in _bodies(mail):
            assert f"Hi {person.first_name}," in body
            assert "100 Example Street" in body


def _bodies(mail: Mail) -> tuple[str, str]:
    """What a reader sees: without the escapes of HTML and the line breaks of text."""
    return " ".join(html.unescape(mail.html or "").split()), " ".join((mail.text or "").split())


RESULTS = {
    MARIA.email: (
        "Maria's Bakery", "34 out of 100", "3 red:", "2 orange:", "1 yellow:", "2 green:", "GPS score: 41",
        "Money score: 28", "Cash flow", "Follow-up", "$14,700",
    ),
    TOM.email: ("Söhne & <Tom>", "58 out of 100", "1 red:", "4 yellow:", "GPS score: 60", "Scheduling", "$6,200"),
    AIKO.email: ("your business", "83 out of 100", "1 orange:", "2 yellow:", "5 green:"),
}  # fmt: skip
SEGMENTED = {
    MARIA.email: ("Cash flow", "$14,700"),
    TOM.email: ("Scheduling", "$6,200"),
    AIKO.email: ("your business",),
}


@each_person
async def test_the_first_email_holds_the_whole_result(journey: Journey, person: Person) -> None:
    first = journey.mails[person.email][0]
    text = _bodies(first)[1]
    assert [each for each in RESULTS[person.email] if each not in text] == []
    plain = _bodies(first)[0].replace("<strong>", "").replace("</strong>", "")
    assert [each for each in RESULTS[person.email] if each not in plain and "out of" not in each] == []


@each_person
async def test_a_segmented_email_uses_the_values_of_its_reader(journey: Journey, person: Person) -> None:
    for body in _bodies(journey.mails[person.email][1]):
        assert [each for each in SEGMENTED[person.email] if each not in body] == []


async def test_what_was_not_given_is_not_mentioned(journey: Journey) -> None:
    for mail in journey.mails[AIKO.email]:
        for body in _bodies(mail):
            assert "N/A" not in body
            assert "None" not in body
            assert "0 red" not in body


async def test_text_from_a_form_never_becomes_html(journey: Journey) -> None:
    named = [mail for mail in journey.mails[TOM.email] if "Söhne" in (mail.text or "")]
    assert named
    for mail in named:
        assert "Söhne &amp; &lt;Tom&gt;" in (mail.html or "")
        assert "<Tom>" not in (mail.html or "")


@each_person
async def test_every_email_says_who_sends_it_and_how_to_stop_it(journey: Journey, person: Person) -> None:
    for mail in journey.mails[person.email]:
        assert (mail.sender, mail.to) == ("Business X <hello@mail.example.com>", [person.email])
        assert mail.reply_to == ["hello@example.com"]
        assert mail.headers == {"List-Unsubscribe": "<mailto:hello@example.com?subject=stop>"}


@each_person
async def test_every_email_carries_its_id_as_key_and_tags(journey: Journey, person: Person) -> None:
    for step, mail in zip(STEPS, journey.mails[person.email], strict=True):
        assert mail.idempotency_key == person.email_id(step)
        assert {tag.name: tag.value for tag in mail.tags} == {
            "contact": person.contact,
            "campaign": CAMPAIGN,
            "sequence": "nurture",
            "instance": "once",
            "step": step,
            "email_id": person.email_id(step).replace(".", "_"),
        }


@each_person
async def test_no_email_leaves_before_its_time_or_long_after(journey: Journey, person: Person) -> None:
    facts = journey.facts[person.email]
    (signup,) = [fact for fact in facts if isinstance(fact, SignupReceived)]
    accepted = {mail.tag("step"): mail.accepted_at for mail in journey.mails[person.email]}
    for number, step in enumerate(STEPS):
        late = accepted[step] - (signup.at + timedelta(seconds=number * STEP_S))
        assert timedelta(0) <= late < timedelta(seconds=LATE_S)


@each_person
async def test_both_tables_show_the_person_in_every_column(journey: Journey, person: Person) -> None:
    facts = journey.facts[person.email]
    assert await journey.site.row(SEQUENCES, person) == expected_sequence(person, facts)
    assert await journey.site.row(CONTACTS, person) == expected_contact(person, facts)


async def test_three_people_make_six_rows(journey: Journey) -> None:
    assert len(await journey.site.rows(SEQUENCES)) == 3
    assert len(await journey.site.rows(CONTACTS)) == 3


async def test_the_log_holds_one_signup_and_seven_sent_emails_each(journey: Journey) -> None:
    expected = {"signup_received": 1, "email_sent": 7}
    assert await facts_of(journey.broker) == {person.contact: expected for person in PEOPLE}


async def test_nothing_is_left_pending_or_parked(journey: Journey) -> None:
    await eventually(lambda: is_at_rest(journey.broker))
