"""Can this service do its work right now? Asked by load balancers every second or so, hence kept for a moment."""

import asyncio
import time
from dataclasses import dataclass, field

import structlog

from eventlog import topology
from eventlog.connection import Broker, Unavailable
from eventlog.pause import paused

log = structlog.get_logger(__name__)

KEPT_S = 5.0
PATIENCE_S = 1.5


@dataclass
class Readiness:
    """JetStream reachable, streams, buckets and consumers in place, and the service's own consumer not paused."""

    broker: Broker
    replicas: int = 1
    durable: topology.Durable | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _verdict: str | None = None
    _until: float = 0.0

    async def obstacle(self) -> str | None:
        """What stands in the way; None when ready."""
        if not self.broker.nc.is_connected:
            return "not connected to NATS"
        async with self._lock:
            if time.monotonic() >= self._until:
                self._tell(await self._look())
                self._until = time.monotonic() + KEPT_S
            return self._verdict

    def _tell(self, verdict: str | None) -> None:
        """Once per change: probes ask every second."""
        if verdict != self._verdict:
            log.warning("readiness", obstacle=verdict)
        self._verdict = verdict

    async def _look(self) -> str | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.broker.ping()
                await topology.require(self.broker, replicas=self.replicas)
                return await self._pause()
        except TimeoutError:
            return f"JetStream did not answer within {PATIENCE_S:g} s"
        except (Unavailable, topology.Incomplete, topology.OldServer) as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a probe that cannot tell must say no
            log.warning("readiness_unclear", error=type(error).__name__)
            return f"JetStream could not be examined ({type(error).__name__})"

    async def _pause(self) -> str | None:
        found = await paused(self.broker, self.durable) if self.durable else None
        return f"paused until {found.until:%Y-%m-%d %H:%M:%S} UTC: {found.reason}" if found else None
