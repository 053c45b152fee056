"""Every email that was accepted, in the order it was, and the memory of idempotency keys."""

import sqlite3
from datetime import datetime, timedelta

import msgspec

from services.sandbox.calls import Answer

MEMORY = timedelta(hours=24)

SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    search TEXT NOT NULL,
    mail BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, answer BLOB NOT NULL, at REAL NOT NULL
);
"""


class Tag(msgspec.Struct, frozen=True):
    name: str
    value: str


class Attachment(msgspec.Struct, frozen=True):
    """What is kept of an attachment; the content, as Base64, only where it is small."""

    filename: str
    size: int
    content_type: str | None = None
    content: str = ""


class Draft(msgspec.Struct, frozen=True):
    """A request that passed every rule."""

    sender: str = msgspec.field(name="from")
    to: list[str]
    subject: str
    html: str | None = None
    text: str | None = None
    cc: list[str] = []
    bcc: list[str] = []
    reply_to: list[str] = []
    headers: dict[str, str] = {}
    tags: list[Tag] = []
    attachments: list[Attachment] = []
    scheduled_at: datetime | None = None


class Mail(Draft, frozen=True, kw_only=True):
    """`sequence` is the place in the order of acceptance."""

    sequence: int
    id: str
    accepted_at: datetime
    idempotency_key: str | None = None
    canceled_at: datetime | None = None

    def last_event(self, now: datetime) -> str:
        if self.canceled_at is not None:
            return "canceled"
        if self.scheduled_at is not None and self.scheduled_at > now:
            return "scheduled"
        return "delivered"

    def tag(self, name: str) -> str | None:
        return next((tag.value for tag in self.tags if tag.name == name), None)


class Summary(msgspec.Struct, frozen=True):
    """The part of a mail that a list shows; decoding skips the rest."""

    sequence: int
    id: str
    accepted_at: datetime
    to: list[str]
    subject: str
    tags: list[Tag] = []
    scheduled_at: datetime | None = None
    canceled_at: datetime | None = None


class Remembered(msgspec.Struct, frozen=True):
    fingerprint: str
    answer: Answer


class Mailbox:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(SCHEMA)
        self.revision = 0
        (self._last,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM mails").fetchone()

    def next_sequence(self) -> int:
        return int(self._last) + 1

    def accept(self, mails: list[Mail], key: str | None, remembered: Remembered | None, at: datetime) -> None:
        """Store the mails and the key's memory together: a kill between the two would send twice."""
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO mails VALUES (?, ?, ?, ?)", map(_row, mails))
            if key is not None and remembered is not None:
                row = (key, remembered.fingerprint, msgspec.json.encode(remembered.answer), at.timestamp())
                self._connection.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", row)
        self._last = mails[-1].sequence if mails else self._last
        self.revision += 1

    def replace(self, mail: Mail) -> None:
        update = "UPDATE mails SET mail = ? WHERE id = ?"
        self._connection.execute(update, (msgspec.json.encode(mail), mail.id))
        self.revision += 1

    def remembered(self, key: str, now: datetime) -> Remembered | None:
        row = self._connection.execute(
            "SELECT fingerprint, answer FROM keys WHERE key = ? AND at > ?", (key, (now - MEMORY).timestamp())
        ).fetchone()
        return Remembered(row[0], msgspec.json.decode(row[1], type=Answer)) if row else None

    def find(self, mail_id: str) -> Mail | None:
        row = self._connection.execute("SELECT mail FROM mails WHERE id = ?", (mail_id,)).fetchone()
        return msgspec.json.decode(row[0], type=Mail) if row else None

    def mails(self, after: int = 0, limit: int = -1) -> list[Mail]:
        """In the order accepted, those behind sequence number `after`."""
        rows = self._connection.execute(
            "SELECT mail FROM mails WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit)
        )
        decoder = msgspec.json.Decoder(Mail)
        return [decoder.decode(row[0]) for row in rows]

    def newest(self, limit: int, *, before: int | None = None, after: int | None = None) -> list[Mail]:
        """Newest first, as `GET /emails` lists them."""
        low, high = after or 0, self.next_sequence() if before is None else before
        direction = "DESC" if after is None else "ASC"
        rows = self._connection.execute(
            "SELECT mail FROM mails WHERE sequence > ? AND sequence < ?"  # noqa: S608 - one of two words
            f" ORDER BY sequence {direction} LIMIT ?",
            (low, high, limit),
        ).fetchall()
        mails = [msgspec.json.decode(row[0], type=Mail) for row in rows]
        return mails if after is None else mails[::-1]

    def summaries(self, search: str, *, newest_first: bool, limit: int, offset: int) -> list[Summary]:
        direction = "DESC" if newest_first else "ASC"
        rows = self._connection.execute(
            "SELECT mail FROM mails WHERE instr(search, ?) > 0"  # noqa: S608 - one of two words
            f" ORDER BY sequence {direction} LIMIT ? OFFSET ?",
            (search.casefold(), limit, offset),
        )
        decoder = msgspec.json.Decoder(Summary)
        return [decoder.decode(row[0]) for row in rows]

    def count(self, search: str = "") -> int:
        query = "SELECT count(*) FROM mails WHERE instr(search, ?) > 0"
        return int(self._connection.execute(query, (search.casefold(),)).fetchone()[0])

    def clear(self) -> None:
        self._connection.executescript("DELETE FROM mails; DELETE FROM keys;")
        self.revision += 1


def _row(mail: Mail) -> tuple[int, str, str, bytes]:
    words = [*mail.to, mail.subject, *(tag.value for tag in mail.tags)]
    return mail.sequence, mail.id, " ".join(words).casefold(), msgspec.json.encode(mail)
