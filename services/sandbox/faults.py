"""Trouble on request: which calls go wrong, how, and how many times."""

from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

from services.sandbox.calls import Api, Call

Action = Literal["status", "timeout_after_accept", "timeout_before_accept", "reset", "slow", "non_json"]


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`path` may hold `*`; `contains` is looked for in the body and in the idempotency key."""

    method: str | None = None
    path: str | None = None
    contains: str | None = None


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """What happens to the next `times` matching calls.

    status                 answer with `status` and the provider's own error body; nothing is done
    non_json               the same, with an HTML body as from a proxy
    reset                  drop the connection at once; nothing is done
    timeout_before_accept  hold the connection `delay_s`, then drop it; nothing is done
    timeout_after_accept   do and store the work, hold the connection `delay_s`, then drop it
    slow                   wait `delay_s`, then do the work and answer as usual
    """

    api: Api
    action: Action
    match: Match = Match()
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500
    name: str | None = None
    retry_after: Annotated[float, msgspec.Meta(ge=0)] | None = None
    delay_s: Annotated[float, msgspec.Meta(ge=0)] = 0
    times: Annotated[int, msgspec.Meta(ge=1)] = 1
    used: int = 0


def matches(fault: Fault, call: Call) -> bool:
    match = fault.match
    return (
        fault.api == call.api
        and fault.used < fault.times
        and (match.method is None or match.method.upper() == call.method)
        and (match.path is None or fnmatchcase(call.path, match.path))
        and (match.contains is None or match.contains in _searched(call))
    )


def _searched(call: Call) -> str:
    return f"{call.key or ''}\n{call.body.decode(errors='replace')}"


class Faults:
    """In the order they were asked for; used up ones stay in the list, so that a test can see they struck."""

    def __init__(self) -> None:
        self.all: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self.all.append(fault)

    def take(self, call: Call) -> Fault | None:
        fault = next((fault for fault in self.all if matches(fault, call)), None)
        if fault is not None:
            fault.used += 1
        return fault

    def clear(self) -> None:
        self.all.clear()
