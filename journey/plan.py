"""A contact's pending emails are a pure function of that contact's facts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from contracts.facts import EmailFailed, EmailSkipped, EmailUnknown
from contracts.ids import EmailId
from journey.campaign import Campaign, Sequence, Step
from journey.contact import Contact, Email
from journey.late import came_due_in, due_after, hurried
from journey.occasions import Occasion, instance_of, occasions

RETRY_AFTER_S = (60, 300, 900)
RETRY_LATER_S = 3600

HELD = "held"

State = Literal["pending", "held", "sent", "skipped", "failed", "unknown"]
NOT_SENT: Mapping[type, State] = {
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

    def notice(self, sequence: Sequence) -> timedelta:
        """How long before a meeting it must be booked for its reminders to make sense."""
        return (sequence.testing_min_notice if self.testing else sequence.min_notice) / self.speedup

    def retry_delay(self, attempt: int, retry_after_s: float | None = None) -> timedelta:
        """After the n-th failed attempt: 60 s, 300 s, 900 s, then hourly; never sooner than the provider said."""
        planned = RETRY_AFTER_S[attempt - 1] if attempt <= len(RETRY_AFTER_S) else RETRY_LATER_S
        return max(timedelta(seconds=planned) / self.speedup, timedelta(seconds=retry_after_s or 0))


class Planned(msgspec.Struct, frozen=True):
    """One email of one contact: when it is to be looked at next, until when it is worth sending, how it stands.

    `planned_for` is the campaign's time for it; a hold or a retry makes it due later. `unwanted` says why it is not to
    be sent although it has not ended; that may change with the next fact.
    """

    email_id: str
    sequence: Sequence
    step: Step
    occasion: Occasion
    planned_for: datetime
    due: datetime
    expires: datetime
    email: Email
    unwanted: str | None = None

    @property
    def state(self) -> State:
        if self.email.is_sent:
            return "sent"
        if self.email.end:
            return NOT_SENT[type(self.email.end)]
        if self.is_held:
            return "held"
        return "skipped" if self.unwanted else "pending"

    @property
    def is_held(self) -> bool:
        """Nothing but a hold keeps it back. An occasion may be over by a trigger of that very name."""
        return self.email.end is None and self.unwanted == HELD and not self.occasion.over

    @property
    def is_pending(self) -> bool:
        return self.email.end is None and self.unwanted is None

    @property
    def needs_a_look(self) -> bool:
        """By the sender: to be sent, or, where it may have been sent and is not wanted any more, to end as unknown."""
        return self.is_pending or (self.email.end is None and self.email.in_doubt and not self.is_held)

    @property
    def reason(self) -> str | None:
        """Why it was not sent, where it was not."""
        if self.email.is_sent:
            return None
        return getattr(self.email.end, "reason", None) if self.email.end else self.unwanted


def plan(contact: Contact, campaign: Campaign, pace: Pace) -> tuple[Planned, ...]:
    """Every email this contact gets from this campaign, or would get, in the order of their first due times."""
    planned = [
        _planned(contact, campaign, sequence, step, occasion, pace)
        for sequence in campaign.sequences
        for occasion in occasions(contact, campaign, sequence)
        for step in sequence.steps
    ]
    return tuple(sorted(planned, key=lambda each: (each.planned_for, each.email_id)))


def plan_all(contact: Contact, campaigns: Mapping[str, Campaign], pace: Pace) -> dict[str, Planned]:
    """The plans of all campaigns, by email id."""
    return {each.email_id: each for campaign in campaigns.values() for each in plan(contact, campaign, pace)}


def _planned(
    contact: Contact, campaign: Campaign, sequence: Sequence, step: Step, occasion: Occasion, pace: Pace
) -> Planned:
    email_id = str(EmailId(contact.id, campaign.id, sequence.id, occasion.instance, step.id))
    planned_for = occasion.anchor + pace.delay(step)
    due, expires = _times(contact, campaign, sequence, step, occasion, planned_for, email_id)
    return Planned(
        email_id=email_id,
        sequence=sequence,
        step=step,
        occasion=occasion,
        planned_for=planned_for,
        due=due,
        expires=expires,
        email=contact.email(email_id),
        unwanted=_unwanted(contact, campaign, sequence, step, occasion, planned_for, email_id, pace),
    )


def _times(
    contact: Contact,
    campaign: Campaign,
    sequence: Sequence,
    step: Step,
    occasion: Occasion,
    planned_for: datetime,
    email_id: str,
) -> tuple[datetime, datetime]:
    """When it is due, and until when it is worth sending, after all holds and retries.

    A meeting does not move with a hold, so what counts towards its start keeps its expiry.
    """
    email, stops = contact.email(email_id), contact.stops(email_id)
    to_a_start = sequence.anchor == "start"
    shifts = campaign.on_resume == "shift" and not to_a_start
    wanted = due_after(planned_for, stops, step.expires_after, runs_from=occasion.anchor if shifts else None)
    retried = [due_after(email.retried.at, stops, step.expires_after)] if email.retried else []
    expires = max([planned_for if to_a_start else wanted, *retried]) + step.expires_after
    hurries = [(each.attempts, due_after(each.at, stops, step.expires_after)) for each in email.hurries]
    retries = [(attempt.attempt, attempt.retry_at) for attempt in email.open_attempts.values()]
    return max([hurried(wanted, retries, hurries), *retried]), min(expires, occasion.ends_at or expires)


def _unwanted(
    contact: Contact,
    campaign: Campaign,
    sequence: Sequence,
    step: Step,
    occasion: Occasion,
    planned_for: datetime,
    email_id: str,
    pace: Pace,
) -> str | None:
    """Why not, in the order a person would say it: what is more final comes first, and a hold last."""
    if contact.suppressed_by:
        return "suppressed"
    if contact.is_cancelled(email_id):
        return "cancelled"
    reason = _not_for_this_time(contact, campaign, sequence, step, occasion, planned_for, pace)
    return reason or _kept_back(contact, campaign, email_id, planned_for)


def _not_for_this_time(
    contact: Contact,
    campaign: Campaign,
    sequence: Sequence,
    step: Step,
    occasion: Occasion,
    planned_for: datetime,
    pace: Pace,
) -> str | None:
    """What the occasion itself says against it."""
    if occasion.over:
        return occasion.over
    if sequence.anchor == "start":
        if occasion.anchor - occasion.began_at < pace.notice(sequence):
            return "meeting_too_soon"
        if planned_for < occasion.began_at:
            return "booked_too_late"
    if occasion.meeting and occasion.time:
        return _had_already(contact, campaign, sequence, step, occasion)
    return None


def _kept_back(contact: Contact, campaign: Campaign, email_id: str, planned_for: datetime) -> str | None:
    """By people's own hands. What was tried or asked for did not merely come due, and is not dropped."""
    email = contact.email(email_id)
    untouched = not email.attempts and not email.hurries and email.retried is None
    if campaign.on_resume == "skip" and untouched and came_due_in(planned_for, contact.stops(email_id)):
        return "came_due_while_held"
    return HELD if contact.is_held(email_id) else None


def _had_already(
    contact: Contact, campaign: Campaign, sequence: Sequence, step: Step, occasion: Occasion
) -> str | None:
    """For another time of the same meeting, or for this very time under another booking."""
    if occasion.meeting is None or occasion.time is None:
        return None
    for time in occasion.meeting.times:
        other = instance_of(time)
        if other == occasion.instance:
            continue
        email = contact.email(str(EmailId(contact.id, campaign.id, sequence.id, other, step.id)))
        if email.is_sent or isinstance(email.end, EmailUnknown) or (email.end is None and email.in_doubt):
            if time.start == occasion.time.start:
                return "already_sent_for_this_time"
            if not step.again_when_moved:
                return "already_sent_before_it_moved"
    return None
