"""Who does something, and why: kept with every fact that an operator writes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Who:
    """Who decides, and why."""

    by: str
    why: str = ""
