"""What is not ours and fills a broker's store: to its limit, or so far."""

from nats.errors import Error as NatsError
from nats.js.errors import APIError

from eventlog.connection import Broker

BALLAST = "BALLAST"


async def fill_store(broker: Broker, replicas: int = 1) -> None:
    """Until not a byte more is taken."""
    await broker.js.add_stream(name=BALLAST, subjects=["ballast"], num_replicas=replicas)
    for size in (500_000, 10_000, 500, 1):
        while True:
            try:
                await broker.js.publish("ballast", b"x" * size)
            except (APIError, NatsError):
                break
