"""Everything one running sandbox holds, handed to every route."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from services.sandbox.calls import Clock
from services.sandbox.domains import SEEDED, Domain
from services.sandbox.faults import Faults
from services.sandbox.limits import SlidingWindow, TokenBucket
from services.sandbox.options import SandboxOptions
from services.sandbox.person import Person
from services.sandbox.store import Store
from services.sandbox.webhooks import Webhooks

Peer = tuple[str, int]


class State:
    def __init__(self, store: Store, options: SandboxOptions, clock: Clock) -> None:
        self.store = store
        self.options = options
        self.clock = clock
        self.person = Person(store.notion, clock)
        self.domains: tuple[Domain, ...] = SEEDED
        self.faults = Faults()
        self.webhooks = Webhooks()
        self.resend_window = SlidingWindow()
        self.notion_bucket = TokenBucket()
        self.chat_buckets: defaultdict[str, TokenBucket] = defaultdict(TokenBucket)
        self.connections: dict[Peer, asyncio.Transport] = {}
        self.closing = asyncio.Event()
        self._started = uuid4().hex
        self._running: set[str] = set()

    @contextmanager
    def running(self, key: str | None) -> Iterator[bool]:
        """False where a call with the same idempotency key has not finished yet."""
        if key is None or key in self._running:
            yield key is None
            return
        self._running.add(key)
        try:
            yield True
        finally:
            self._running.discard(key)

    @property
    def version(self) -> str:
        """Changes whenever the page would show something else."""
        return f"{self._started}.{self.store.mailbox.revision}.{self.store.notion.revision}"

    def reset(self) -> None:
        """Back to a fresh sandbox; the options stay, and so does where webhooks go."""
        self.store.clear()
        self.domains = SEEDED
        self.faults.clear()
        self.webhooks.forget()
        self.resend_window.clear()
        self.notion_bucket.clear()
        self.chat_buckets.clear()
