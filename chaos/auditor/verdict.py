"""From the evidence to the figures, and to every email that is not as it must be. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from chaos.auditor.evidence import Document, Evidence, Promise, Stored
from chaos.auditor.expected import Expectations, Expected, contact_of, moment
from chaos.auditor.finding import Finding
from chaos.auditor.rows import Rows, judge_rows

ENDINGS = {"email_sent": "sent", "email_skipped": "skipped", "email_failed": "failed", "email_unknown": "unknown"}
OURS = ("email_", "operator_", "handling_")
"""Tags that begin so are the product's own word, and nobody was promised them."""

OPERATIONS = "operations"
"""Stands where a contact would, in facts about no person: how webhooks were answered, who paused what."""

HINDSIGHT = timedelta(seconds=90)
"""How long after a cancellation an attempt that had begun may still reach the mailbox: a frozen sender wakes up."""


@dataclass
class Verdict:
    """The figures. `findings` are empty where all is well."""

    accepted: int
    facts: int
    parked: int
    states: Counter[str]
    rows: Rows
    findings: list[Finding] = field(default_factory=list)

    def count(self, kind: str) -> int:
        return sum(finding.kind == kind for finding in self.findings)

    @property
    def planned(self) -> int:
        return sum(self.states.values())

    @property
    def is_clean(self) -> bool:
        return not self.findings


@dataclass
class _Email:
    """Everything that is known of one email id."""

    endings: list[Stored] = field(default_factory=list)
    attempts: int = 0
    mails: list[Document] = field(default_factory=list)
    is_pending: bool = False

    def told(self) -> str:
        parts = [f"{fact.tag} at {fact.at:%H:%M:%S.%f}{_reason(fact)}" for fact in self.endings]
        parts += [f"mail {mail['id']} at {mail['accepted_at']}" for mail in self.mails]
        parts += ["a timer is armed or fired"] if self.is_pending else []
        return "; ".join([*parts, f"{self.attempts} failed attempts"])

    @property
    def state(self) -> str | None:
        """What was sent was sent; an email in doubt is known least."""
        found = {ENDINGS[fact.tag] for fact in self.endings}
        return next((state for state in ENDINGS.values() if state in found), "pending" if self.is_pending else None)


def judge(evidence: Evidence) -> Verdict:
    emails = _emails(evidence)
    expected = Expectations(evidence.campaign, evidence.speedup).of(evidence.facts)
    rows, row_findings = judge_rows(evidence)
    planned = {id_ for id_, each in expected.items() if each.wish == "must" or emails[id_].state or emails[id_].mails}
    return Verdict(
        accepted=len(set(evidence.promises)),
        facts=sum(not _is_ours(fact) for fact in evidence.facts),
        parked=len(evidence.parked),
        states=Counter(emails[id_].state or "lost" for id_ in planned),
        rows=rows,
        findings=[
            *_lost_facts(evidence),
            *(finding for id_ in sorted(expected) for finding in _judged(expected[id_], emails[id_])),
            *_strangers(expected, emails),
            *_misaddressed(evidence),
            *row_findings,
        ],
    )


def _is_ours(fact: Stored) -> bool:
    return fact.contact == OPERATIONS or fact.tag.startswith(OURS)


def _emails(evidence: Evidence) -> dict[str, _Email]:
    emails: dict[str, _Email] = defaultdict(_Email)
    for fact in evidence.facts:
        if fact.tag in ENDINGS:
            emails[fact.body["email_id"]].endings.append(fact)
        elif fact.tag == "email_attempt_failed":
            emails[fact.body["email_id"]].attempts += 1
    for mail in evidence.mails:
        emails[_id_of(mail)].mails.append(mail)
    for subject in evidence.timers:
        emails[".".join(subject.split(".")[-6:-1])].is_pending = True
    return emails


def _id_of(mail: Document) -> str:
    """By what it says of itself, and not by its key: the key is what guards it."""
    tags = {tag["name"]: tag["value"] for tag in mail["tags"]}
    return ".".join(tags.get(part, "?") for part in ("contact", "campaign", "sequence", "instance", "step"))


def _lost_facts(evidence: Evidence) -> Iterator[Finding]:
    there = Counter(fact.subject for fact in evidence.facts)
    for promise in sorted(set(evidence.promises), key=lambda each: (each.email, each.event_id)):
        if _subject(promise) not in there:
            yield Finding("lost", _subject(promise), f"the webhook of {promise.email} was answered with 2xx")
    for subject, count in there.items():
        if count > 1:
            yield Finding("doubled", subject, f"{count} times in EVENTS")


def _subject(promise: Promise) -> str:
    return f"events.{contact_of(promise.email)}.{promise.tag}.{promise.event_id}"


def _judged(wanted: Expected, email: _Email) -> Iterator[Finding]:
    told, id_ = f"due {wanted.due:%H:%M:%S.%f}; {email.told()}", wanted.email_id
    if len(email.mails) > 1:
        yield Finding("doubled", id_, told)
    if wanted.wish == "must" and email.state is None:
        yield Finding("lost", id_, told)
    for mail in email.mails:
        accepted = moment(mail["accepted_at"])
        if accepted < wanted.due:
            yield Finding("early", id_, told)
        if wanted.wish == "never" or (wanted.until and accepted > wanted.until + HINDSIGHT):
            yield Finding("wrong", id_, f"sent although called off at {wanted.until}; {told}")
    yield from _at_odds(wanted, email, told)


def _at_odds(wanted: Expected, email: _Email, told: str) -> Iterator[Finding]:
    """Facts and mailbox must tell the same story."""
    tags = {fact.tag for fact in email.endings}
    if "email_sent" in tags and not email.mails:
        yield Finding("wrong", wanted.email_id, f"a fact says sent, and there is no mail; {told}")
    if email.mails and not tags & {"email_sent", "email_unknown"}:
        yield Finding("wrong", wanted.email_id, f"a mail without its fact; {told}")
    if len(tags - {"email_unknown"}) > 1:
        yield Finding("wrong", wanted.email_id, f"ended twice; {told}")
    for fact in email.endings:
        if fact.tag == "email_skipped" and not _is_rightly_skipped(fact, wanted):
            yield Finding("lost", wanted.email_id, f"skipped, and was wanted; {told}")
        if fact.tag == "email_unknown" and wanted.until is None and moment(fact.body["at"]) < wanted.expires:
            yield Finding("wrong", wanted.email_id, f"given up while it could still be asked for; {told}")


def _is_rightly_skipped(fact: Stored, wanted: Expected) -> bool:
    if fact.body["reason"] == "expired":
        return moment(fact.body["at"]) >= wanted.expires
    return wanted.wish != "must"


def _strangers(expected: dict[str, Expected], emails: dict[str, _Email]) -> Iterator[Finding]:
    """What nobody can have planned."""
    for id_ in sorted(emails.keys() - expected.keys()):
        yield Finding("wrong", id_, f"not planned by any accepted fact; {emails[id_].told()}")


def _misaddressed(evidence: Evidence) -> Iterator[Finding]:
    for mail in evidence.mails:
        id_ = _id_of(mail)
        if [contact_of(each) for each in mail["to"]] != [id_.partition(".")[0]] or mail["idempotency_key"] != id_:
            yield Finding("wrong", id_, f"mail {mail['id']} under key {mail['idempotency_key']}: not theirs")


def _reason(fact: Stored) -> str:
    return f" ({fact.body['reason']})" if "reason" in fact.body else ""
