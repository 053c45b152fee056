"""What the sender does when it is told over NATS: pause and resume, each a fact with who and why."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from eventlog import topology
from eventlog.connection import Broker
from eventlog.operations import pause_service, resume_service
from eventlog.pause import paused
from services.micro import Question
from services.sender.questions import pause_answer, pause_from, resume_answer, resume_from

Clock = Callable[[], datetime]


async def pause(payload: bytes, _: int, *, broker: Broker, clock: Clock) -> dict[str, Any]:
    """Errors: Refused, Unavailable."""
    asked = pause_from(payload)
    before = await pause_service(broker, topology.SENDER, for_=asked.for_, by=asked.by, why=asked.why, now=clock())
    return pause_answer(await paused(broker, topology.SENDER), before)


async def resume(payload: bytes, _: int, *, broker: Broker, clock: Clock) -> dict[str, Any]:
    """Errors: Refused, Unavailable."""
    asked = resume_from(payload)
    return resume_answer(await resume_service(broker, topology.SENDER, by=asked.by, why=asked.why, now=clock()))


def questions(broker: Broker, clock: Clock) -> Sequence[Question]:
    who = '"by": "ada", "why": "…"'
    return (
        Question(
            "pause",
            "send nothing for a while; a fact with who and why",
            f'{{"for": "1h", {who}}}',
            partial(pause, broker=broker, clock=clock),
        ),
        Question(
            "resume",
            "send again before a pause is over; a fact with who and why",
            f"{{{who}}}",
            partial(resume, broker=broker, clock=clock),
        ),
    )
