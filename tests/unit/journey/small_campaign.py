"""A campaign with every kind of sequence and no templates: for what only plans."""

from datetime import timedelta

from journey.model import Campaign, Segment, Sequence, Step
from tests.factories import CAMPAIGN

H = timedelta(hours=1)


def step(id_: str, hours: float, **options: bool) -> Step:
    return Step(id_, hours * H, hours * H / 60, timedelta(hours=72), "none", **options)


PRECALL = Sequence(
    id="precall",
    trigger="booking_created",
    anchor="start",
    min_notice=2 * H,
    testing_min_notice=timedelta(minutes=1),
    steps=(
        step("guide", -72, again_when_moved=False, calendar=True),
        step("day-before", -24, calendar=True),
        step("hours-before", -2, calendar=True),
    ),
)
POSTCALL = Sequence(
    id="postcall",
    trigger="booking_created",
    anchor="end",
    exit_on=("no_show_reported",),
    steps=(step("thanks", 2),),
)
NOSHOW = Sequence(
    id="noshow",
    trigger="no_show_reported",
    exit_on=("booking_created",),
    steps=(step("missed", 0.1), step("again", 24), step("last", 48)),
)
CANCELLED = Sequence(id="cancelled", trigger="booking_cancelled", steps=(step("take-back", 0, calendar=True),))
NURTURE = Sequence(id="nurture", trigger="signup", exit_on=("paid",), steps=(step("email-1", 0), step("email-2", 24)))
DECISION = Sequence(
    id="decision",
    trigger="wants_to_think",
    exit_on=("paid", "booking_created"),
    steps=(step("one", 24), step("two", 48)),
)


def campaign(*sequences: Sequence) -> Campaign:
    return Campaign(
        id=CAMPAIGN,
        name="Small",
        sender="hello@example.com",
        reply_to="hello@example.com",
        constants={},
        segments=(Segment("ALL"),),
        sequences=sequences or (PRECALL, POSTCALL, NOSHOW, CANCELLED, NURTURE, DECISION),
        variables={},
        templates={},
    )
