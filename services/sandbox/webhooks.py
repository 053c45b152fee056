"""What Resend tells of the emails it took, posted to whoever asked for it and signed as Svix signs.

Resend makes a webhook for each recipient and each thing that happens, tries those that are not answered with a 2xx
again, sends some twice and keeps no order. All of it is kept in memory: a sandbox that starts again has forgotten.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Annotated
from uuid import uuid4

import httpx
import msgspec
from standardwebhooks import Webhook

from services.sandbox.calls import utc_now
from services.sandbox.mailbox import Mail

ATTEMPT_S = 15
KEPT = 10_000

OUTCOMES = {
    "bounced@resend.dev": ("email.bounced",),
    "complained@resend.dev": ("email.delivered", "email.complained"),
    "suppressed@resend.dev": ("email.suppressed",),
}
"""The test recipients, with any `+label`; everybody else's mail is delivered."""

DETAILS: dict[str, dict[str, object]] = {
    "email.bounced": {
        "bounce": {
            "message": "The recipient's mail server says that there is no such mailbox.",
            "type": "Permanent",
            "subType": "General",
            "diagnosticCode": ["smtp; 550 5.1.1 user unknown"],
        }
    },
    "email.suppressed": {"suppressed": {"message": "The address bounced before.", "type": "OnAccountSuppressionList"}},
}

Delay = Annotated[float, msgspec.Meta(ge=0)]


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where webhooks go. The real one tries again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h.

    `copies` posts each so many times, as happens with at-least-once; `reversed` posts an email's last one first.
    """

    url: Annotated[str, msgspec.Meta(pattern="^https?://")]
    secret: Annotated[str, msgspec.Meta(pattern="^whsec_.")]
    retry_s: tuple[Delay, ...] = (0.1, 0.5, 1, 2, 5, 10, 10)
    copies: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    reversed: bool = False

    def __post_init__(self) -> None:
        """Errors: ValueError, where the secret is not Base64."""
        Webhook(self.secret)


class Event(msgspec.Struct):
    """One webhook and the statuses it was answered with; 0 is no answer."""

    id: str
    type: str
    mail_id: str
    body: str
    statuses: list[int] = []


class Webhooks:
    """The endpoint, if there is one, and what was sent to it."""

    def __init__(self) -> None:
        self.endpoint: Endpoint | None = None
        self.events: dict[str, Event] = {}
        self._client: httpx.AsyncClient | None = None
        self._posting: set[asyncio.Task[None]] = set()

    @property
    def is_posting(self) -> bool:
        return bool(self._posting)

    def accepted(self, mails: Sequence[Mail]) -> None:
        """Tell of them in the background; the caller's own answer may well come later."""
        if self.endpoint is None:
            return
        for mail in mails:
            events = events_of(mail)
            self._remember(events)
            self._start(events[::-1] if self.endpoint.reversed else events, self.endpoint)

    def replay(self, event: Event) -> None:
        """Once more, under the same id, as a person can ask for at the provider. Errors: ValueError: no endpoint."""
        if self.endpoint is None:
            raise ValueError("There is no endpoint to post to.")
        self._start([event], self.endpoint)

    def forget(self) -> None:
        """Drop what was sent and what is still to be; the endpoint stays."""
        for task in self._posting:
            task.cancel()
        self.events.clear()

    async def close(self) -> None:
        self.forget()
        await asyncio.gather(*self._posting, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _remember(self, events: Sequence[Event]) -> None:
        self.events |= {event.id: event for event in events}
        while len(self.events) > KEPT:
            del self.events[next(iter(self.events))]

    def _start(self, events: Sequence[Event], endpoint: Endpoint) -> None:
        task = asyncio.create_task(self._post_all(events, endpoint))
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)

    async def _post_all(self, events: Sequence[Event], endpoint: Endpoint) -> None:
        """First each in its turn; then those that were not taken, without waiting for each other."""
        refused = [event for event in events if not await self._post_copies(event, endpoint)]
        await asyncio.gather(*(self._insist(event, endpoint) for event in refused))

    async def _post_copies(self, event: Event, endpoint: Endpoint) -> bool:
        return all([await self._post(event, endpoint) for _ in range(endpoint.copies)])

    async def _insist(self, event: Event, endpoint: Endpoint) -> None:
        for delay in endpoint.retry_s:
            await asyncio.sleep(delay)
            if await self._post(event, endpoint):
                return

    async def _post(self, event: Event, endpoint: Endpoint) -> bool:
        """Whether it was taken: any 2xx, and a redirect is none."""
        headers = {"content-type": "application/json", **signed(event, endpoint.secret, utc_now())}
        try:
            answer = await self._http().post(endpoint.url, content=event.body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            event.statuses.append(0)
            return False
        event.statuses.append(answer.status_code)
        return answer.is_success

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=16)
            self._client = httpx.AsyncClient(timeout=httpx.Timeout(ATTEMPT_S, pool=None), limits=limits)
        return self._client


def events_of(mail: Mail) -> list[Event]:
    """Everything that happens to an email, in its order; each recipient's in turn."""
    if mail.scheduled_at is not None:
        return [_event(mail, mail.to[0], "email.scheduled", 1)]
    return [
        _event(mail, recipient, event, place)
        for recipient in (*mail.to, *mail.cc, *mail.bcc)
        for place, event in enumerate(("email.sent", *_outcome(recipient)), start=1)
    ]


def _outcome(recipient: str) -> tuple[str, ...]:
    local, _, domain = parseaddr(recipient)[1].casefold().partition("@")
    return OUTCOMES.get(f"{local.partition('+')[0]}@{domain}", ("email.delivered",))


def _event(mail: Mail, recipient: str, event: str, place: int) -> Event:
    """`type` comes last, tags come back as an object, and both times have a spelling of their own."""
    data: dict[str, object] = {
        "created_at": mail.accepted_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "email_id": mail.id,
        "from": mail.sender,
        "to": [recipient],
        "subject": mail.subject,
        **DETAILS.get(event, {}),
    }
    if mail.tags:
        data["tags"] = {tag.name: tag.value for tag in mail.tags}
    body = {"created_at": _stamp(mail.accepted_at + timedelta(milliseconds=place)), "data": data, "type": event}
    return Event(f"msg_{uuid4().hex}", event, mail.id, msgspec.json.encode(body).decode())


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def signed(event: Event, secret: str, now: datetime) -> dict[str, str]:
    """`now` is the real time, whatever clock the sandbox runs on: the receiver compares it with its own."""
    return {
        "svix-id": event.id,
        "svix-timestamp": str(int(now.timestamp())),
        "svix-signature": Webhook(secret).sign(event.id, now, event.body),
    }
