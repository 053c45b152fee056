"""Liquid inside markup: hidden from parsers that do not know it, and put back afterwards."""

import re
from typing import NamedTuple

_LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_TOKEN = re.compile(r"liquid(\d{4})x")


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


def mask(source: str) -> Masked:
    pieces: list[str] = []

    def hide(match: re.Match[str]) -> str:
        pieces.append(match[0])
        return f"liquid{len(pieces) - 1:04}x" + "\n" * match[0].count("\n")

    return Masked(_LIQUID.sub(hide, source), tuple(pieces))
