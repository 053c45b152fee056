"""The sender's handler: written to be run any number of times, beside itself, and to be stopped after any line."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from contracts.codec import decode_due
from contracts.facts import EmailAttemptFailed, EmailFailed, EmailSkipped, EmailUnknown
from contracts.ids import EmailId
from contracts.messages import EmailDue
from contracts.subjects import Timer
from eventlog import topology
from eventlog.bucket import Entry
from eventlog.claims import Claim, Claims
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.metrics import OUTCOMES
from eventlog.outcomes import Done, Item, Label, Outcome, Park, Pause, Retry, Work
from eventlog.parked import ParkingLot
from eventlog.timers import Timers
from journey.campaign import Campaign
from journey.contact import Contact, fold
from journey.plan import Pace, Planned, plan_all
from journey.templates import RenderError
from services.sender.decide import (
    Decision,
    Doubt,
    Ended,
    Fail,
    Interrupted,
    Later,
    Lost,
    Send,
    Skip,
    Unwanted,
    decide,
    in_doubt_since,
    of_this_round,
)
from services.sender.outcome import QUOTA, Answer, Close, Record, Wait, interrupted, outcome
from services.sender.render import claim_for
from services.sender.templates import as_in_files

CONTENDED_S = 2.0
LAG_S, LOOKS = 1.0, 4
CLOCKS_DIFFER_S = 60.0


class Provider(Protocol):
    """What sends an email."""

    async def send(self, body: str, *, key: str) -> Answer: ...


@dataclass(frozen=True)
class Shell:
    """What the sender works with."""

    events: EventLog
    timers: Timers
    claims: Claims
    parking: ParkingLot
    provider: Provider
    campaigns: Mapping[str, Campaign]
    pace: Pace
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    templates: Callable[[Campaign], Awaitable[Campaign]] = as_in_files
    """The campaign with the templates to use today."""


async def on_due(items: Sequence[Item[EmailDue]], shell: Shell) -> Outcome:
    """A timer fired: check, send if that is still right, and clear the wake-up.

    Shape:  EmailDue → at most one EmailSent, EmailSkipped, EmailFailed, EmailUnknown or EmailAttemptFailed.
    Errors: Unavailable, to be tried again.
    Source: docs/architecture.md and docs/adr/0003.
    """
    result = await _look_at(items[-1], shell)
    if isinstance(result, Done) and not isinstance(result, _LeftAlone):
        for item in items:
            await shell.timers.clear(Timer.parse(item.subject))
    if isinstance(result, _NotWanted):
        await _arm_if_wanted_again(items[-1].value.email_id, shell)
        return Done(result.what, label=result.label)
    return result


@dataclass(frozen=True)
class _NotWanted(Done):
    """Nothing was sent, and nothing was written down, as the next fact may change it."""


@dataclass(frozen=True)
class _LeftAlone(Done):
    """Not ours to decide: the wake-up stays, for the sweep to bring it back in a minute."""


async def _arm_if_wanted_again(email_id: str, shell: Shell) -> None:
    """A fact that came between our look and the clearing saw the wake-up still there, and so armed nothing."""
    email = EmailId.parse(email_id)
    contact = fold(email.contact, await shell.events.history(email.contact))
    planned = plan_all(contact, shell.campaigns, shell.pace).get(email_id)
    if planned and planned.needs_a_look:
        await shell.timers.arm(Timer.at(email_id, planned.due))


@dataclass(frozen=True)
class _Case:
    """One email, and all that is known of it."""

    email_id: str
    email: EmailId
    item: Item[EmailDue]
    claimed: Entry[Claim] | None
    contact: Contact
    planned: Planned | None

    @property
    def round(self) -> int:
        return self.contact.email(self.email_id).round


async def _look_at(item: Item[EmailDue], shell: Shell) -> Outcome:
    email_id = item.value.email_id
    email = EmailId.parse(email_id)
    claimed = await shell.claims.get(email_id)  # before the facts: what settles a claim is in them by then
    contact = fold(email.contact, await shell.events.history(email.contact))
    planned = plan_all(contact, shell.campaigns, shell.pace).get(email_id)
    case = _Case(email_id, email, item, claimed, contact, planned)
    decision = decide(planned, claimed.value if claimed else None, shell.clock())
    if not_yet := _not_yet(case, decision, shell):
        return not_yet
    if isinstance(decision, Send) and planned:
        return await _send(planned, contact, shell, item, _Attempt(decision.attempt, decision.repeat, claimed))
    if isinstance(decision, Later):
        return await _wait(case, decision.due, shell)
    return await _end(case, decision, shell)


async def _wait(case: _Case, due: datetime, shell: Shell) -> Outcome:
    """Our clock says: not yet. If it was this very timer that fired, the clocks differ, and armed it fires at once."""
    if Timer.at(case.email_id, due) != Timer.parse(case.item.subject):
        await shell.timers.arm(Timer.at(case.email_id, due))
        return Done("armed for later", label="not_yet_due")
    seconds = (due - shell.clock()).total_seconds()
    return Retry(min(max(seconds, 0.1), CLOCKS_DIFFER_S), "the broker's clock is ahead of ours", label="clocks_differ")


def _not_yet(case: _Case, decision: Decision, shell: Shell) -> Outcome | None:
    """What looks final, and may only look so from here: an older deployment, or a replica that lags."""
    lags = case.item.attempt < LOOKS
    if case.planned is None and case.email.campaign not in shell.campaigns:
        return _LeftAlone(f"campaign {case.email.campaign} is not loaded here", label="campaign_not_loaded")
    if case.planned is None and lags:
        return Retry(LAG_S, "not planned, as far as the facts are visible yet", label="replica_lags")
    if isinstance(decision, Lost) and lags:
        return Retry(LAG_S, "settled, but the fact is not visible yet", label="replica_lags")
    if lags and _may_be_wanted(case, decision):
        return Retry(LAG_S, "not wanted, as far as the facts are visible yet", label="replica_lags")
    return None


def _may_be_wanted(case: _Case, decision: Decision) -> bool:
    """What armed this wake-up may be the very fact we do not see yet, and there is no other wake-up.

    A resume can arm the very time that is known here. Another try of what has ended always has a time of its own. A
    hurry is always earlier than the time known here.
    """
    if isinstance(decision, Later):
        return Timer.parse(case.item.subject).due < Timer.at(case.email_id, decision.due).due
    if isinstance(decision, Ended) and case.planned:
        unexplained = Timer.at(case.email_id, case.planned.due) != Timer.parse(case.item.subject)
        return unexplained and decision.state != "sent"
    if isinstance(decision, Doubt) and case.planned:
        return case.planned.unwanted is not None
    return isinstance(decision, Unwanted | Interrupted)


async def _end(case: _Case, decision: Decision, shell: Shell) -> Outcome:
    """Everything but sending: write down what it came to, once, and let go of the claim."""
    about: dict[str, Any] = {
        "contact": case.email.contact,
        "at": shell.clock(),
        "email_id": case.email_id,
        "round": case.round,
    }
    match decision:
        case Ended(state):
            return await _settle(case, shell, f"already {state}", "already_ended")
        case Unwanted(reason):
            return _NotWanted(f"unwanted: {reason}", label="unwanted")
        case Interrupted(attempt, begun_at):
            await shell.events.append(interrupted(case.email_id, attempt, begun_at, shell.pace))
            return _NotWanted("held, in doubt", label="held")
        case Skip(reason):
            await shell.events.append(EmailSkipped(**about, reason=reason))
            return await _settle(case, shell, f"skipped: {reason}", "skipped")
        case Fail(reason):
            await shell.events.append(EmailFailed(**about, reason="expired", detail=reason))
            return await _settle(case, shell, f"failed: {reason}", "failed")
        case Lost():
            await _record_doubt(EmailUnknown(**about, reason="settled before, without a fact"), shell, case.item)
            return Done("unknown: settled before, without a fact", label="unknown")
        case Doubt(reason):
            await _record_doubt(EmailUnknown(**about, reason=reason), shell, case.item)
            return await _settle(case, shell, f"unknown: {reason}", "unknown")
        case Send() | Later():
            raise AssertionError("a decision that is no end")


@dataclass(frozen=True)
class _Attempt:
    number: int
    repeat: bool
    claimed: Entry[Claim] | None


async def _send(planned: Planned, contact: Contact, shell: Shell, item: Item[EmailDue], attempt: _Attempt) -> Outcome:
    try:
        claim = await _claim(planned, contact, shell, attempt)
    except RenderError as error:
        return await _not_rendered(planned, shell, attempt.number, error)
    if claim is None or claim.body is None:
        return Retry(CONTENDED_S, "another sender is at it", label="contended")
    answer = await shell.provider.send(claim.body, key=claim.key)  # a redelivery repeats the key
    result = outcome(claim, answer, shell.pace, planned.planned_for, shell.clock())
    match result:
        case Wait(seconds):
            return Retry(seconds, "the provider is at it already", label="provider_busy")
        case Close(fact, seconds):
            await shell.events.append(fact)
            return Pause(seconds, fact.reason, label="quota" if fact.reason in QUOTA else "key")
        case Record(EmailUnknown() as fact, _):
            await _record_doubt(fact, shell, item)
        case Record(fact, _):
            await shell.events.append(fact)
    if result.final:
        await shell.claims.settle(claim.email_id, shell.clock(), in_round=claim.round)
    return Done(result.fact.tag, label=OUTCOMES[type(result.fact)])


async def _claim(planned: Planned, contact: Contact, shell: Shell, attempt: _Attempt) -> Claim | None:
    """The claim to send under, begun; None if another sender has just begun. Errors: RenderError, Unavailable."""
    there = attempt.claimed
    if there and of_this_round(there.value, planned.email):
        begun = there if attempt.repeat else await shell.claims.start_attempt(there, shell.clock())
        return begun.value if begun else None
    campaign = await shell.templates(shell.campaigns[EmailId.parse(planned.email_id).campaign])
    fresh = claim_for(planned, campaign, contact, attempt=attempt.number, now=shell.clock())
    return (await shell.claims.create(fresh, over=there.revision if there else 0)).value


async def _not_rendered(planned: Planned, shell: Shell, attempt: int, error: Exception) -> Outcome:
    """A template can be mended before the email expires: this is an attempt like any other."""
    now = shell.clock()
    fact = EmailAttemptFailed(
        contact=EmailId.parse(planned.email_id).contact,
        at=now,
        email_id=planned.email_id,
        attempt=attempt,
        reason=f"not rendered: {error}"[:300],
        retry_at=now + shell.pace.retry_delay(attempt),
    )
    await shell.events.append(fact)
    return Done(fact.tag, label=OUTCOMES[type(fact)])


async def _record_doubt(fact: EmailUnknown, shell: Shell, item: Item[EmailDue]) -> None:
    """A copy for a person first, then the fact that ends the plan for it."""
    await shell.parking.park(
        consumer=topology.SENDER.name,
        subject=item.subject,
        sequence=item.sequence,
        reason="unknown",
        detail=fact.reason,
        payload=item.msg.data,
        now=fact.at,
    )
    await shell.events.append(fact)


async def on_parked(item: Item[Any], park: Park, shell: Shell) -> None:
    """A wake-up that no code could handle: its email ends, for a person to look at, rather than wait for ever.

    Shape:  → EmailUnknown if the provider may have it, else EmailFailed; nothing where it has ended.
    """
    email_id = Timer.parse(item.subject).email_id
    contact = EmailId.parse(email_id).contact
    claimed = await shell.claims.get(email_id)
    email = fold(contact, await shell.events.history(contact)).email(email_id)
    if email.end:
        return
    about: dict[str, Any] = {"contact": contact, "at": shell.clock(), "email_id": email_id, "round": email.round}
    if in_doubt_since(email, of_this_round(claimed.value if claimed else None, email)):
        await shell.events.append(EmailUnknown(**about, reason=f"parked: {park.reason}"))
    else:
        await shell.events.append(EmailFailed(**about, reason=f"parked: {park.reason}"))


async def _settle(case: _Case, shell: Shell, what: str, label: Label) -> Outcome:
    if case.claimed and case.claimed.value.body is not None:
        await shell.claims.settle(case.email_id, shell.clock(), in_round=case.round)
    return Done(what, label=label)


def work(shell: Shell, *, slots: int = 8) -> Work[EmailDue]:
    """Fired timers, by email. Few slots: what waits for the rate limit waits in the broker, oldest first."""

    async def handle(items: Sequence[Item[EmailDue]]) -> Outcome:
        return await on_due(items, shell)

    async def parked(item: Item[Any], park: Park) -> None:
        await on_parked(item, park, shell)

    return Work(
        durable=topology.SENDER,
        decode=decode_due,
        group=lambda item: item.value.email_id,
        handle=handle,
        parked=parked,
        slots=slots,
        in_hand=slots * 4,
    )


def shell_for(
    broker: Broker,
    provider: Provider,
    campaigns: Mapping[str, Campaign],
    pace: Pace,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Shell:
    return Shell(
        events=EventLog(broker),
        timers=Timers(broker),
        claims=Claims(broker),
        parking=ParkingLot(broker),
        provider=provider,
        campaigns=campaigns,
        pace=pace,
        clock=clock,
    )
