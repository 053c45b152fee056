"""Streams, buckets and consumers: what must exist, created the same way twice, with drift shown and never hidden."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from nats.js.api import ConsumerConfig, DeliverPolicy, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from contracts import subjects
from eventlog.connection import UNREACHABLE, Broker, Unavailable

API_LEVEL, SERVER = 2, "2.12"
"""Message schedules appeared with this API level; older servers accept our streams, drop the flags and never fire."""

WINDOW_S = 120.0
ACK_WAIT_S = 30.0
"""How long what a killed process had in hand stays away. Work that takes longer says so every third of it."""

SETTLED_S = 48 * 3600
"""How long a settled claim stays: well past the 24 h for which the provider remembers a key."""


class OldServer(RuntimeError):
    """The server cannot fire timers."""


class Incomplete(RuntimeError):
    """Something the services need does not exist, or was changed by hand in a way that breaks them."""


@dataclass(frozen=True)
class Difference:
    """One setting that is not as the code has it."""

    setting: str
    wanted: object
    found: object

    def __str__(self) -> str:
        return f"{self.setting}: {self.found!r} instead of {self.wanted!r}"


@dataclass(frozen=True)
class Check:
    """How one stream, bucket or consumer stands."""

    kind: Literal["stream", "bucket", "consumer"]
    name: str
    state: Literal["missing", "created", "updated", "as wanted", "drift"]
    differences: tuple[Difference, ...] = ()


def _stream(name: str, about: str, **settings: Any) -> StreamConfig:
    common: dict[str, Any] = {
        "retention": RetentionPolicy.LIMITS,
        "storage": StorageType.FILE,
        "discard": DiscardPolicy.NEW,  # a full store refuses new messages; it never forgets old ones
        "allow_direct": True,
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msgs_per_subject": -1,
        "duplicate_window": WINDOW_S,
        "metadata": {"owner": "dripstream", "schema": "1"},
    }
    return StreamConfig(name=name, description=about, **(common | settings))


def _bucket(name: str, about: str, **settings: Any) -> StreamConfig:
    common: dict[str, Any] = {
        "subjects": [subjects.kv_subject(name, ">")],
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "max_msgs_per_subject": 1,
    }
    return _stream(subjects.stream_of(name), about, **(common | settings))


def streams(replicas: int = 1) -> tuple[StreamConfig, ...]:
    """Every stream and bucket, as they must be."""
    wanted = (
        _stream(
            subjects.EVENTS,
            "Facts: the source of truth, kept for ever",
            subjects=[subjects.ALL_FACTS],
            max_msg_size=256 * 1024,
        ),
        _stream(
            subjects.PARKED,
            "Messages no code could handle, with the reason; and those that JetStream gave up on",
            subjects=[subjects.ALL_PARKED, *subjects.GIVEN_UP],
        ),
        # A put with Nats-Schedule headers IS a pending email; the server publishes it at its time on email.due.…
        # and removes the key. No age or size limit (they would drop timers silently); 8 messages per subject, since
        # a limit of 1 brings cancelled timers back after a crash (nats-server #8505).
        _bucket(
            subjects.TIMERS,
            "Pending emails: one key per email and due time, fired by the server",
            subjects=[subjects.kv_subject(subjects.TIMERS, ">"), subjects.ALL_DUE],
            max_msgs_per_subject=8,
            deny_delete=None,  # a handled wake-up is deleted; purging it would disturb the sender's consumer
            discard=DiscardPolicy.OLD,  # schedules allow no other; without limits nothing is ever discarded
            allow_msg_ttl=True,
            allow_msg_schedules=True,
            allow_atomic=True,
        ),
        _bucket(
            subjects.SENDS,
            "Send claims: the exact request of each email while an attempt is open",
            max_msgs_per_subject=5,
            allow_msg_ttl=True,
        ),
        _bucket(subjects.PAGES, "Which Notion page shows what", max_msgs_per_subject=5),
        _bucket(subjects.TEMPLATES, "Templates published in Notion, checked, for the sender", max_msgs_per_subject=5),
        _bucket(
            subjects.ALERTS,
            "What the notifier has told in the chat, and what it is about to",
            max_msgs_per_subject=5,
            allow_msg_ttl=True,
        ),
    )
    for config in wanted:
        config.num_replicas = replicas
    return wanted


@dataclass(frozen=True)
class Durable:
    """One service's position in one stream."""

    stream: str
    config: ConsumerConfig

    @property
    def name(self) -> str:
        return str(self.config.durable_name)

    @property
    def service(self) -> str:
        """As operators call it: `notion_sync` on the broker is `notion-sync` to them."""
        return self.name.replace("_", "-")

    @property
    def ack_wait_s(self) -> float:
        return float(self.config.ack_wait or ACK_WAIT_S)


