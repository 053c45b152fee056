"""What a NATS user may do, as the server tells it, beside what the commands of an operator need."""

from collections.abc import Sequence

import msgspec
from nats.errors import Error as NatsError

from contracts import subjects
from eventlog.connection import Broker, Unavailable
from eventlog.topology import DURABLES, streams

ASK = "$SYS.REQ.USER.INFO"
ASK_S = 6.0
"""Campaigns are looked at beside it, which keeps this process busy for a while."""


class _Lists(msgspec.Struct):
    allow: list[str] = []
    deny: list[str] = []

    def covers(self, subject: str) -> bool:
        allowed = not self.allow or any(matches(each, subject) for each in self.allow)
        return allowed and not any(matches(each, subject) for each in self.deny)


class _Permissions(msgspec.Struct):
    publish: _Lists | None = None
    subscribe: _Lists | None = None


class User(msgspec.Struct):
    user: str = ""
    permissions: _Permissions | None = None

    def may_publish(self, subject: str) -> bool:
        publish = self.permissions.publish if self.permissions else None
        return publish is None or publish.covers(subject)

    @property
    def is_limited(self) -> bool:
        return self.permissions is not None and self.permissions.publish is not None


class _Told(msgspec.Struct):
    data: User | None = None


async def permissions(broker: Broker) -> User | None:
    """None where the server does not say. Needs nats-server 2.10."""
    try:
        answer = await broker.nc.request(ASK, b"", timeout=ASK_S)
        return msgspec.json.decode(answer.data, type=_Told).data
    except (NatsError, TimeoutError, Unavailable, msgspec.DecodeError):
        return None


def lacking(user: User, api: str) -> list[str]:
    """The subjects it would need and may not publish to."""
    return [each for each in needed(api) if not user.may_publish(each)]


def needed(api: str) -> list[str]:
    """To look at everything, to set it up, to pause, and to write down what an operator decides."""
    names = [str(each.name) for each in streams()]
    calls = ["INFO", *(f"STREAM.{verb}.{name}" for name in names for verb in ("INFO", "CREATE", "UPDATE"))]
    for durable in DURABLES:
        place = f"{durable.stream}.{durable.name}"
        calls += [f"CONSUMER.INFO.{place}", f"CONSUMER.PAUSE.{place}"]
        calls += [f"CONSUMER.CREATE.{place}.{durable.config.filter_subject}"]
    calls += [f"DIRECT.GET.{subjects.EVENTS}", f"STREAM.MSG.DELETE.{subjects.PARKED}"]
    a_fact = subjects.history_of("somebody").replace(">", "operator_held.somebody")
    return [*(f"{api}.{each}" for each in calls), a_fact]


def matches(pattern: str, subject: str) -> bool:
    """Whether a subject is one of a pattern's, by the rules of NATS."""
    return _matches(pattern.split("."), subject.split("."))


def _matches(pattern: Sequence[str], subject: Sequence[str]) -> bool:
    for place, each in enumerate(pattern):
        if each == ">":
            return len(subject) > place
        if place >= len(subject) or each not in {"*", subject[place]}:
            return False
    return len(pattern) == len(subject)
