"""A website and a calendar service that post until they are heard, and remember what they were told."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from chaos.auditor.evidence import CAMPAIGN, Promise
from chaos.story import Webhook
from tests.calcom import answers, attendee, cancelled, created, rescheduled, spelt

PATIENCE_S, AGAIN_S = 12, 0.5
TAGS = {
    "form": "signup_received",
    "paid": "triggered",
    "booked": "booking_created",
    "moved": "booking_rescheduled",
    "cancelled": "booking_cancelled",
}
PATHS = {"form": "/webhook/christmas-signup", "paid": f"/webhook/trigger/{CAMPAIGN}/paid"}
CALCOM = "/webhook/calcom-booking"


class Refused(Exception):
    """A webhook was answered with 4xx: the story is wrong, or ingest is."""


@dataclass
class Driver:
    """Posts to whichever ingest listens, in turn, as a balancer would."""

    ports: Sequence[int]
    promises: list[Promise] = field(default_factory=list)
    posted: int = 0
    refused: int = 0
    """Posts that were not answered with 2xx, and were made again."""

    async def play(self, story: Sequence[Webhook]) -> None:
        """Everything at its moment, whatever became of what was before. Errors: Refused."""
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client, asyncio.TaskGroup() as group:
            start = asyncio.get_running_loop().time()
            for webhook in story:
                await asyncio.sleep(max(0.0, start + webhook.at_s - asyncio.get_running_loop().time()))
                group.create_task(self._deliver(client, webhook))

    async def _deliver(self, client: httpx.AsyncClient, webhook: Webhook) -> None:
        path, body = PATHS.get(webhook.kind, CALCOM), json.dumps(body_of(webhook, datetime.now(UTC))).encode()
        for _ in range(2 if webhook.twice else 1):
            answer = await self._until_heard(client, path, body)
            self.promises.append(Promise(webhook.email, TAGS[webhook.kind], answer["event_id"]))

    async def _until_heard(self, client: httpx.AsyncClient, path: str, body: bytes) -> dict[str, Any]:
        """The same bytes, until somebody has them. Errors: Refused."""
        self.posted += 1
        for port in itertools.cycle(self._from(self.posted)):
            try:
                answer = await client.post(f"http://127.0.0.1:{port}{path}", content=body)
            except httpx.TransportError:
                answer = httpx.Response(503)
            if answer.is_success:
                told: dict[str, Any] = answer.json()
                return told
            if answer.is_client_error:
                raise Refused(f"{path}: {answer.status_code} {answer.text[:300]}")
            self.refused += 1
            await asyncio.sleep(AGAIN_S)
        raise AssertionError("no ingest at all")

    def _from(self, turn: int) -> list[int]:
        first = turn % len(self.ports)
        return [*self.ports[first:], *self.ports[:first]]


def body_of(webhook: Webhook, now: datetime) -> dict[str, Any]:
    """What is posted, as of the moment of the first try. Pure."""
    if webhook.kind == "form":
        return webhook.form
    if webhook.kind == "paid":
        return {"email": webhook.email, "id": "invoice-1"}
    start = now + timedelta(seconds=webhook.starts_in_s)
    details: dict[str, Any] = {
        "attendees": [attendee(webhook.email, webhook.name)],
        "responses": answers(webhook.email, webhook.name),
        "iCalUID": f"{webhook.uid.removesuffix('-moved')}@calendar.example.com",
    }
    if webhook.kind == "cancelled":
        return cancelled(webhook.uid, start, now, by=webhook.email, **details)
    details["endTime"] = spelt(start + timedelta(seconds=1))
    if webhook.kind == "moved":
        return rescheduled(webhook.uid, webhook.before, start, now, **details)
    return created(webhook.uid, start, now, **details)
