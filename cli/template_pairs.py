"""Each template in its files and in Notion, side by side. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cli.template_diff import Side, unified
from contracts.ids import TOKEN
from journey.campaign import Campaign
from journey.templates import Sources, Template
from services.notion_sync.template_rows import TemplateRow, properties, template_of
from services.notion_sync.values import Value

Name = tuple[str, str]
Place = Literal["file", "Notion"]

NO_NAME = "a name has letters, digits, '-' and '_' only, no '_' at the front, at most 64"


@dataclass(frozen=True)
class Pair:
    """One template in its files and in Notion."""

    name: Name
    file: Template | None
    row: TemplateRow | None
    reasons: tuple[str, ...] = ()
    """Why what stands in Notion cannot be used."""

    published: Template | None = None
    doubled: bool = False

    @property
    def in_notion(self) -> Sources | None:
        """Even what cannot be used can be shown."""
        return self.published.sources if self.published else self.row.sources if self.row else None

    @property
    def differs(self) -> bool:
        return (self.file.sources if self.file else None) != self.in_notion

    @property
    def is_draft(self) -> bool:
        return self.row is not None and not self.row.is_published

    @property
    def is_wanted(self) -> bool:
        """Published, good, and not what the file says already."""
        return self.published is not None and not self.is_draft and self.differs

    def diff(self, *, to: Place) -> list[str]:
        """What writing this template there would change."""
        ours = Side("file", self.file.sources if self.file else None)
        theirs = Side("Notion", self.in_notion)
        sides = (theirs, ours) if to == "Notion" else (ours, theirs)
        return list(unified("/".join(self.name), *sides))


def paired(
    campaigns: Mapping[str, Campaign], rows: Mapping[Name, list[TemplateRow]], *, every: bool = False
) -> list[Pair]:
    """Each template with its row, by name; `every`: with the rows of campaigns that we do not have."""
    names = {(campaign.id, name) for campaign in campaigns.values() for name in campaign.templates}
    names |= {name for name in rows if every or name[0] in campaigns}
    return [_pair(name, campaigns.get(name[0]), rows.get(name, [])) for name in sorted(names)]


def _pair(name: Name, campaign: Campaign | None, rows: list[TemplateRow]) -> Pair:
    file = campaign.templates.get(name[1]) if campaign else None
    same = [row for row in rows if row.is_published] or rows
    if not same:
        return Pair(name, file, None)
    if len(same) > 1:
        return Pair(name, file, same[0], (f"{len(same)} rows have this name in Notion: keep one",), doubled=True)
    if campaign is None:
        return Pair(name, file, same[0], (f"there is no campaign {name[0][:64]!r}",))
    found = template_of(same[0], campaign) if is_name(name[1]) else (NO_NAME,)
    if isinstance(found, Template):
        return Pair(name, file, same[0], published=found)
    return Pair(name, file, same[0], found)


def is_name(name: str) -> bool:
    """One that can be a file and a key of the bucket."""
    return bool(TOKEN.fullmatch(name)) and not name.startswith("_")


def properties_of(campaigns: Mapping[str, Campaign]) -> dict[Name, Mapping[str, Value]]:
    """What each row will say. Errors: ValueError, naming every template that Notion cannot take."""
    found: dict[Name, Mapping[str, Value]] = {}
    refused: list[str] = []
    for campaign in campaigns.values():
        for template in campaign.templates.values():
            try:
                if not is_name(template.name):
                    raise ValueError(NO_NAME)  # noqa: TRY301 - told with the others
                found[campaign.id, template.name] = properties(campaign.id, template)
            except ValueError as error:
                refused.append(f"{campaign.id}/{template.name}: {error}")
    if refused:
        raise ValueError("nothing was written. " + "; ".join(refused))
    return found
