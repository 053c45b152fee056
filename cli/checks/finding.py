"""What a check finds, and what it works with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec
from dns.asyncresolver import Resolver

from eventlog.connection import Broker, Unavailable
from services.settings import Settings

State = Literal["ok", "warning", "trouble", "not checked"]


class Finding(msgspec.Struct, frozen=True):
    """One line of the report. `do`: what to do about it, in words that name the command."""

    check: str
    state: State
    detail: str
    do: str = ""


def ok(check: str, detail: str, do: str = "") -> Finding:
    return Finding(check, "ok", detail, do)


def warning(check: str, detail: str, do: str) -> Finding:
    return Finding(check, "warning", detail, do)


def trouble(check: str, detail: str, do: str) -> Finding:
    return Finding(check, "trouble", detail, do)


def not_checked(check: str, detail: str, do: str = "") -> Finding:
    return Finding(check, "not checked", detail, do)


def unset_here(check: str, variable: str) -> Finding:
    """Services that run elsewhere have keys of their own, which a command may well not see."""
    do = f"set {variable} for this command too, as its service has it (docs/compose.md, Commands); unset there: sandbox"
    return not_checked(check, f"{variable} is unset for this command", do)


@dataclass(frozen=True)
class Patient:
    """What is looked at. `broker` is None where there is none to talk to; `url` is how it was looked for."""

    settings: Settings
    broker: Broker | None
    url: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    resolver: Resolver | None = None

    @property
    def nats(self) -> Broker:
        """Errors: Unavailable, where there is none."""
        if self.broker is None:
            raise Unavailable("there is no broker to ask")
        return self.broker


class Check(msgspec.Struct, frozen=True):
    """One thing to look at. `name` stands for it where it could not be looked at."""

    name: str
    look: Callable[[Patient], Awaitable[list[Finding]]]
    needs_broker: bool = False
