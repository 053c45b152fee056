"""The auditor is only worth something if it sees what is wrong."""

import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chaos.auditor.evidence import CAMPAIGN, Evidence, Promise, Stored
from chaos.auditor.expected import contact_of, short
from chaos.auditor.verdict import judge
from services.settings import ROOT

ADA, SPEEDUP = "ada@example.com", 10.0
CONTACT = contact_of(ADA)
BEGAN = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
START = BEGAN + timedelta(seconds=60)
INSTANCE = f"{short('u1')}-{int(START.timestamp())}"
FILE = tomllib.loads((ROOT / "campaigns" / CAMPAIGN / "campaign.toml").read_text())

NURTURE = {f"nurture.once.email-{n}": BEGAN + timedelta(seconds=6 * (n - 1)) for n in range(1, 8)}
CALL = {
    f"precall.{INSTANCE}.prep-guide": START - timedelta(seconds=36),
    f"precall.{INSTANCE}.reminder": START - timedelta(seconds=18),
    f"precall.{INSTANCE}.last-reminder": START - timedelta(seconds=6),
    f"postcall.{INSTANCE}.follow-up": START + timedelta(seconds=7),
}


def email_id(tail: str) -> str:
    return f"{CONTACT}.{CAMPAIGN}.{tail}"


def stored(tag: str, fact_id: str, at: datetime, **body: Any) -> Stored:
    return Stored(f"events.{CONTACT}.{tag}.{fact_id}", at, {"at": at.isoformat(), **body})


def form() -> Stored:
    assessment = {"assessment_score": 50}
    about = {"email": ADA, "first_name": "Ada", "assessment": assessment}
    return stored("signup_received", f"{CAMPAIGN}.f1", BEGAN, **about)


def told(tag: str, at: datetime, uid: str = "u1", start: datetime = START, **body: Any) -> Stored:
    times = {"start": start.isoformat(), "end": (start + timedelta(seconds=1)).isoformat()}
    about = {"uid": uid, "sent_at": at.isoformat(), "booker": {"email": ADA}, **times, **body}
    return stored(tag, f"{uid}.{int(at.timestamp())}", at, **about)


def sent(tail: str, at: datetime) -> Stored:
    return stored("email_sent", email_id(tail), at, email_id=email_id(tail))


def mail(tail: str, at: datetime, **changes: Any) -> dict[str, Any]:
    names = ("contact", "campaign", "sequence", "instance", "step")
    tags = [{"name": name, "value": part} for name, part in zip(names, email_id(tail).split("."), strict=True)]
    about = {"id": tail, "to": [ADA], "tags": tags, "accepted_at": at.isoformat(), "idempotency_key": email_id(tail)}
    return about | changes


def rows(facts: list[Stored], **changes: Any) -> dict[str, list[dict[str, Any]]]:
    dates = {tail: at for tail, at in NURTURE.items() if any(email_id(tail) in fact.subject for fact in facts)}
    person = {
        "in_trash": False,
        "Email": ADA,
        "First Name": "Ada",
        "Business Name": "N/A",
        "Assessment Score": 50,
        "Campaign": FILE["name"],
        "Signup Date": BEGAN.isoformat(),
    }
    shown = {f"Email {tail[-1]} Sent": at.isoformat() for tail, at in dates.items()}
    status = {"Booking Status": "Booked", "Diagnostic Call Date": START.isoformat()}
    contact = person | status | {"Christmas Campaign Status": "Pre-Call Prep"}
    return {
        "Email Sequence": [person | {"Sequence Completed": True} | shown | changes],
        "BusinessX Canada": [contact],
    }


@pytest.fixture
def clean() -> Evidence:
    """Ada signed up and booked a call, and got all eleven emails."""
    due = NURTURE | CALL
    facts = [form(), told("booking_created", BEGAN), *(sent(tail, at) for tail, at in due.items())]
    return Evidence(
        promises=[Promise(ADA, "signup_received", f"{CAMPAIGN}.f1")],
        facts=facts,
        parked=[],
        timers=[],
        mails=[mail(tail, at) for tail, at in due.items()],
        tables=rows(facts),
        campaign=FILE,
        speedup=SPEEDUP,
    )


THIRD = "nurture.once.email-3"
REMINDER = f"precall.{INSTANCE}.reminder"


def without(tail: str, evidence: Evidence, *, mail_too: bool = True) -> Evidence:
    facts = [fact for fact in evidence.facts if not fact.subject.endswith(tail)]
    mails = [each for each in evidence.mails if not mail_too or each["id"] != tail]
    return replace(
        evidence, facts=facts, mails=mails, tables=rows(facts, **{"Sequence Completed": "nurture" not in tail})
    )


def with_facts(evidence: Evidence, *facts: Stored) -> Evidence:
    return replace(evidence, facts=[*evidence.facts, *facts])


def test_a_run_in_which_all_went_well_is_clean(clean: Evidence) -> None:
    verdict = judge(clean)
    assert verdict.findings == []
    assert (verdict.planned, verdict.states["sent"], verdict.rows.right, verdict.facts) == (11, 11, 2, 2)


