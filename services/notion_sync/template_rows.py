"""A row of Email Templates: what it says, and how a template is shown in one. Pure."""

import re
from collections.abc import Iterable

import msgspec

from contracts.ids import digest
from journey.campaign import Campaign, template_from
from journey.templates import Sources, Template
from services.notion_sync.cells import bare
from services.notion_sync.found import Found
from services.notion_sync.schema import PUBLISHED, STATUS, TEMPLATES
from services.notion_sync.values import Value, select, title, verbatim

NAME, CAMPAIGN, TEXT = "Template ID", "Campaign", "Email Body Plain Text"

_MADE = "-- made from the HTML ("
_MARK = re.compile(re.escape(_MADE) + r"([a-z0-9]+)\)")


class TemplateRow(msgspec.Struct, frozen=True):
    """`text_cell` is the plain text as it stands there, be it written by hand or made from the HTML."""

    page_id: str
    campaign: str
    template: str
    is_published: bool
    sources: Sources
    text_cell: str

    @property
    def name(self) -> tuple[str, str]:
        return self.campaign, self.template


def row_of(found: Found) -> TemplateRow:
    cells = {name: _text(cell) for name, cell in found.shows(TEMPLATES).items()}
    return TemplateRow(
        page_id=found.id,
        campaign=cells.get(CAMPAIGN, ""),
        template=cells.get(NAME, "").strip(),
        is_published=cells.get(STATUS) == PUBLISHED,
        sources=Sources(
            subject=cells.get("Subject Line", "").strip(" \t\n"),
            preheader=cells.get("Preheader", "").strip(" \t\n"),
            body=_in_a_section(cells.get("Email Body HTML", "")),
            text=by_hand(cells.get(TEXT, "")),
        ),
        text_cell=cells.get(TEXT, ""),
    )


def _text(cell: object) -> str:
    """What JSON can spell and UTF-8 cannot is replaced."""
    return str(cell or "").encode(errors="replace").decode().replace("\r\n", "\n")


def _in_a_section(body: str) -> str:
    """Plain HTML becomes an email of one section; its lines keep their numbers."""
    if not body.strip() or "<mj-" in body:
        return body
    return f"<mj-section><mj-column><mj-text>{body}</mj-text></mj-column></mj-section>"


def by_hand(cell: str) -> str:
    """The text part that somebody wrote; "" where what stands there was made from HTML, be it from an older one."""
    text, made_as = _unmarked(cell)
    return "" if not text.strip() or made_as == _digest(text) else text


def _unmarked(cell: str) -> tuple[str, str]:
    """The text above our last line, and the digest in that line; "" where there is no such line.

    Looked for from the end: a pattern that begins or ends in any amount of space takes time quadratic in that.
    """
    start = cell.rfind(_MADE)
    mark = _MARK.match(cell, start) if start >= 0 else None
    if mark is None or "\n" in cell[start:].rstrip():
        return cell, ""
    return cell[:start].rstrip() + "\n", mark[1]


def text_cell_of(template: Template) -> str:
    """The text part as the row shows it: what was written by hand, or a preview of what will be made."""
    if template.sources.text:
        return template.sources.text
    from journey.text_part import preview  # noqa: PLC0415 - only who shows one pays for its parser

    text = preview(template.html)
    return f"{text}\n-- made from the HTML ({_digest(text)}); put a text of your own in the place of all this\n"


def _digest(text: str) -> str:
    return digest(" ".join(text.split()))


def template_of(row: TemplateRow, campaign: Campaign) -> Template | tuple[str, ...]:
    """The template; or why it cannot be used."""
    found = template_from(campaign, row.template, row.sources)
    if isinstance(found, Template) and _is_preview(row.sources.text, found):
        return template_from(campaign, row.template, msgspec.structs.replace(row.sources, text=""))
    return found


def _is_preview(text: str, template: Template) -> bool:
    """Ours all the same, with the mark taken off."""
    if not text:
        return False
    made = msgspec.structs.replace(template, sources=msgspec.structs.replace(template.sources, text=""))
    return _digest(text) == _digest(_unmarked(text_cell_of(made))[0])


def properties(campaign: str, template: Template) -> dict[str, Value]:
    """Every column but the status. Errors: ValueError, naming the column that does not take it."""
    texts = {
        "Subject Line": template.subject,
        "Preheader": template.preheader,
        "Email Body HTML": template.sources.body,
        TEXT: text_cell_of(template),
    }
    try:
        shown = {column: verbatim(text) for column, text in texts.items()}
    except ValueError as error:
        longest = max(texts, key=lambda column: len(texts[column]))
        raise ValueError(f"{longest} {error}") from error
    return {NAME: title(template.name), CAMPAIGN: select(campaign), **shown}


def plain(value: Value) -> str:
    """What a written cell reads as."""
    return str(bare("rich_text", value))


def by_name(rows: Iterable[TemplateRow]) -> dict[tuple[str, str], list[TemplateRow]]:
    """In the order they were made; two rows of one name are for a person to sort out."""
    found: dict[tuple[str, str], list[TemplateRow]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row)
    return found
