"""The databases in Notion: their names, and every column with its type. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

from services.notion_sync import calls

Database = Literal["Email Sequence", "BusinessX Canada", "Email Templates", "Email Analytics", "Email Queue"]
EMAIL_SEQUENCE: Database = "Email Sequence"
BUSINESSX: Database = "BusinessX Canada"
TEMPLATES: Database = "Email Templates"
ANALYTICS: Database = "Email Analytics"
QUEUE: Database = "Email Queue"

DATABASES: tuple[Database, ...] = (EMAIL_SEQUENCE, BUSINESSX, TEMPLATES, ANALYTICS, QUEUE)
ROWS: tuple[Database, ...] = (EMAIL_SEQUENCE, BUSINESSX, ANALYTICS, QUEUE)
"""Those whose rows are made from facts."""

HOLD, STATUS, KEY, CUSTOMER = "Hold", "Status", "Key", "Customer"
EMAILS = 7
"""The sequence database has so many "Email N Sent" columns; what comes after the seventh step has none."""

QUEUED, HELD, CANCELLED = "queued", "held", "cancelled"
STATUSES = (QUEUED, "sent", "failed", "skipped", HELD, CANCELLED, "unknown")
EVENTS = ("sent", "delivered", "opened", "clicked", "bounced", "complained", "failed", "skipped")
DRAFT, PUBLISHED = "Draft", "Published"

_PERSON = {
    "Name": "title",
    "Email": "email",
    HOLD: "checkbox",
    "First Name": "rich_text",
    "Business Name": "rich_text",
    "Assessment Score": "number",
    "Red Systems": "number",
    "Orange Systems": "number",
    "Yellow Systems": "number",
    "Green Systems": "number",
    "Segment": "select",
    "Campaign": "select",
    "Signup Date": "date",
}
COLUMNS: Mapping[Database, Mapping[str, str]] = {
    EMAIL_SEQUENCE: {
        **_PERSON,
        "Assessment Completed": "checkbox",
        "Sequence Completed": "checkbox",
        **{f"Email {n} Sent": "date" for n in range(1, EMAILS + 1)},
    },
    BUSINESSX: {
        **_PERSON,
        "Phase": "select",
        "Christmas Campaign Status": "select",
        "GPS Score": "number",
        "Money Score": "number",
        "Weakest System 1": "rich_text",
        "Weakest System 2": "rich_text",
        "Revenue Leak Total": "number",
        **calls.COLUMNS,
    },
    TEMPLATES: {
        "Template ID": "title",
        "Campaign": "select",
        "Subject Line": "rich_text",
        "Preheader": "rich_text",
        "Email Body HTML": "rich_text",
        "Email Body Plain Text": "rich_text",
        STATUS: "select",
    },
    ANALYTICS: {
        "Name": "title",
        KEY: "rich_text",
        "Event Type": "select",
        "Template ID": "rich_text",
        "Email Number": "number",
        "Resend Email ID": "rich_text",
        "Campaign": "select",
        CUSTOMER: "relation",
        "Timestamp": "date",
        "Reason": "rich_text",
    },
    QUEUE: {
        "Name": "title",
        KEY: "rich_text",
        "Email Address": "email",
        "First Name": "rich_text",
        "Email Number": "number",
        "Template ID": "rich_text",
        "Scheduled Time": "date",
        STATUS: "select",
        "Sent At": "date",
        "Resend Email ID": "rich_text",
        "Error Message": "rich_text",
        CUSTOMER: "relation",
    },
}
"""Every column we write, with its type."""

EDITABLE: Mapping[Database, frozenset[str]] = {
    EMAIL_SEQUENCE: frozenset({HOLD, "First Name", "Business Name"}),
    BUSINESSX: frozenset({HOLD, "First Name", "Business Name"}),
    TEMPLATES: frozenset(),
    ANALYTICS: frozenset(),
    QUEUE: frozenset({STATUS}),
}
"""What people may change, and mean it."""

_OPTIONS: Mapping[tuple[Database, str], tuple[str, ...]] = {
    (BUSINESSX, "Booking Status"): calls.STATUSES,
    (TEMPLATES, STATUS): (DRAFT, PUBLISHED),
    (ANALYTICS, "Event Type"): EVENTS,
    (QUEUE, STATUS): STATUSES,
}

_LATER: Mapping[Database, frozenset[str]] = {
    EMAIL_SEQUENCE: frozenset({HOLD}),
    BUSINESSX: frozenset({HOLD, *calls.COLUMNS}),
    TEMPLATES: frozenset(),
    ANALYTICS: frozenset(),
    QUEUE: frozenset(),
}
"""Columns that came later, so that older databases lack them."""


def added(database: Database) -> Mapping[str, dict[str, Any]]:
    """Columns that are made where they are missing; no others are."""
    return {name: definition(database, name) for name in sorted(_LATER[database])}


def definition(database: Database, name: str, *, customers: str = "") -> dict[str, Any]:
    """A column as Notion wants it described; `customers`: the data source that `Customer` points to."""
    kind = COLUMNS[database][name]
    if kind == "relation":
        return {kind: {"data_source_id": customers, "type": "single_property", "single_property": {}}}
    if kind == "select":
        return {kind: {"options": [{"name": each} for each in _OPTIONS.get((database, name), ())]}}
    return {kind: {}}


def definitions(database: Database, *, customers: str) -> dict[str, dict[str, Any]]:
    """Every column of a new database."""
    return {name: definition(database, name, customers=customers) for name in COLUMNS[database]}
