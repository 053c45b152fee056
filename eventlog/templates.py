"""The templates that are published in Notion, as far as they passed the checks: what the sender uses."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from contracts import subjects
from contracts.base import Utc
from eventlog.bucket import Bucket, Entry
from eventlog.connection import Broker
from eventlog.direct import DirectReader, StoredMessage
from eventlog.index import info


class PublishedTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """The sources of one template. `withdrawn`: it is published no more, and the file's counts again."""

    fields: Annotated[dict[str, str], Meta(description="subject and preheader")] = {}
    body: str = ""
    text: Annotated[str, Meta(description="the text part, where it is written by hand")] = ""
    version: Annotated[str, Meta(description="of these sources and the layout they were checked with")] = ""
    at: Utc
    page_id: str = ""
    withdrawn: bool = False
    v: int = 1


Known = Mapping[str, Entry[PublishedTemplate] | None]
"""By key; None where this version cannot read what is there."""


def key_of(campaign: str, template: str) -> str:
    return f"{campaign}.{template}"


class Templates:
    """Bucket `templates`: `<campaign>.<template>` → PublishedTemplate."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._bucket = Bucket(broker, subjects.TEMPLATES, PublishedTemplate)
        self._reader = DirectReader(broker)

    async def last_sequence(self) -> int:
        """It grows with every change. Errors: Unavailable."""
        return (await info(self._broker, subjects.stream_of(subjects.TEMPLATES))).state.last_seq

    async def all(self) -> Known:
        """Every template, published or withdrawn. Errors: Unavailable."""
        wanted = [subjects.kv_subject(subjects.TEMPLATES, ">")]
        found = await self._reader.last_of_each(subjects.stream_of(subjects.TEMPLATES), wanted)
        prefix = subjects.kv_subject(subjects.TEMPLATES, "")
        return {each.subject.removeprefix(prefix): _entry(each) for each in found if each.payload}

    async def put(self, key: str, value: PublishedTemplate, *, over: int | None) -> int | None:
        """As `Bucket.put`. Errors: Unavailable."""
        return await self._bucket.put(key, value, over=over)


def _entry(message: StoredMessage) -> Entry[PublishedTemplate] | None:
    try:
        return Entry(msgspec.json.decode(message.payload, type=PublishedTemplate), message.sequence)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