def _durable(stream: str, name: str, about: str, subject: str, max_ack_pending: int, **settings: Any) -> Durable:
    config = ConsumerConfig(
        name=name,  # asks by CONSUMER.CREATE.<stream>.<name>.<filter>: a user may be allowed that one consumer
        durable_name=name,
        description=about,
        filter_subject=subject,
        ack_wait=ACK_WAIT_S,
        max_deliver=-1,  # giving up is our decision, made where it can be written down
        max_ack_pending=max_ack_pending,
        **settings,
    )
    return Durable(stream, config)


SCHEDULER = _durable(subjects.EVENTS, subjects.SCHEDULER, "Facts to timers", subjects.ALL_FACTS, 5_000)
NOTION_SYNC = _durable(subjects.EVENTS, subjects.NOTION_SYNC, "Facts to Notion", subjects.ALL_FACTS, 5_000)
SENDER = _durable(subjects.stream_of(subjects.TIMERS), subjects.SENDER, "Due emails to Resend", subjects.ALL_DUE, 5_000)
DURABLES = (SCHEDULER, NOTION_SYNC, SENDER)

NOTIFIER = _durable(
    subjects.EVENTS,
    subjects.NOTIFIER,
    "CRITICAL signups to a chat",
    subjects.facts_of("signup_received"),
    5_000,
    deliver_policy=DeliverPolicy.NEW,  # nobody wants to read years of signups in a chat
)
OPTIONAL = (NOTIFIER,)
"""Made by their service when it first runs, since where it never does they would only fall behind (docs/adr/0023)."""


def durable_of(service: str) -> Durable:
    """Errors: KeyError, for what reads no stream."""
    return {each.service: each for each in (*DURABLES, *OPTIONAL)}[service]


async def require_server(broker: Broker) -> None:
    """Errors: OldServer, naming the version found and needed; Unavailable."""
    found = str(broker.nc.connected_server_version).strip("<>").rpartition(" v")[2]
    try:
        account = await broker.js.account_info()
    except (APIError, NotFoundError) as error:
        raise OldServer(
            f"nats-server {found} has no JetStream enabled for us ({error}); start it with a jetstream block "
            f"(nats-server -js), version {SERVER} or newer"
        ) from error
    except UNREACHABLE as error:
        raise Unavailable("JetStream did not answer") from error
    level = int(account.api.level or 0)
    if level < API_LEVEL:
        raise OldServer(
            f"nats-server {found} has JetStream API level {level}; Dripstream needs {SERVER} or newer (API level "
            f"{API_LEVEL}), because older servers accept timers and never fire them"
        )


async def init(broker: Broker, *, replicas: int = 1, apply: bool = False) -> list[Check]:
    """Create what is missing; leave what exists alone, unless `apply` says to bring it into line.

    Errors: OldServer; Incomplete, when the server dropped a flag it does not know; Unavailable.
    """
    await require_server(broker)
    try:
        checks = [await _init_stream(broker, config, apply) for config in streams(replicas)]
        checks += [await _init_durable(broker, durable, apply) for durable in await made(broker)]
    except UNREACHABLE as error:
        raise Unavailable("JetStream did not answer") from error
    except APIError as error:
        raise Incomplete(f"JetStream refused: {error.description} ({error.err_code})") from error
    _require_schedules(checks)
    return checks


