"""The sender's own consume loop around a handler that only notes when it was entered: `python -m bench.probe FILE`.

Everything before the handler is the product: connection, durable, pulling, decoding, grouping, slots, settling, logs.
The file gets, for each message, the seconds from its time stamp in the stream to the handler.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import structlog

from cli.command import loop_factory
from cli.runtime import stop_on_signal
from contracts.messages import EmailDue
from eventlog.connection import connect
from eventlog.consume import Consumer
from eventlog.outcomes import Done, Item, Outcome
from services.logs import configure
from services.sender.handlers import shell_for, work
from services.sender.outcome import Answer
from services.settings import Settings

log = structlog.get_logger(__name__)


class NoProvider:
    """The noting handler never gets that far."""

    async def send(self, body: str, *, key: str) -> Answer:
        raise NotImplementedError


async def measure() -> list[float]:
    settings = Settings.load()
    late_s: list[float] = []

    async def note(items: Sequence[Item[EmailDue]]) -> Outcome:
        now = time.time()
        late_s.extend(now - item.msg.metadata.timestamp.timestamp() for item in items)
        return Done("noted")

    with stop_on_signal() as stop:
        async with connect(str(settings.nats_url), name="probe") as broker:
            real = work(shell_for(broker, NoProvider(), {}, settings.pace))
            log.info("started", service="probe")
            await Consumer(broker, replace(real, handle=note), stop=stop).run()
    return late_s


if __name__ == "__main__":
    configure()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        seconds = runner.run(measure())
    Path(sys.argv[1]).write_bytes(msgspec.json.encode(seconds))
