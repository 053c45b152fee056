"""A campaign as the rest of the code sees it: checked, frozen, and total in every function."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from journey.liquid_rules import holds
from journey.templates import Template
from journey.variables import SUPPLIED, Shown, Variable

Anchor = Literal["trigger", "start", "end"]

Late = Literal["shift", "send", "skip"]
"""What becomes, at the resume, of emails whose time came while they were held."""

SIGNUP, BOOKED, CANCELLED, NO_SHOW = "signup", "booking_created", "booking_cancelled", "no_show_reported"
EVENTS = (SIGNUP, BOOKED, CANCELLED, NO_SHOW)
"""What starts or ends a sequence by itself; every other name is a trigger that somebody sends."""


class Step(Struct, frozen=True):
    """One email of a sequence; its delays count from the sequence's anchor, and may be negative before a meeting."""

    id: str
    after: timedelta
    testing_after: timedelta
    expires_after: timedelta
    template: str | dict[str, str]
    """One for everybody, or one for each segment."""

    again_when_moved: bool = True
    """Whether somebody who got it for the old time of a meeting gets it for the new one too."""

    calendar: bool = False
    """Whether the meeting's calendar file comes with it."""

    def template_for(self, segment: str) -> str:
        return self.template if isinstance(self.template, str) else self.template[segment]


class Sequence(Struct, frozen=True):
    """Emails that follow one event. What is still pending ends with any event in `exit_on`."""

    id: str
    trigger: str
    steps: tuple[Step, ...]
    anchor: Anchor = "trigger"
    exit_on: tuple[str, ...] = ()
    min_notice: timedelta = timedelta(0)
    testing_min_notice: timedelta = timedelta(0)
    guests: bool = False
    """Whether the guests of a meeting get a copy."""

    def step(self, id: str) -> Step | None:  # noqa: A002 - the word for it
        return next((step for step in self.steps if step.id == id), None)


class Segment(Struct, frozen=True):
    """A group of contacts. Without `when` it is everybody whom no earlier segment took."""

    name: str
    when: str | None = None

    def takes(self, values: Mapping[str, object]) -> bool:
        return self.when is None or holds(self.when, {name: values.get(name) for name in SUPPLIED})


class Campaign(Struct, frozen=True):
    id: str
    name: str
    sender: str
    reply_to: str
    constants: dict[str, str]
    segments: tuple[Segment, ...]
    sequences: tuple[Sequence, ...]
    variables: dict[str, Variable]
    templates: dict[str, Template]
    on_resume: Late = "shift"

    def segment_of(self, values: Mapping[str, object]) -> str:
        """The first segment that takes them; the last one takes everybody."""
        return next(segment.name for segment in self.segments if segment.takes(values))

    def variables_for(self, values: Mapping[str, object]) -> dict[str, Shown]:
        """Everything a template may use, formatted, with fallbacks, constants and the segment."""
        shown: dict[str, Shown] = {**self.constants, "segment": self.segment_of(values)}
        for variable in self.variables.values():
            shown |= variable.shown(values)
        return shown

    def sequence(self, id: str) -> Sequence | None:  # noqa: A002 - the word for it
        return next((sequence for sequence in self.sequences if sequence.id == id), None)

    def step(self, sequence: str, step: str) -> Step | None:
        found = self.sequence(sequence)
        return found.step(step) if found else None

    def template_for(self, step: Step, values: Mapping[str, object]) -> Template:
        return self.templates[step.template_for(self.segment_of(values))]

    def all_steps(self) -> Iterator[tuple[Sequence, Step]]:
        return ((sequence, step) for sequence in self.sequences for step in sequence.steps)

    def trigger_names(self) -> frozenset[str]:
        """What somebody may send to start or stop a sequence."""
        names = {name for each in self.sequences for name in (each.trigger, *each.exit_on)}
        return frozenset(names - set(EVENTS))
