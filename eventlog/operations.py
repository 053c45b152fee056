"""What a person does to the whole: the diary says so first, then it is done."""

from datetime import datetime, timedelta

from contracts.operations import OperatorActed, ServicePaused, ServiceResumed
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.pause import Paused, pause, paused, resume
from eventlog.topology import Durable


async def pause_service(
    broker: Broker, durable: Durable, *, for_: timedelta, by: str, why: str, now: datetime
) -> Paused | None:
    """Hand out nothing to this service for so long, in every process of it. How it stood before.

    Errors: Unavailable; asked again, it writes a second line into the diary and pauses from then on.
    """
    before = await paused(broker, durable)
    fact = ServicePaused(at=now, service=durable.name, until=now + for_, by=by, why=why)
    await EventLog(broker).append(fact)
    await pause(broker, durable, for_s=for_.total_seconds(), reason=f"by {by}: {why}" if why else f"by {by}")
    return before


async def resume_service(broker: Broker, durable: Durable, *, by: str, why: str, now: datetime) -> Paused | None:
    """Let a paused service go on. How it stood before: None where it was not paused, and nothing was done.

    Errors: Unavailable.
    """
    before = await paused(broker, durable)
    if before:
        await EventLog(broker).append(ServiceResumed(at=now, service=durable.name, by=by, why=why))
        await resume(broker, durable)
    return before


async def note(broker: Broker, did: str, *, about: str = "", by: str, why: str, now: datetime) -> None:
    """What a person is about to do to the whole, into the diary. Errors: Unavailable, and it is not to be done."""
    await EventLog(broker).append(OperatorActed(at=now, did=did, about=about, by=by, why=why))
