"""The two databases a fresh sandbox starts with, under ids that never change."""

from collections.abc import Iterable
from datetime import datetime

from services.sandbox.notion_model import Column, Database, DataSource, column_id

EMAIL_SEQUENCE_DB_ID = "5a9d1c00-0000-4000-8000-00000000e5e9"
EMAIL_SEQUENCE_DATA_SOURCE_ID = "5a9d1c00-0000-4000-8000-0000000de5e9"
BUSINESSX_DB_ID = "5a9d1c00-0000-4000-8000-00000000b12c"
BUSINESSX_DATA_SOURCE_ID = "5a9d1c00-0000-4000-8000-0000000db12c"

PERSON = (
    ("Name", "title"),
    ("Email", "email"),
    ("Hold", "checkbox"),
    ("First Name", "rich_text"),
    ("Business Name", "rich_text"),
    ("Assessment Score", "number"),
    *((f"{colour} Systems", "number") for colour in ("Red", "Orange", "Yellow", "Green")),
    ("Segment", "select"),
    ("Campaign", "select"),
    ("Signup Date", "date"),
)
EMAIL_SEQUENCE = (
    *PERSON,
    ("Assessment Completed", "checkbox"),
    ("Sequence Completed", "checkbox"),
    *((f"Email {number} Sent", "date") for number in range(1, 8)),
)
BUSINESSX = (
    *PERSON,
    ("Phase", "select"),
    ("Christmas Campaign Status", "select"),
    ("GPS Score", "number"),
    ("Money Score", "number"),
    ("Weakest System 1", "rich_text"),
    ("Weakest System 2", "rich_text"),
    ("Revenue Leak Total", "number"),
    ("Booking Status", "select"),
    ("Diagnostic Call Date", "date"),
)


def seed(now: datetime) -> list[tuple[Database, DataSource]]:
    return [
        _database(EMAIL_SEQUENCE_DB_ID, EMAIL_SEQUENCE_DATA_SOURCE_ID, "Email Sequence", EMAIL_SEQUENCE, now),
        _database(BUSINESSX_DB_ID, BUSINESSX_DATA_SOURCE_ID, "BusinessX Canada", BUSINESSX, now),
    ]


def _database(
    database_id: str, source_id: str, title: str, columns: Iterable[tuple[str, str]], now: datetime
) -> tuple[Database, DataSource]:
    made = [Column(column_id(source_id, name, kind), name, kind) for name, kind in columns]
    return Database(database_id, title, now), DataSource(source_id, database_id, title, made, now, now)
