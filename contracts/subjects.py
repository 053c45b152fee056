"""The grammar of subjects, keys, streams and durables. Nothing else in the code spells one.

events.<contact>.<tag>.<fact id>          a fact; its subject is its identity
$KV.timers.<hour>.<email id>.<due>        a pending email
email.due.<email id>.<due>                what it fires as
parked.<consumer>.<original subject>      what no code could handle
dripstream.<question>                     what a running service answers
"""

from datetime import UTC, datetime
from typing import NamedTuple, Self

from contracts.base import Fact
from contracts.ids import BadId, EmailId

EVENTS, PARKED = "EVENTS", "PARKED"
TIMERS, SENDS, PAGES, TEMPLATES, ALERTS = "timers", "sends", "pages", "templates", "alerts"  # buckets
SCHEDULER, SENDER, NOTION_SYNC, NOTIFIER = "scheduler", "sender", "notion_sync", "notifier"  # durables

ALL_FACTS, ALL_PARKED, ALL_DUE = "events.>", "parked.>", "email.due.>"
GIVEN_UP = tuple(f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{stream}.>" for stream in (EVENTS, f"KV_{TIMERS}"))
"""Where JetStream says that it delivers a message no more. It should not, as we set no limit; a person may have."""


def stream_of(bucket: str) -> str:
    return f"KV_{bucket}"


def kv_subject(bucket: str, key: str) -> str:
    return f"$KV.{bucket}.{key}"


def fact_name(fact: Fact) -> str:
    """One name for one fact, of any contact."""
    return f"{fact.contact}.{fact.tag}.{fact.id}"


def fact_subject(fact: Fact) -> str:
    return f"events.{fact_name(fact)}"


def facts_of(tag: str, contact: str = "*") -> str:
    """The subject filter that is every fact of one kind (`*`: of any), of everybody or of one contact."""
    return f"events.{contact}.{tag}.>"


def history_of(contact: str) -> str:
    """The subject filter that is one contact's whole life."""
    return f"events.{contact}.>"


def contact_of(subject: str) -> str:
    """Whose fact it is. Errors: BadId."""
    parts = subject.split(".")
    if len(parts) < 4 or parts[0] != "events":
        raise BadId(f"{subject[:200]!r} is not the subject of a fact")
    return parts[1]


def about(subject: str) -> tuple[str, str] | None:
    """Whom a fact or a wake-up concerns, and the id it goes by: the fact's, or the email's. None for other subjects."""
    parts = subject.split(".")
    if parts[0] == "events" and len(parts) > 3:
        return parts[1], ".".join(parts[3:])
    if subject.startswith("email.due.") and len(parts) > 4:
        return parts[2], ".".join(parts[2:-1])
    return None


def parked_subject(consumer: str, subject: str) -> str:
    return f"parked.{consumer}.{subject.removeprefix('$')}"


def hour_of(moment: datetime) -> str:
    """The first token of a timer key: `2026112009`, UTC. Keys in order are keys in order of time."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H")


class Timer(NamedTuple):
    """One email at one time. Its key is written once; another time is another key."""

    email_id: str
    due: int
    """Epoch seconds, UTC."""

    @classmethod
    def at(cls, email_id: str, due: datetime) -> Self:
        """Keys name whole seconds; a due time within a second waits for its end, so that nothing is early."""
        return cls(email_id, -int(-due.timestamp() // 1))

    @classmethod
    def parse(cls, subject: str) -> Self:
        """From a key, or from the subject it fires as. Errors: BadId."""
        text = subject.removeprefix(kv_subject(TIMERS, "")).removeprefix("email.due.")
        head, _, due = text.rpartition(".")
        if head.count(".") == len(EmailId._fields):
            head = head.partition(".")[2]
        if not (due.isascii() and due.isdigit()):
            raise BadId(f"{subject[:200]!r} is not a timer: it does not end in epoch seconds")
        return cls(str(EmailId.parse(head)), int(due))

    @property
    def due_at(self) -> datetime:
        return datetime.fromtimestamp(self.due, UTC)

    @property
    def contact(self) -> str:
        return self.email_id.partition(".")[0]

    @property
    def key(self) -> str:
        return f"{hour_of(self.due_at)}.{self.email_id}.{self.due}"

    @property
    def subject(self) -> str:
        return kv_subject(TIMERS, self.key)

    @property
    def fires_as(self) -> str:
        return f"email.due.{self.email_id}.{self.due}"


def timers_of_hour(moment: datetime) -> str:
    return kv_subject(TIMERS, f"{hour_of(moment)}.>")


def timers_of_step(campaign: str, sequence: str, step: str) -> str:
    """Whoever they are for and whenever they are due."""
    return kv_subject(TIMERS, f"*.*.{campaign}.{sequence}.*.{step}.*")


def timers_of(contact: str) -> str:
    return kv_subject(TIMERS, f"*.{contact}.>")


def timers_like(*, contact: str | None = None, campaign: str | None = None, hour: datetime | None = None) -> str:
    """The subject filter that is every pending email of one contact, campaign and hour, as far as they are given."""
    return kv_subject(TIMERS, f"{hour_of(hour) if hour else '*'}.{contact or '*'}.{campaign or '*'}.>")


def fired_of(contact: str) -> str:
    return f"email.due.{contact}.>"


def question(name: str) -> str:
    """Where services are asked: `dripstream.pending`."""
    return f"dripstream.{name}"