async def check(broker: Broker, *, replicas: int = 1) -> list[Check]:
    """How everything stands, without changing it. Errors: OldServer, Unavailable."""
    await require_server(broker)
    try:
        checks = []
        for config in streams(replicas):
            found = await _found_stream(broker, str(config.name))
            checks.append(_compare(*_title(config), config.as_dict(), found))
        for durable in await made(broker):
            found = await _found_durable(broker, durable)
            checks.append(_compare("consumer", _consumer_title(durable), durable.config.as_dict(), found))
    except UNREACHABLE as error:
        raise Unavailable("JetStream did not answer") from error
    return checks


async def require(broker: Broker, *, replicas: int = 1) -> list[Check]:
    """What each service does first. Drift that breaks nothing is returned, not raised.

    Errors: Incomplete, saying what is missing and which command creates it; OldServer; Unavailable.
    """
    checks = await check(broker, replicas=replicas)
    missing = [f"{each.kind} {each.name}" for each in checks if each.state == "missing"]
    if missing:
        raise Incomplete(f"missing {', '.join(missing)}: run `dripstream init`")
    _require_schedules(checks)
    return checks


async def made(broker: Broker) -> list[Durable]:
    """Those that must exist, and of the others those that do."""
    return [*DURABLES, *[durable for durable in OPTIONAL if await _found_durable(broker, durable) is not None]]


async def ensure_durable(broker: Broker, durable: Durable) -> None:
    """Put a deleted consumer back. It starts from the first message; every handler bears that."""
    await _init_durable(broker, durable, apply=False)


async def settled_up_to(broker: Broker, durable: Durable) -> int:
    """The sequence up to which nothing of a stream comes to this durable again. Errors: Unavailable."""
    try:
        info = await broker.js.consumer_info(durable.stream, durable.name)
    except (*UNREACHABLE, APIError) as error:
        raise Unavailable(f"no consumer {durable.name}: {type(error).__name__}") from error
    return int(info.ack_floor.stream_seq) if info.ack_floor else 0


async def mend(broker: Broker, durable: Durable) -> str | None:
    """Put a durable right that hears nothing although all looks well; what was wrong with it, or None.

    A deleted one is made again. One that stands ahead of its stream (the stream lost its end in a power cut, the
    consumer did not; nats-server #5412) would pass over everything new, and starts again from the first message.
    Errors: Unavailable; Incomplete, when JetStream refuses.
    """
    try:
        info = await broker.js.consumer_info(durable.stream, durable.name)
        last = (await broker.js.stream_info(durable.stream)).state.last_seq
    except NotFoundError:
        await ensure_durable(broker, durable)
        return "deleted"
    except UNREACHABLE as error:
        raise Unavailable("JetStream did not answer") from error
    if info.delivered is None or info.delivered.stream_seq <= last:
        return None
    await rewind(broker, durable)
    return "ahead of its stream"


def _require_schedules(checks: list[Check]) -> None:
    needed = {"allow_msg_schedules", "allow_msg_ttl"}
    for each in checks:
        broken = [difference for difference in each.differences if difference.setting in needed]
        if each.name == subjects.TIMERS and broken:
            raise Incomplete(
                f"bucket {each.name} cannot fire timers ({'; '.join(map(str, broken))}): it was made by a server "
                f"older than {SERVER} or changed by hand; run `dripstream init --apply`"
            )


async def _init_stream(broker: Broker, config: StreamConfig, apply: bool) -> Check:
    kind, name = _title(config)
    found = await _found_stream(broker, str(config.name))
    if found is None:
        info = await broker.js.add_stream(config)
        echoed = _compare(kind, name, config.as_dict(), info.config.as_dict())
        return Check(kind, name, "created", echoed.differences)
    result = _compare(kind, name, config.as_dict(), found)
    if result.state == "drift" and apply:
        info = await broker.js.update_stream(config)
        echoed = _compare(kind, name, config.as_dict(), info.config.as_dict())
        return Check(kind, name, "updated", echoed.differences)
    return result


