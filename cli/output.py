"""Where commands print: as wide as the terminal, and wide enough for anything where there is none."""

import os
import sys

from rich.console import Console
from rich.markup import escape

from journey.variables import printable

WIDE = 200


def output() -> Console:
    """Tables and keys are not folded in a file or a pipe."""
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else WIDE
    return Console(width=width)


def shown(text: object) -> str:
    """Text from outside in what a console prints: neither markup, nor anything that a terminal would obey."""
    return escape(printable(str(text)))
