"""What is wrong with a campaign, where: collected, so that an author sees all of it at once."""

from pathlib import Path

from msgspec import Struct


class Problem(Struct, frozen=True, order=True):
    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class CampaignError(ValueError):
    """A campaign that could fail later. `problems` is everything found, in reading order."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(map(str, self.problems)))


class Report:
    """Collects the problems of one file."""

    def __init__(self, file: Path) -> None:
        self.file = label(file)
        self.problems: list[Problem] = []

    def add(self, line: int, reason: str) -> None:
        self.problems.append(Problem(self.file, max(line, 1), reason))


def label(file: Path) -> str:
    """As a person in the working directory would type it."""
    path = file.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(file)
