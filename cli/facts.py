"""Facts as operators read them: which ones are meant, and one as a document, a line or a row of CSV."""

import base64
import csv
import io
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from cli.contact import describe
from cli.whom import Cannot, clear
from contracts import subjects
from contracts.codec import TAGS, Undecodable, fact_at
from contracts.ids import BadId, contact_id
from eventlog.direct import DirectReader, StoredMessage
from journey.variables import printable

COLUMNS = ("sequence", "stored_at", "at", "type", "contact", "id", "email_id", "by", "why", "fact")
"""Of CSV: new ones are only added at the end."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that a spreadsheet would run."""


@dataclass(frozen=True)
class Wanted:
    """Which facts are meant; nothing said means all of them. Times are those of storing."""

    contact: str | None = None
    types: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    def __contains__(self, message: StoredMessage) -> bool:
        _, contact, tag, *_ = message.subject.split(".")
        return (self.contact is None or contact == self.contact) and (not self.types or tag in self.types)

    @property
    def subject(self) -> str:
        """The narrowest filter that has all of them."""
        [tag] = self.types if len(self.types) == 1 else ["*"]
        return subjects.facts_of(tag, self.contact or "*")


def wanted(contact: str | None, types: Collection[str], since: datetime | None, until: datetime | None) -> Wanted:
    """Errors: Cannot, naming the types there are."""
    unknown = sorted(set(types) - TAGS)
    if unknown:
        raise Cannot(f"there are no facts {', '.join(unknown)}; there are: {', '.join(sorted(TAGS))}")
    return Wanted(contact, frozenset(types), since, until)


def whose(text: str | None, known: Collection[str]) -> str | None:
    """The contact id of an address, or of the beginning of one. Errors: Cannot."""
    if text is None or "@" in text:
        return contact_id(text) if text else None
    return clear(text, known, "nobody")


async def read(reader: DirectReader, what: Wanted) -> AsyncIterator[StoredMessage]:
    """In the order they were stored; a page of them in memory. Errors: Unavailable."""
    async for page in reader.pages(subjects.EVENTS, what.subject, what.since or 1):
        for message in page:
            if what.until and stored_at(message) > what.until:
                return
            if message in what:
                yield message


def stored_at(message: StoredMessage) -> datetime:
    """By the broker's clock."""
    return datetime.fromisoformat(message.headers["Nats-Time-Stamp"]).astimezone(UTC)


def document(message: StoredMessage) -> dict[str, Any]:
    """The whole fact, as it is stored; one that no version can read as well."""
    about = {"sequence": message.sequence, "stored_at": stored_at(message), "subject": message.subject}
    try:
        return {**about, "fact": msgspec.json.decode(message.payload)}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {**about, "fact": None, "payload_base64": base64.b64encode(message.payload).decode()}


def line(message: StoredMessage, address: str | None = None) -> str:
    """One fact in words, without what a terminal would obey."""
    _, contact, tag, *_ = message.subject.split(".")
    try:
        said = describe(fact_at(message.subject, message.payload))
    except (Undecodable, BadId):
        said = "cannot be read by this version"
    return printable(f"{stored_at(message):%Y-%m-%d %H:%M:%S}  {tag:<22} {address or contact}  {said}".rstrip())


def row(message: StoredMessage) -> list[str]:
    """For COLUMNS."""
    told = document(message)
    fact: Mapping[str, Any] = told["fact"] if isinstance(told["fact"], dict) else {}
    _, contact, tag, *rest = message.subject.split(".")
    first = [str(message.sequence), told["stored_at"].isoformat(), str(fact.get("at", "")), tag, contact]
    more = [".".join(rest), *(str(fact.get(name) or "") for name in ("email_id", "by", "why"))]
    return [safe(each) for each in (*first, *more, message.payload.decode(errors="replace"))]


def safe(cell: str) -> str:
    """Text, whatever a spreadsheet makes of a cell that begins so."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def csv_line(cells: Collection[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def json_line(message: StoredMessage) -> str:
    return msgspec.json.encode(document(message)).decode() + "\n"
