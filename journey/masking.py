"""Liquid inside markup: hidden from parsers that do not know it, and put back afterwards."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_OPENING = re.compile(r"\{\{|\{%")
_CLOSING = {"{{": "}}", "{%": "%}"}
_TOKEN = re.compile(r"liquid(\d{4,6})x")


class Masked(NamedTuple):
    """A text in which each piece of Liquid is a word; line numbers are those of the original."""

    text: str
    pieces: tuple[str, ...]

    def restored(self, text: str) -> str:
        return _TOKEN.sub(self._piece, text)

    def _piece(self, match: re.Match[str]) -> str:
        number = int(match[1])
        return self.pieces[number] if number < len(self.pieces) else match[0]

    def missing_from(self, text: str) -> list[int]:
        """The lines of pieces that a compiler dropped."""
        kept = {int(number) for number in _TOKEN.findall(text)}
        places = ((int(match[1]), match.start()) for match in _TOKEN.finditer(self.text))
        return [self.text.count("\n", 0, start) + 1 for number, start in places if number not in kept]


class Piece(NamedTuple):
    """Where a piece of Liquid begins and ends."""

    start: int
    end: int | None
    """None where it is never closed; nothing after it is Liquid then."""


def pieces_of(source: str) -> Iterator[Piece]:
    """In time linear in the source, closed or not; a pattern such as `{{.*?}}` reads on to the end from every `{{`."""
    opening = _OPENING.search(source)
    while opening:
        close = source.find(_CLOSING[opening[0]], opening.end())
        yield Piece(opening.start(), close + 2 if close >= 0 else None)
        opening = _OPENING.search(source, close + 2) if close >= 0 else None


def mask(source: str) -> Masked:
    shown: list[str] = []
    hidden: list[str] = []
    done = 0
    for start, end in pieces_of(source):
        if end is None:
            break
        liquid = source[start:end]
        shown += [source[done:start], f"liquid{len(hidden):04}x", "\n" * liquid.count("\n")]
        hidden.append(liquid)
        done = end
    return Masked("".join([*shown, source[done:]]), tuple(hidden))
