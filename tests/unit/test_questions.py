"""What services are asked over NATS: strictly read, and answered within one message."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from nats.micro.service import SEMVER_REGEX

from contracts.facts import AnyFact
from contracts.ids import contact_id
from contracts.subjects import Timer
from eventlog.pause import Paused
from journey.contact import fold
from journey.plan import Pace, plan
from journey.views import story
from services.micro import semver
from services.questions import LONGEST, Refused, fitting
from services.scheduler.questions import contact_answer, pending_answer, which_contact, which_pending
from services.sender.questions import pause_answer, pause_from, resume_from
from tests.factories import ADA, at, make_email_id, make_email_sent, make_signup
from tests.unit.journey.test_plan import STEPS, campaign

ID = contact_id(ADA)
TIMERS = [Timer.at(make_email_id(step), at(days=n)) for n, step in enumerate(STEPS, 1)]
ROOMY = 1_000_000


def refusal(ask: object, body: bytes | str) -> tuple[int, str]:
    assert callable(ask)
    with pytest.raises(Refused) as refused:
        ask(body if isinstance(body, bytes) else body.encode())
    return refused.value.code, str(refused.value)


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}"])
def test_no_body_asks_for_the_next_hundred(body: bytes) -> None:
    asked = which_pending(body)
    assert (asked.limit, asked.contact, asked.campaign) == (100, None, None)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ('{"limit": 0}', "$.limit"),
        ('{"limit": 1001}', "$.limit"),
        ('{"limit": "5"}', "$.limit"),
        ('{"contact": "ada@example.com"}', "`contact`"),
        ('{"contact": "*"}', "`contact`"),
        ('{"contact": ">"}', "`contact`"),
        ('{"campaign": "a.b"}', "`campaign`"),
        ('{"campaign": "*"}', "`campaign`"),
        ('{"limits": 5}', "unknown field"),
        ("[]", "object"),
        ("limit", "not JSON"),
        ("[" * 3_000, "not"),
    ],
)
def test_a_wrong_question_about_pending_emails_is_refused_with_what_to_do(body: str, names: str) -> None:
    code, said = refusal(which_pending, body)
    assert code == 400
    assert names in said


def test_a_long_request_is_refused_unread() -> None:
    code, said = refusal(which_pending, b" " * LONGEST + b"{}")
    assert (code, str(LONGEST) in said) == (413, True)


def test_a_refusal_repeats_nothing_that_was_sent() -> None:
    """It goes into a header, and into the statistics of the service."""
    for body in (
        '{"ada@example.com": 1}',
        '{"contact": "ada@example.com"}',
        '{"limit": "ada@example.com"}',
        '{"a\\r\\nX-Injected: 1": 1}',
        '"ada@example.com',
    ):
        code, said = refusal(which_pending, body)
        assert code == 400
        assert "ada@" not in said
        assert "\n" not in said


@pytest.mark.parametrize("body", [f'{{"contact": "{ID}"}}', '{"email": " Ada@Example.com "}'])
def test_a_person_is_named_by_id_or_by_address(body: str) -> None:
    assert which_contact(body.encode()) == ID


@pytest.mark.parametrize("body", ["", f'{{"contact": "{ID}", "email": "{ADA}"}}', '{"contact": "operations"}'])
def test_anything_else_names_nobody(body: str) -> None:
    assert refusal(which_contact, body)[0] == 400


def test_pending_emails_are_told_as_the_command_tells_them() -> None:
    answer = pending_answer(TIMERS[:2], len(TIMERS), ROOMY)
    first, _ = json.loads(msgspec.json.encode(answer["emails"]))
    assert first == {
        "key": TIMERS[0].key,
        "due": TIMERS[0].due_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "contact": ID,
        "campaign": "christmas-2025",
        "sequence": "nurture",
        "instance": "once",
        "step": "email-1",
    }
    assert (answer["total"], answer["more"]) == (7, True)
    assert pending_answer(TIMERS, 7, ROOMY)["more"] is False


@pytest.mark.parametrize("room", [-1, 0, 300, 600, 1_500, 5_000])
def test_an_answer_is_cut_to_the_room_there_is_and_says_so(room: int) -> None:
    answer = pending_answer(TIMERS, len(TIMERS), room)
    assert len(msgspec.json.encode(answer["emails"])) <= max(room, 0) + 2
    assert answer["more"] is (len(answer["emails"]) < len(TIMERS))


def test_a_story_that_is_too_long_loses_its_oldest_facts() -> None:
    facts: list[AnyFact] = [make_signup(), *(make_email_sent(step) for step in STEPS[:3])]
    state = fold(ID, facts)
    planned = plan(state, campaign(), Pace())
    whole = story(state, facts, planned)
    assert {**contact_answer(state, facts, planned, ROOMY), "facts": 0, "emails": 0} == {
        **whole, "facts": 0, "emails": 0, "more": False,
    }  # fmt: skip
    room = len(msgspec.json.encode(whole["emails"])) + len(msgspec.json.encode(whole["facts"])) - 100
    cut = contact_answer(state, facts, planned, room)
    told = json.loads(msgspec.json.encode(cut))
    assert told["more"] is True
    assert len(told["emails"]) == len(planned)
    assert 0 < len(told["facts"]) < len(facts)
    assert told["facts"][-1]["email_id"] == make_email_id(STEPS[2])
    assert len(msgspec.json.encode(cut["facts"])) + len(msgspec.json.encode(cut["emails"])) <= room + 4


def test_what_does_not_fit_ends_the_list() -> None:
    taken, more = fitting(["a", "b" * 50, "c"], 20)
    assert ([bytes(each) for each in taken], more) == ([b'"a"'], True)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("1h30m", timedelta(minutes=90)),
        ("30d", timedelta(days=30)),
    ],
)
def test_a_pause_is_as_long_as_it_says(text: str, length: timedelta) -> None:
    assert pause_from(json.dumps({"for": text, "by": "ada"}).encode()).for_ == length


@pytest.mark.parametrize("text", ["", "0s", "h", "-1h", "1 h", "1h ", "1.5h", "31d", "9999999d", "١h", "1w"])
def test_a_pause_without_a_sensible_length_is_refused(text: str) -> None:
    code, why = refusal(pause_from, json.dumps({"for": text, "by": "ada"}))
    assert (code, "`for` says how long" in why) == (400, True)


def test_a_pause_needs_somebody_who_answers_for_it() -> None:
    for body in ('{"for": "1h"}', '{"for": "1h", "by": " "}', '{"for": "1h", "by": "\\u0000"}'):
        assert "`by`" in refusal(pause_from, body)[1]
    assert "`by`" in refusal(resume_from, "{}")[1]


def test_only_the_sender_answers_for_itself() -> None:
    assert "`service`" in refusal(pause_from, '{"service": "scheduler", "for": "1h", "by": "ada"}')[1]
    assert "`service`" in refusal(resume_from, '{"service": "ingest", "by": "ada"}')[1]


def test_who_and_why_are_one_line_each() -> None:
    asked = pause_from(b'{"service": "sender", "for": "1h", "by": " ada\\n", "why": "moving\\r\\n house\\u0007"}')
    assert (asked.by, asked.why, asked.for_) == ("ada", "moving house", timedelta(hours=1))


def test_a_pause_is_answered_with_how_it_stands_and_how_it_stood() -> None:
    until = datetime(2026, 11, 21, tzinfo=UTC)
    assert pause_answer(Paused(until, "by ada"), None) == {
        "service": "sender",
        "paused": {"until": until, "reason": "by ada"},
        "before": None,
    }


@pytest.mark.parametrize(
    ("python", "semantic"),
    [
        ("0.1.0", "0.1.0"),
        ("2", "2.0.0"),
        ("1.2", "1.2.0"),
        ("1.2.3.4", "1.2.3"),
        ("1.2rc1", "1.2.0-rc1"),
        ("1.2.3.dev4+gabc.1", "1.2.3-dev4+gabc.1"),
        ("1.2.3b2.dev4", "1.2.3-b2.dev4"),
        ("1.2.3.post1", "1.2.3+post1"),
        ("2026.01", "2026.1.0"),
        ("no version", "0.0.0"),
    ],
)
def test_a_version_of_python_is_told_as_nats_takes_it(python: str, semantic: str) -> None:
    assert semver(python) == semantic
    assert SEMVER_REGEX.match(semantic)
