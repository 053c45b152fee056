"""Send claims: who may send which bytes for an email, decided once.

The claim is written before the provider is called and holds the exact request, so that every later attempt, by
whichever sender, sends the same bytes under the same idempotency key.
"""

from datetime import datetime

import msgspec

from contracts import subjects
from contracts.base import Utc
from eventlog.bucket import Bucket, Entry
from eventlog.connection import Broker, Unavailable
from eventlog.topology import SETTLED_S


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """`attempt` started at `attempt_at`; its result, if known, is a fact. No body: the email is settled.

    `round`: how many times an operator had asked for another try; each has its own claim, over the one before.
    """

    email_id: str
    body: str | None = None
    """The request as JSON text, byte for byte."""

    template: str = ""
    template_version: str = ""
    subject: str = ""
    attempt: int = 1
    attempt_at: Utc
    round: int = 0
    v: int = 1

    @property
    def key(self) -> str:
        """The idempotency key: the email id, and another one for every try an operator asked for."""
        return f"{self.email_id}~{self.round}" if self.round else self.email_id


class Claims:
    """Bucket `sends`."""

    def __init__(self, broker: Broker) -> None:
        self._bucket = Bucket(broker, subjects.SENDS, Claim)

    async def get(self, email_id: str) -> Entry[Claim] | None:
        """Errors: Unavailable."""
        return await self._bucket.get(email_id)

    async def create(self, claim: Claim, *, over: int = 0) -> Entry[Claim]:
        """The first to claim decides the bytes; whoever comes later gets that claim.

        `over`: the revision of the claim of an earlier round. Errors: Unavailable.
        """
        revision = await self._bucket.put(claim.email_id, claim, over=over)
        if revision:
            return Entry(claim, revision)
        entry = await self.get(claim.email_id)
        if entry is None:
            raise Unavailable("the claim vanished between two calls")
        return entry

    async def start_attempt(self, entry: Entry[Claim], now: datetime) -> Entry[Claim] | None:
        """Record that another attempt begins, before it does; None if another sender just did.

        Errors: Unavailable.
        """
        claim = msgspec.structs.replace(entry.value, attempt=entry.value.attempt + 1, attempt_at=now)
        revision = await self._bucket.put(claim.email_id, claim, over=entry.revision)
        return Entry(claim, revision) if revision else None

    async def settle(self, email_id: str, now: datetime, *, in_round: int = 0) -> None:
        """The email has ended as a fact: drop the body, keep a marker until the provider has forgotten the key.

        Errors: Unavailable.
        """
        settled = Claim(email_id=email_id, attempt_at=now, round=in_round)
        await self._bucket.put(email_id, settled, over=None, ttl_s=SETTLED_S)