async def _init_durable(broker: Broker, durable: Durable, apply: bool) -> Check:
    name = _consumer_title(durable)
    found = await _found_durable(broker, durable)
    if found is None:
        await broker.js.add_consumer(durable.stream, durable.config)
        return Check("consumer", name, "created")
    result = _compare("consumer", name, durable.config.as_dict(), found)
    if result.state == "drift" and apply:
        await broker.js.add_consumer(durable.stream, durable.config)
        return Check("consumer", name, "updated")
    return result


async def _found_stream(broker: Broker, name: str) -> dict[str, object] | None:
    try:
        return dict((await broker.js.stream_info(name)).config.as_dict())
    except NotFoundError:
        return None


async def _found_durable(broker: Broker, durable: Durable) -> dict[str, object] | None:
    try:
        return dict((await broker.js.consumer_info(durable.stream, durable.name)).config.as_dict())
    except NotFoundError:
        return None


def _title(config: StreamConfig) -> tuple[Literal["stream", "bucket"], str]:
    name = str(config.name)
    return ("bucket", name.removeprefix("KV_")) if name.startswith("KV_") else ("stream", name)


def _consumer_title(durable: Durable) -> str:
    return f"{durable.stream} > {durable.name}"


def _compare(
    kind: Literal["stream", "bucket", "consumer"],
    name: str,
    wanted: Mapping[str, object],
    found: Mapping[str, object] | None,
) -> Check:
    if found is None:
        return Check(kind, name, "missing")
    differences = tuple(
        Difference(setting, value, found.get(setting))
        for setting, value in wanted.items()
        if value is not None and not _same(setting, value, found.get(setting))
    )
    return Check(kind, name, "drift" if differences else "as wanted", differences)


def _same(setting: str, wanted: object, found: object) -> bool:
    if setting == "metadata" and isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(found.get(key) == value for key, value in wanted.items())  # the server adds its own
    if not wanted and not found:
        return True  # false, 0 and absent are one to the server
    unlimited = re.fullmatch(r"max_(msgs|bytes|age|msg_size|consumers|waiting|deliver).*", setting)
    if unlimited and wanted in {0, -1} and found in {0, -1, None}:
        return True
    return wanted == found


async def take_over(broker: Broker) -> None:
    """Let what a killed run had in hand come again now, and not after ACK_WAIT_S. Only where no other run can be.

    Needs server 2.14. Errors: Unavailable; Incomplete, when JetStream refuses.
    """
    try:
        for durable in await made(broker):
            info = await broker.js.consumer_info(durable.stream, durable.name)
            if (
                info.num_ack_pending
            ):  # without a number it goes on after its ack floor; one that starts from new allows none
                await broker.js.reset_consumer(durable.stream, durable.name)
    except UNREACHABLE as error:
        raise Unavailable("JetStream did not answer") from error
    except APIError as error:
        raise Incomplete(f"JetStream refused: {error.description} ({error.err_code})") from error


async def rewind(broker: Broker, durable: Durable) -> int:
    """Let a durable read its stream again from the start; how many messages that is.

    It is deleted and made anew, which every server can do; a running service takes it up again. A pause goes on, with
    its reason in the metadata: it is made with both, as between two calls the service would be given something.

    Errors: Unavailable; Incomplete, when JetStream refuses.
    """
    try:
        was = await broker.js.consumer_info(durable.stream, durable.name)
        kept = {"pause_until": was.config.pause_until, "metadata": was.config.metadata} if was.paused else {}
        await broker.js.delete_consumer(durable.stream, durable.name)
        info = await broker.js.stream_info(durable.stream)
        await broker.js.add_consumer(durable.stream, replace(durable.config, **kept))
    except UNREACHABLE as error:
        raise Unavailable("JetStream did not answer") from error
    except APIError as error:
        raise Incomplete(f"JetStream refused: {error.description} ({error.err_code})") from error
    return int(info.state.messages)
