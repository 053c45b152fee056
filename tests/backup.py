"""Backup and restore of a stream through the JetStream API: what `nats stream backup` and `restore` do."""

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
from nats.aio.msg import Msg

from eventlog.connection import Broker

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Backup:
    """A stream without its consumers, as it was at one moment."""

    stream: str
    config: dict[str, Any]
    state: dict[str, Any]
    chunks: tuple[bytes, ...]


async def backup(broker: Broker, stream: str) -> Backup:
    inbox, chunks, complete = broker.nc.new_inbox(), list[bytes](), asyncio.Event()

    async def take(msg: Msg) -> None:
        if not msg.data:
            complete.set()
            return
        chunks.append(msg.data)
        if msg.reply:  # the server waits for it before it sends more
            await msg.respond(b"")

    subscription = await broker.nc.subscribe(inbox, cb=take)
    said = await _ask(broker, f"STREAM.SNAPSHOT.{stream}", {"deliver_subject": inbox, "no_consumers": True})
    await asyncio.wait_for(complete.wait(), PATIENCE_S)
    await subscription.unsubscribe()
    return Backup(stream, said["config"], said["state"], tuple(chunks))


async def restore(broker: Broker, taken: Backup) -> None:
    """The stream must not exist."""
    said = await _ask(broker, f"STREAM.RESTORE.{taken.stream}", {"config": taken.config, "state": taken.state})
    for chunk in taken.chunks:
        await broker.nc.request(said["deliver_subject"], chunk, timeout=PATIENCE_S)
    done = await broker.nc.request(said["deliver_subject"], b"", timeout=PATIENCE_S)
    _refuse_error(msgspec.json.decode(done.data))


async def _ask(broker: Broker, call: str, request: dict[str, Any]) -> dict[str, Any]:
    answer = msgspec.json.decode(await broker.request(call, msgspec.json.encode(request)))
    _refuse_error(answer)
    return dict(answer)


def _refuse_error(answer: dict[str, Any]) -> None:
    assert "error" not in answer, answer["error"]
