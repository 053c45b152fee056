"""A figure: what was measured, its target, and the limit of the same work on the same machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Literal

import msgspec

Fsync = Literal["default", "always"]
SYNC_INTERVAL: dict[Fsync, str] = {"default": "2m", "always": "always"}


@dataclass(frozen=True)
class Setting:
    """Under what a measurement runs."""

    fsync: Fsync
    quick: bool = False

    def count(self, full: int) -> int:
        """How many, where a full run takes `full`."""
        return full // 10 if self.quick else full

    def target(self, *, default: float, always: float | None) -> float | None:
        return default if self.fsync == "default" else always


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value. `at_most`: smaller is better, and `target` is a ceiling.
    `others`: which share of the cores other programs took meanwhile, 0 to 1.
    """

    name: str
    fsync: Fsync
    value: float
    unit: str
    at_most: bool = False
    target: float | None = None
    limit: float | None = None
    limit_is: str = ""
    detail: str = ""
    others: float = 0.0
    runs: int = 1
    lowest: float | None = None
    highest: float | None = None

    @property
    def is_met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of the limit."""
        return self.value / self.limit if self.limit else None


def merged(figures: Iterable[Figure]) -> list[Figure]:
    """One figure for each name and setting: the run with the median value, with the lowest and highest of all."""
    groups: dict[tuple[str, Fsync], list[Figure]] = {}
    for figure in figures:
        groups.setdefault((figure.name, figure.fsync), []).append(figure)
    return [_middle(group) for group in groups.values()]


def _middle(group: list[Figure]) -> Figure:
    values = [figure.value for figure in group]
    limits = [figure.limit for figure in group if figure.limit is not None]
    return msgspec.structs.replace(
        sorted(group, key=lambda figure: figure.value)[len(group) // 2],
        value=median(values),
        limit=median(limits) if limits else None,
        others=max(figure.others for figure in group),
        runs=len(group),
        lowest=min(values),
        highest=max(values),
    )


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that `share` (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
