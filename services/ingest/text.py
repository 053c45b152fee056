"""Text from a form, made fit to keep: one line, no invisible characters, one spelling. Pure."""

import unicodedata

LONGEST = 2_000
"""Longer raw text is refused unread: normalising hostile sequences takes time quadratic in their length."""

INVISIBLE = {"Cf": "", "Cs": "", "Cc": " "}
"""By Unicode category: formatting (bidi overrides, zero width), halves of a cut emoji, control characters."""

BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show nothing."""


def clean(text: str) -> str:
    """One line of visible text in NFC: control characters become spaces, spaces collapse, the ends are trimmed."""
    if not (text.isascii() and text.isprintable()):
        visible = "".join(map(_visible, text))
        text = unicodedata.normalize("NFC", visible)
    return " ".join(text.split())


def storable(text: str) -> str:
    """`text` as it is, apart from lone surrogates, which no encoding can carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _visible(character: str) -> str:
    if character in BLANKS:
        return " "
    return INVISIBLE.get(unicodedata.category(character), character)
