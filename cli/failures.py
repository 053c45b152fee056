"""What waits for a person: emails that failed or whose fate is unknown, and messages no code could handle.

Everything done about it is a fact, with who and why; the copy in PARKED goes once the fact is there.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.table import Table

from cli.backends import reach
from cli.operate import print_json
from cli.output import output, shown
from cli.who import Who
from cli.whom import Cannot
from contracts import subjects
from contracts.facts import EmailNotSent, EmailUnknown
from contracts.ids import BadId
from contracts.operators import OperatorDiscarded, OperatorRetried
from contracts.subjects import Timer
from eventlog import topology
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.operations import note, pause_service, resume_service
from eventlog.parked import GIVEN_UP, Kept, ParkingLot
from eventlog.pause import paused
from journey.contact import Email, fold
from services.settings import Settings

TROUBLE = ("email_failed", "email_unknown")


@dataclass(frozen=True)
class Failure:
    """One thing that waits. `id` is an email id, or `<consumer>.<sequence>` of a parked message."""

    id: str
    kind: str
    reason: str
    at: datetime
    contact: str | None
    email: Email | None = None
    kept: tuple[Kept, ...] = ()
    detail: str = ""


async def failures(broker: Broker) -> list[Failure]:
    """Everything that waits, oldest first. Errors: Unavailable."""
    events, kept = EventLog(broker), await ParkingLot(broker).all()
    emails = [each async for each in _emails(events, kept)]
    messages = [_message(each) for each in kept if _email_of(each) is None]
    wake_ups = [_message(each) for each in kept if each.copy.reason == GIVEN_UP and await _is_open(events, each)]
    return sorted([*emails, *messages, *wake_ups], key=lambda each: each.at)


async def _emails(events: EventLog, kept: Iterable[Kept]) -> AsyncIterator[Failure]:
    for contact in await events.contacts(*TROUBLE):
        for email_id, email in fold(contact, await events.history(contact)).emails.items():
            if email.is_trouble and isinstance(email.end, EmailNotSent):
                copies = tuple(each for each in kept if _email_of(each) == email_id)
                yield _failure(email_id, email, email.end, copies)


def _failure(email_id: str, email: Email, end: EmailNotSent, copies: tuple[Kept, ...]) -> Failure:
    kind = "unknown" if isinstance(end, EmailUnknown) else "failed"
    detail = getattr(end, "detail", "") or next((each.copy.detail for each in copies), "")
    return Failure(email_id, kind, getattr(end, "reason", ""), end.at, end.contact, email, copies, detail)


async def _is_open(events: EventLog, kept: Kept) -> bool:
    """A wake-up nobody hears any more, of an email that is still to be sent."""
    email_id, contact = _email_of(kept), _contact_of(kept.copy.subject)
    if email_id is None or contact is None:
        return False
    return fold(contact, await events.history(contact)).email(email_id).end is None


def _message(kept: Kept) -> Failure:
    copy = kept.copy
    id_ = f"{copy.consumer}.{copy.sequence}"
    return Failure(id_, "parked", copy.reason, copy.at, _contact_of(copy.subject), None, (kept,), copy.detail)


def _email_of(kept: Kept) -> str | None:
    if kept.copy.consumer != subjects.SENDER:
        return None
    try:
        return Timer.parse(kept.copy.subject).email_id
    except BadId:
        return None


def _contact_of(subject: str) -> str | None:
    try:
        return subjects.contact_of(subject)
    except BadId:
        pass
    try:
        return Timer.parse(subject).contact
    except BadId:
        return None


async def retry(broker: Broker, failure: Failure, who: Who) -> None:
    """Try again: a fact, and every service looks at that person anew. Errors: Unavailable, Cannot."""
    if failure.contact is None:
        raise Cannot(f"{failure.id} names nobody: `dripstream replay` reads everything again, or discard it")
    email = failure.email or Email()
    what = failure.id if failure.email else _target(failure)
    fact = OperatorRetried(
        contact=failure.contact,
        at=datetime.now(UTC),
        what=what,
        round=email.round,
        attempts=max(email.attempts, default=0),
        by=who.by,
        why=who.why,
    )
    await EventLog(broker).append(fact)
    await _drop(broker, failure)


def _target(failure: Failure) -> str:
    """An email whose wake-up was given up is due again as an email; anything else is looked at as a message."""
    return next((id_ for each in failure.kept if (id_ := _email_of(each))), failure.id)


async def discard(broker: Broker, failure: Failure, who: Who) -> None:
    """Leave it at that. Errors: Unavailable."""
    if failure.contact is not None:
        fact = OperatorDiscarded(
            contact=failure.contact,
            at=datetime.now(UTC),
            what=failure.id,
            round=failure.email.round if failure.email else 0,
            by=who.by,
            why=who.why,
        )
        await EventLog(broker).append(fact)
    else:  # it names nobody, so it is nobody's story
        await note(broker, "discard", about=failure.id, by=who.by, why=who.why, now=datetime.now(UTC))
    await _drop(broker, failure)


async def _drop(broker: Broker, failure: Failure) -> None:
    for each in failure.kept:
        await ParkingLot(broker).drop(each)


def chosen(found: Sequence[Failure], ids: Sequence[str], *, every: bool, reason: str | None) -> list[Failure]:
    """The ones meant; an id may be shortened as long as it is clear. Errors: Cannot, naming what is not clear."""
    if every:
        return [each for each in found if reason is None or each.reason == reason]
    picked = []
    for id_ in ids:
        fits = [each for each in found if each.id == id_] or [each for each in found if each.id.startswith(id_)]
        if len(fits) != 1:
            raise Cannot(f"{id_} is {'no failure' if not fits else 'not clear: ' + ', '.join(f.id for f in fits[:5])}")
        picked.append(fits[0])
    return picked


async def show(settings: Settings, *, as_json: bool) -> None:
    """Errors: Unavailable, NoBroker."""
    async with reach(settings, name="failures") as broker:
        found = await failures(broker)
        pauses = {each.service: await paused(broker, each) for each in await topology.made(broker)}
    if as_json:
        for each in found:
            print_json({name: getattr(each, name) for name in ("id", "kind", "reason", "at", "contact", "detail")})
        return
    console = output()
    for name, pause in pauses.items():
        if pause:
            console.print(
                f"[yellow]{name} is paused until {pause.until:%Y-%m-%d %H:%M:%S} UTC[/]: {shown(pause.reason)}"
            )
    for reason, count in Counter(each.reason for each in found).most_common():
        table = Table(
            "since (UTC)", "what", "id", "", title=f"{count} × {shown(reason)}", title_justify="left", box=None
        )
        table.columns[2].overflow = "fold"
        for each in found:
            if each.reason == reason:
                detail = "" if each.detail == reason else each.detail.strip()[-120:]
                table.add_row(f"{each.at:%Y-%m-%d %H:%M:%S}", each.kind, shown(each.id), shown(detail))
        console.print(table)
    console.print(f"{len(found)} waiting" if found else "nothing failed")


async def act(
    settings: Settings,
    what: str,
    ids: Sequence[str],
    *,
    every: bool,
    reason: str | None,
    even_unknown: bool,
    who: Who,
    as_json: bool = False,
) -> None:
    """Retry or discard. Errors: Unavailable, NoBroker, Cannot."""
    console = output()
    async with reach(settings, name=what) as broker:
        picked = chosen(await failures(broker), ids, every=every, reason=reason)
        doubtful = [each for each in picked if each.kind == "unknown" and what == "retry" and not even_unknown]
        if doubtful and not every:
            raise Cannot(
                f"nobody knows whether {doubtful[0].id} was sent: look it up at the provider first, "
                "then --even-unknown sends it whatever it may double, or discard it"
            )
        for each in picked:
            if each not in doubtful:
                await (retry if what == "retry" else discard)(broker, each, who)
                if as_json:
                    print_json({"did": what, "id": each.id, "contact": each.contact})
                else:
                    console.print(f"{what}: {shown(each.id)}", highlight=False)
    if doubtful and not as_json:
        console.print(f"left alone: {len(doubtful)} whose fate is unknown (--even-unknown sends them all the same)")


async def lift(settings: Settings, service: str, who: Who, *, as_json: bool = False) -> None:
    """Errors: Unavailable, NoBroker."""
    async with reach(settings, name="resume") as broker:
        pause = await resume_service(
            broker, topology.durable_of(service), by=who.by, why=who.why, now=datetime.now(UTC)
        )
    if as_json:
        print_json({"service": service, "changed": pause is not None, "was": pause.reason if pause else None})
    else:
        output().print(
            f"{service} goes on (it was paused: {shown(pause.reason)})" if pause else f"{service} was not paused"
        )


async def put_off(settings: Settings, service: str, *, for_: timedelta, who: Who, as_json: bool) -> None:
    """Pause. Errors: Unavailable, NoBroker."""
    durable = topology.durable_of(service)
    async with reach(settings, name="pause") as broker:
        before = await pause_service(broker, durable, for_=for_, by=who.by, why=who.why, now=datetime.now(UTC))
        now = await paused(broker, durable)
    if now is None:
        raise Cannot(f"{service} goes on already: somebody resumed it, or it was for too short a time")
    if as_json:
        print_json({"service": service, "until": now.until, "reason": now.reason, "was_paused": before is not None})
        return
    was = f"; it was paused until {before.until:%Y-%m-%d %H:%M:%S}: {shown(before.reason)}" if before else ""
    output().print(
        f"{service} is paused until {now.until:%Y-%m-%d %H:%M:%S} UTC, {shown(now.reason)}{was}", highlight=False
    )
