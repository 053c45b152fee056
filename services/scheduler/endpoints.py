"""What the scheduler answers over NATS."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from eventlog.soonest import soonest
from journey.contact import fold
from journey.plan import plan_all
from services.micro import Question
from services.questions import Refused
from services.scheduler.handlers import Shell
from services.scheduler.questions import contact_answer, pending_answer, which_contact, which_pending


async def pending(payload: bytes, room: int, *, shell: Shell) -> dict[str, Any]:
    """Pending emails in the order of their time. Errors: Refused, Unavailable."""
    asked = which_pending(payload)
    timers, total = await soonest(
        shell.broker, asked.limit, now=shell.clock(), contact=asked.contact, campaign=asked.campaign
    )
    return pending_answer(timers, total, room)


async def contact(payload: bytes, room: int, *, shell: Shell) -> dict[str, Any]:
    """What happened to a person, and what is planned. Errors: Refused, Unavailable, Undecodable."""
    id_ = which_contact(payload)
    facts = await shell.events.history(id_)
    if not facts:
        raise Refused(404, "nobody of that id or address is known; ids are made from the address in lower case")
    state = fold(id_, facts)
    planned = list(plan_all(state, shell.campaigns, shell.pace).values())
    return contact_answer(state, facts, planned, room)


def questions(shell: Shell) -> Sequence[Question]:
    return (
        Question(
            "pending",
            "pending emails in the order of their time",
            '{"limit": 100, "contact": "c…", "campaign": "…"}; all may be left out',
            partial(pending, shell=shell),
        ),
        Question(
            "contact",
            "what happened to a person, and what is planned for them",
            '{"email": "ada@example.com"} or {"contact": "c…"}',
            partial(contact, shell=shell),
        ),
    )
