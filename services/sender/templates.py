"""Which templates the sender uses: those published in Notion, as far as the broker tells; else the files."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec
import structlog

from eventlog.connection import Unavailable
from eventlog.templates import Known, PublishedTemplate, Templates, key_of
from journey.campaign import Campaign, template_from
from journey.templates import Sources, Template

log = structlog.get_logger(__name__)

REFRESH = timedelta(seconds=5)
REASONS = 5
UNREADABLE = 0


async def as_in_files(campaign: Campaign) -> Campaign:
    """With TEMPLATES=files."""
    return campaign


class AsPublished:
    """A campaign with its published templates in the place of its files. Notion is never asked.

    Once read, they are there for good: a broker that is away changes nothing, nor does what cannot be used here.
    """

    def __init__(self, store: Templates, campaigns: Mapping[str, Campaign], clock: Callable[[], datetime]) -> None:
        self._store = store
        self._campaigns = campaigns
        self._clock = clock
        self._read_at: datetime | None = None
        self._newest = 0
        self._seen: dict[str, int] = {}
        self._good: dict[str, Template] = {}
        self._reading = asyncio.Lock()

    async def __call__(self, campaign: Campaign) -> Campaign:
        """Errors: Unavailable, until they were read for the first time."""
        async with self._reading:
            if self._read_at is None or self._clock() - self._read_at >= REFRESH:
                await self._read()
        current = {name: self._good.get(key_of(campaign.id, name), file) for name, file in campaign.templates.items()}
        return msgspec.structs.replace(campaign, templates=current)

    async def _read(self) -> None:
        try:
            if self._read_at is None or await self._store.last_sequence() > self._newest:
                self._take(await self._store.all())
        except Unavailable as error:
            if self._read_at is None:
                raise
            log.warning("templates_not_read", reason=str(error))
        self._read_at = self._clock()

    def _take(self, known: Known) -> None:
        for campaign in self._campaigns.values():
            for name in campaign.templates:
                self._take_one(campaign, name, known)
        self._newest = max((entry.revision for entry in known.values() if entry), default=0)

    def _take_one(self, campaign: Campaign, name: str, known: Known) -> None:
        key = key_of(campaign.id, name)
        entry = known.get(key)
        if key not in known or (entry and entry.value.withdrawn):
            self._good.pop(key, None)
            return
        if self._seen.get(key) == (revision := entry.revision if entry else UNREADABLE):
            return
        self._seen[key] = revision
        found = _template(campaign, name, entry.value) if entry else ("it was written by another version",)
        if isinstance(found, Template):
            self._good[key] = found
        else:  # whoever published it checked it against another version of the campaign
            log.error("template_not_usable", campaign=campaign.id, template=name, reasons=list(found[:REASONS]))


def _template(campaign: Campaign, name: str, published: PublishedTemplate) -> Template | tuple[str, ...]:
    return template_from(campaign, name, Sources.of(published.fields, published.body, published.text))
