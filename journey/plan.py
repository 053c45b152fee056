"""A contact's pending emails are a pure function of that contact's facts."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from contracts.facts import EmailFailed, EmailSent, EmailSkipped, EmailUnknown
from contracts.ids import EmailId
from journey.campaign import Campaign, Sequence, Step
from journey.contact import Contact, Email, Signup

ONCE = "once"
"""The instance of a sequence a person goes through once."""

RETRY_AFTER_S = (60, 300, 900)
RETRY_LATER_S = 3600

State = Literal["pending", "sent", "skipped", "failed", "unknown"]
STATES: Mapping[type, State] = {
    EmailSent: "sent",
    EmailSkipped: "skipped",
    EmailFailed: "failed",
    EmailUnknown: "unknown",
}


class Pace(msgspec.Struct, frozen=True):
    """How fast time passes for delays: testing takes each step's testing delay, and `speedup` divides them all."""

    testing: bool = False
    speedup: float = 1.0

    def delay(self, step: Step) -> timedelta:
        return (step.testing_after if self.testing else step.after) / self.speedup

    def retry_delay(self, attempt: int, retry_after_s: float | None = None) -> timedelta:
        """After the n-th failed attempt: 60 s, 300 s, 900 s, then hourly; never sooner than the provider said."""
        planned = RETRY_AFTER_S[attempt - 1] if attempt <= len(RETRY_AFTER_S) else RETRY_LATER_S
        return max(timedelta(seconds=planned) / self.speedup, timedelta(seconds=retry_after_s or 0))


class Planned(msgspec.Struct, frozen=True):
    """One email of one contact: when it is to be looked at next, until when it is worth sending, how it stands."""

    email_id: str
    step: Step
    planned_for: datetime
    due: datetime
    expires: datetime
    email: Email

    @property
    def state(self) -> State:
        return STATES[type(self.email.end)] if self.email.end else "pending"

    @property
    def is_pending(self) -> bool:
        return self.email.end is None


def plan(contact: Contact, campaign: Campaign, pace: Pace) -> tuple[Planned, ...]:
    """Every email this contact gets from this campaign, in the order of their first due times."""
    signup = contact.signups.get(campaign.id)
    if signup is None:
        return ()
    planned = [_planned(contact, campaign, sequence, step, signup, pace) for sequence, step in _started(campaign)]
    return tuple(sorted(planned, key=lambda each: (each.planned_for, each.email_id)))


def plan_all(contact: Contact, campaigns: Mapping[str, Campaign], pace: Pace) -> dict[str, Planned]:
    """The plans of all campaigns, by email id."""
    return {
        each.email_id: each
        for name in contact.signups
        if name in campaigns
        for each in plan(contact, campaigns[name], pace)
    }


def _started(campaign: Campaign) -> Iterator[tuple[Sequence, Step]]:
    return ((sequence, step) for sequence in campaign.sequences if sequence.trigger == "signup" for step in
            sequence.steps)  # fmt: skip


def _planned(
    contact: Contact, campaign: Campaign, sequence: Sequence, step: Step, signup: Signup, pace: Pace
) -> Planned:
    email_id = str(EmailId(contact.id, campaign.id, sequence.id, ONCE, step.id))
    email = contact.email(email_id)
    planned_for = signup.first_at + pace.delay(step)
    retries = [attempt.retry_at for attempt in email.attempts.values()]
    return Planned(
        email_id=email_id,
        step=step,
        planned_for=planned_for,
        due=max([planned_for, *retries]),
        expires=planned_for + step.expires_after,
        email=email,
    )
