"""Times in webhooks: UTC, from any spelling of ISO 8601 that names its offset. Pure."""

from datetime import UTC, datetime

LONGEST = 40
YEARS = range(2000, 2100)
"""Beyond them a time is a mistake, and adding a delay to it could leave the calendar."""


class NotAMoment(ValueError):
    """The message says what a time must be, and repeats nothing of what was sent."""


def read_moment(value: object) -> datetime:
    """Errors: NotAMoment."""
    if value is None or value == "":
        raise NotAMoment("is required")
    if not isinstance(value, str) or len(value) > LONGEST:
        raise NotAMoment("must be a time in ISO 8601")
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        raise NotAMoment("must be a time in ISO 8601") from None
    if found.tzinfo is None:
        raise NotAMoment("must name its offset from UTC")
    if found.year not in YEARS:
        raise NotAMoment("is out of range")
    return found.astimezone(UTC)
