"""What differs between a template in its files and in Notion, as lines. Pure."""

from collections.abc import Iterator
from difflib import unified_diff
from typing import NamedTuple

from journey.front_matter import written
from journey.templates import Sources
from journey.variables import printable

NOTHING = "/dev/null"


class Side(NamedTuple):
    """One of the two; without sources it is not there."""

    place: str
    sources: Sources | None

    def parts(self) -> dict[str, str]:
        """The files it is, or would be."""
        if self.sources is None:
            return {}
        return {".mjml": written(self.sources), **({".txt": self.sources.text} if self.sources.text else {})}


def unified(name: str, old: Side, new: Side) -> Iterator[str]:
    """As `diff -u`. Control characters are taken out: a terminal would obey them."""
    before, after = old.parts(), new.parts()
    for part in (".mjml", ".txt"):
        labels = [f"{name}{part} ({side.place})" if part in side.parts() else NOTHING for side in (old, new)]
        lines = [parts[part].split("\n") if part in parts else [] for parts in (before, after)]
        yield from map(printable, unified_diff(lines[0], lines[1], labels[0], labels[1], lineterm=""))