def test_facts_about_no_person_are_neither_promised_nor_anybodys(clean: Evidence) -> None:
    counts = {"process": "9f8e7d6c", "since": BEGAN.isoformat(), "routes": {"signup": {"accepted": 1}}}
    counted = Stored("events.operations.webhooks_counted.9f8e7d6c.1796115600000", BEGAN, counts)
    assert judge(with_facts(clean, counted)) == judge(clean)


BROKEN: dict[str, tuple[str, Callable[[Evidence], Evidence]]] = {
    "a second mail": (
        "doubled",
        lambda seen: replace(seen, mails=[*seen.mails, mail(THIRD, NURTURE[THIRD], id="again", idempotency_key="x")]),
    ),
    "a fact twice": ("doubled", lambda seen: with_facts(seen, form())),
    "a planned email without an end": ("lost", lambda seen: without(THIRD, seen)),
    "a promised fact that is not there": (
        "lost",
        lambda seen: replace(seen, promises=[Promise(ADA, "triggered", "x")]),
    ),
    "a wanted email that was skipped": (
        "lost",
        lambda seen: with_facts(
            without(REMINDER, seen),
            stored("email_skipped", REMINDER, CALL[REMINDER], email_id=email_id(REMINDER), reason="expired"),
        ),
    ),
    "a mail before its time": (
        "early",
        lambda seen: replace(
            without(REMINDER, seen, mail_too=True),
            facts=seen.facts,
            mails=[*without(REMINDER, seen).mails, mail(REMINDER, CALL[REMINDER] - timedelta(milliseconds=1))],
        ),
    ),
    "a mail without its fact": ("wrong", lambda seen: without(REMINDER, seen, mail_too=False)),
    "a fact without its mail": (
        "wrong",
        lambda seen: replace(seen, mails=[each for each in seen.mails if each["id"] != REMINDER]),
    ),
    "a mail to somebody else": (
        "wrong",
        lambda seen: replace(seen, mails=[each | {"to": ["eve@example.com"]} for each in seen.mails]),
    ),
    "a mail nobody planned": (
        "wrong",
        lambda seen: replace(seen, mails=[*seen.mails, mail("nurture.once.email-9", BEGAN)]),
    ),
    "a reminder of a cancelled call": (
        "wrong",
        lambda seen: with_facts(seen, told("booking_cancelled", CALL[REMINDER] - timedelta(seconds=2))),
    ),
    "an email after it was paid": (
        "wrong",
        lambda seen: with_facts(seen, stored("triggered", "paid", BEGAN + timedelta(seconds=3), name="paid")),
    ),
    "an email left in doubt although there was time": (
        "wrong",
        lambda seen: with_facts(
            seen, stored("email_unknown", email_id(THIRD), BEGAN, email_id=email_id(THIRD), reason="?")
        ),
    ),
    "a missing row": ("wrong", lambda seen: replace(seen, tables={**seen.tables, "Email Sequence": []})),
    "a row twice": (
        "doubled",
        lambda seen: replace(seen, tables={name: rows * 2 for name, rows in seen.tables.items()}),
    ),
    "a cell that is not right": (
        "wrong",
        lambda seen: replace(seen, tables=rows(seen.facts, **{"Email 3 Sent": None})),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_auditor_sees(name: str, clean: Evidence) -> None:
    kind, broken = BROKEN[name]
    verdict = judge(broken(clean))
    assert verdict.count(kind) >= 1, verdict.findings


def test_what_is_still_armed_is_pending_and_not_lost(clean: Evidence) -> None:
    armed = replace(without(REMINDER, clean), timers=[f"$KV.timers.2026120109.{email_id(REMINDER)}.1796115642"])
    verdict = judge(armed)
    assert (verdict.findings, verdict.states["pending"]) == ([], 1)


def test_what_was_due_before_a_move_may_have_been_sent_and_what_comes_after_must_not() -> None:
    """Moved after the guide went out: the guide is not repeated, the reminders come for the new time only."""
    moved_at, later = START - timedelta(seconds=30), START + timedelta(seconds=60)
    new = f"{short('u2')}-{int(later.timestamp())}"
    due = {
        f"precall.{INSTANCE}.prep-guide": START - timedelta(seconds=36),
        f"precall.{new}.reminder": later - timedelta(seconds=18),
        f"precall.{new}.last-reminder": later - timedelta(seconds=6),
        f"postcall.{new}.follow-up": later + timedelta(seconds=7),
    }
    moved = told("booking_rescheduled", moved_at, "u2", later, reschedule_uid="u1")
    facts = [told("booking_created", BEGAN), moved, *(sent(tail, at) for tail, at in due.items())]
    row = {
        "in_trash": False,
        "Email": ADA,
        "Booking Status": "Rescheduled",
        "Diagnostic Call Date": later.isoformat(),
        "Christmas Campaign Status": "Pre-Call Prep",
    }
    tables: dict[str, list[dict[str, Any]]] = {"Email Sequence": [], "BusinessX Canada": [row]}
    seen = Evidence([], facts, [], [], [mail(tail, at) for tail, at in due.items()], tables, FILE, SPEEDUP)
    assert judge(seen).findings == []
    again = f"precall.{new}.prep-guide"
    twice = replace(seen, facts=[*facts, sent(again, later)], mails=[*seen.mails, mail(again, later)])
    assert judge(twice).count("wrong") == 1
