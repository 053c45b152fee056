"""Which Notion page shows what, and what was last written there: the guard against a second page."""

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts import subjects
from contracts.base import Utc
from eventlog.bucket import Bucket
from eventlog.connection import Broker


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`page_id` unset: a create was begun at `at`, and whether it was accepted is not known yet.

    Unless it was `refused`: then there is no page, and the next try need not wait for one to turn up.
    `rejected` is what Notion does not take, and since when, while it would take other rows.
    `shown` is what stands, as far as we know, in the columns that people may change; anything else there is theirs.
    `begun` is what is being written there, or may have been: until that is known, either may stand.
    `generation`: how often columns had been made anew by then; what stood in those before is gone.
    """

    page_id: str | None = None
    digest: Annotated[str, Meta(description="of the properties last written")] = ""
    at: Utc
    refused: bool = False
    rejected: Annotated[str, Meta(description="digest of the properties that were refused")] = ""
    rejected_at: Utc | None = None
    shown: dict[str, str | float | bool | None] = {}
    begun: dict[str, str | float | bool | None] | None = None
    generation: int = 0
    v: int = 1


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns a database has, and how often they were made anew; `replayed`: every row was looked at since.

    `ids` are the properties that our columns were last found to be: they keep theirs when somebody renames them.
    """

    identity: str
    ids: dict[str, str] = {}
    generation: int = 0
    replayed: bool = True
    v: int = 1


def contact_key(contact: str) -> str:
    """Where the bucket says which page of "BusinessX Canada" is theirs."""
    return f"contact.{contact}"


def sequence_key(contact: str, campaign: str) -> str:
    """And which page of "Email Sequence"."""
    return f"sequence.{contact}.{campaign}"


def pages(broker: Broker) -> Bucket[Page]:
    """Bucket `pages`."""
    return Bucket(broker, subjects.PAGES, Page)
