"""What the auditor found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be, and what is known of it."""

    kind: str
    about: str
    known: str
