"""What people publish in Email Templates, checked, for the sender.

Only what passes the checks gets into the bucket `templates`; whatever happens in Notion, the last good one stays.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import structlog

from contracts.ids import TOKEN
from eventlog.bucket import Entry
from eventlog.templates import Known, PublishedTemplate, Templates, key_of
from journey.campaign import Campaign
from journey.templates import Template
from services.notion_sync.found import Found
from services.notion_sync.often import often
from services.notion_sync.schema import COLUMNS, TEMPLATES, Database
from services.notion_sync.template_rows import TemplateRow, by_name, row_of, template_of

log = structlog.get_logger(__name__)

REASONS, REASON = 10, 200
"""How many reasons are logged, and how much of each."""

Name = tuple[str, str]
Verdict = Template | tuple[str, ...]


class Rows(Protocol):
    """What is asked of Notion."""

    def rows(self, database: Database) -> AsyncIterator[Found]: ...

    async def look_again(self, database: Database) -> object: ...


@dataclass(frozen=True)
class TemplatesShell:
    """What publishing works with."""

    notion: Rows
    store: Templates
    campaigns: Mapping[str, Campaign]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    judged: dict[Name, tuple[list[TemplateRow], Verdict]] = field(default_factory=dict)
    """The last verdict of each: the same rows are neither checked nor reported again."""


async def keep_templates(shell: TemplatesShell, *, every_s: float) -> None:
    """Until cancelled."""
    await often(lambda: sync_templates(shell), what=TEMPLATES, every_s=every_s)


async def sync_templates(shell: TemplatesShell) -> None:
    """One look at Notion. Can be stopped after any line, run twice, and run beside itself.

    Shape:  rows of Email Templates → at most one write to the bucket for each.
    Errors: Refusal, Unavailable; nothing is withdrawn unless every row was read, with all its columns.
    """
    pages = [each async for each in shell.notion.rows(TEMPLATES) if not each.in_trash]
    if any(COLUMNS[TEMPLATES].keys() - each.cells.keys() for each in pages):
        await shell.notion.look_again(TEMPLATES)  # somebody changed the columns, which says nothing about the rows
        return
    rows = [row_of(each) for each in pages]
    published = by_name(row for row in rows if row.is_published)
    known = await shell.store.all()
    for name, theirs in published.items():
        found = _judge(name, theirs, shell)
        if isinstance(found, Template):
            await _publish(name, theirs[0].page_id, found, known, shell)
    for name in withdrawn(known, published, shell.campaigns):
        await _withdraw(name, known, shell)


def _judge(name: Name, rows: list[TemplateRow], shell: TemplatesShell) -> Verdict:
    """Said once for each version of what stands in Notion."""
    before = shell.judged.get(name)
    if before and before[0] == rows:
        return before[1]
    found = verdict(name, rows, shell.campaigns)
    shell.judged[name] = rows, found
    if not isinstance(found, Template):
        reasons = [reason[:REASON] for reason in found[:REASONS]]
        log.error("template_refused", campaign=name[0][:64], template=name[1][:64], reasons=reasons)
    return found


def verdict(name: Name, rows: list[TemplateRow], campaigns: Mapping[str, Campaign]) -> Verdict:
    """The template that these rows of one name make; or why they make none. Pure."""
    campaign = campaigns.get(name[0])
    if campaign is None:
        return ("there is no campaign of this name",)
    if name[1] not in campaign.templates:
        return ("the campaign has no template of this name",)
    if not TOKEN.fullmatch(name[1]):
        return ("a name for Notion has letters, digits, '-' and '_' only, at most 64",)
    if len(rows) > 1:
        return (f"{len(rows)} rows are published under this name: keep one",)
    return template_of(rows[0], campaign)


def withdrawn(known: Known, published: Iterable[Name], campaigns: Mapping[str, Campaign]) -> list[Name]:
    """What is published no more. What belongs to campaigns that are not loaded here is left alone. Pure."""
    live = [key for key, entry in known.items() if entry and not entry.value.withdrawn]
    names = {(campaign, template) for campaign, _, template in (key.partition(".") for key in live)}
    return sorted(name for name in names - set(published) if name[0] in campaigns)


async def _publish(name: Name, page_id: str, template: Template, known: Known, shell: TemplatesShell) -> None:
    key = key_of(*name)
    fresh = PublishedTemplate(
        fields={"subject": template.subject, "preheader": template.preheader},
        body=template.sources.body,
        text=template.sources.text,
        version=template.version,
        at=shell.clock(),
        page_id=page_id,
    )
    entry = known.get(key)
    if entry and _is_same(entry.value, fresh):
        return
    if await shell.store.put(key, fresh, over=_revision(key, known)):
        log.info("template_published", campaign=name[0], template=name[1], version=template.version)


def _is_same(one: PublishedTemplate, other: PublishedTemplate) -> bool:
    """Whichever version: that of one service names its layout, and another may have a newer one."""
    return (one.fields, one.body, one.text, one.page_id, one.withdrawn) == (
        (other.fields, other.body, other.text, other.page_id, other.withdrawn)
    )


async def _withdraw(name: Name, known: Known, shell: TemplatesShell) -> None:
    """Written down rather than deleted: a value is not brought back by a crash, as an older one can be."""
    key = key_of(*name)
    if await shell.store.put(key, PublishedTemplate(at=shell.clock(), withdrawn=True), over=_revision(key, known)):
        log.info("template_withdrawn", campaign=name[0], template=name[1])


def _revision(key: str, known: Known) -> int | None:
    """What to write over: nobody else's change, but whatever cannot be read."""
    entry: Entry[PublishedTemplate] | None = known.get(key)
    if entry:
        return entry.revision
    return None if key in known else 0
