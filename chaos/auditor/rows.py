"""Whether Notion shows what the facts say: one row a person in each table, and the right values in it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from chaos.auditor.evidence import Document, Evidence, Stored
from chaos.auditor.expected import moment
from chaos.auditor.finding import Finding

SEQUENCES, CONTACTS = "Email Sequence", "BusinessX Canada"
ENDED = {"email_sent", "email_skipped", "email_failed"}


@dataclass
class Rows:
    """How many rows are as they must be, are not (or are missing), and are there more than once."""

    right: int = 0
    wrong: int = 0
    doubled: int = 0


def judge_rows(evidence: Evidence) -> tuple[Rows, list[Finding]]:
    rows, findings = Rows(), list[Finding]()
    wanted = wanted_rows(evidence)
    for table, people in wanted.items():
        shown = [row for row in evidence.tables[table] if not row["in_trash"]]
        for address, values in people.items():
            mine = [row for row in shown if row["Email"] == address]
            if len(mine) > 1:
                rows.doubled += 1
                findings.append(Finding("doubled", f"{table}: {address}", f"{len(mine)} rows"))
            if known := _differences(mine, values):
                rows.wrong += 1
                findings.append(Finding("wrong", f"{table}: {address}", known))
            rows.right += len(mine) == 1 and not known
        for stranger in sorted({str(row["Email"]) for row in shown} - people.keys()):
            rows.wrong += 1
            findings.append(Finding("wrong", f"{table}: {stranger}", "a row of nobody we know"))
    return rows, findings


def wanted_rows(evidence: Evidence) -> dict[str, dict[str, Document]]:
    """By table and address: the columns that we can tell from the facts."""
    by_contact: dict[str, list[Stored]] = {}
    for fact in evidence.facts:
        by_contact.setdefault(fact.contact, []).append(fact)
    steps = [step["id"] for step in evidence.campaign["sequences"]["nurture"]["steps"]]
    wanted: dict[str, dict[str, Document]] = {SEQUENCES: {}, CONTACTS: {}}
    for facts in by_contact.values():
        forms = sorted((fact for fact in facts if fact.tag == "signup_received"), key=lambda fact: fact.body["at"])
        bookings = [fact for fact in facts if fact.tag.startswith("booking_")]
        if forms:
            person = _person(forms, evidence.campaign["name"])
            wanted[SEQUENCES][forms[-1].body["email"]] = person | _emails(facts, steps)
            wanted[CONTACTS][forms[-1].body["email"]] = person | _call(bookings)
        elif bookings:
            wanted[CONTACTS][bookings[0].body["booker"]["email"]] = _call(bookings)
    return wanted


def _person(forms: list[Stored], campaign: str) -> Document:
    newest = forms[-1].body
    return {
        "First Name": newest["first_name"],
        "Business Name": newest.get("business_name") or "N/A",
        "Assessment Score": newest["assessment"]["assessment_score"],
        "Campaign": campaign,
        "Signup Date": moment(forms[0].body["at"]).replace(microsecond=0),
    }


def _emails(facts: list[Stored], steps: list[str]) -> Document:
    mine = [fact for fact in facts if ".nurture.once." in fact.body.get("email_id", "")]
    sent = {fact.body["email_id"].rpartition(".")[2]: fact for fact in mine if fact.tag == "email_sent"}
    ended = {fact.body["email_id"].rpartition(".")[2] for fact in mine if fact.tag in ENDED}
    stopped = any(fact.tag == "triggered" for fact in facts)
    dates = {
        f"Email {number} Sent": moment(sent[step].body["at"]).replace(microsecond=0) if step in sent else None
        for number, step in enumerate(steps, start=1)
    }
    return dates | ({} if stopped else {"Sequence Completed": ended == set(steps)})


def _call(bookings: list[Stored]) -> Document:
    """A person of ours has one meeting at most."""
    tags = {fact.tag for fact in bookings}
    if not bookings:
        return {"Booking Status": None, "Diagnostic Call Date": None, "Christmas Campaign Status": "Nurture Sequence"}
    times = sorted(
        (fact for fact in bookings if fact.tag != "booking_cancelled"), key=lambda fact: str(fact.body["sent_at"])
    )
    start = moment(times[-1].body["start"]).replace(microsecond=0)
    if "booking_cancelled" in tags:
        return {"Booking Status": "Cancelled", "Diagnostic Call Date": start}
    status = "Rescheduled" if "booking_rescheduled" in tags else "Booked"
    return {
        "Booking Status": status,
        "Diagnostic Call Date": start,
        "Christmas Campaign Status": "Pre-Call Prep",
    }


def _differences(mine: list[Document], values: Document) -> str:
    if not mine:
        return "no row"
    differs = _differing(mine[0], values)
    return "; ".join(f"{name}: {mine[0].get(name)!r} instead of {values[name]!s}" for name in differs)


def _differing(row: Document, values: Document) -> Iterator[str]:
    for name, value in values.items():
        found = row.get(name)
        if isinstance(value, datetime) and isinstance(found, str):
            found = moment(found)
        if found != value:
            yield name
