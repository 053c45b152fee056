"""The webhooks of the Resend stand-in: checked with the provider's own SDK, and taken by a real ingest."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
import resend
from litestar import Litestar, Response, post

from contracts.ids import EmailId, contact_id
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.server import free_port
from journey.contact import fold
from services.http import HttpServer
from services.ingest.server import ingest_server
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault
from services.sandbox.options import UNLIMITED
from services.sandbox.shell import AnyRequest
from services.sandbox.webhooks import Endpoint
from services.sender.outcome import Refused
from services.sender.render import tags
from services.sender.resend_api import Resend
from tests.deliveries import SECRET
from tests.factories import ADA, make_email_id
from tests.integration.ingest import CAMPAIGNS, configured
from tests.waiting import eventually

EMAIL = make_email_id()
EMAIL_ID = EmailId.parse(EMAIL)


class Receiver:
    """Takes webhooks, and answers the next ones as `script` says."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], str]] = []
        self.script: list[int] = []
        self.url = ""

    def app(self) -> Litestar:
        @post("/hook", status_code=204)
        async def hook(request: AnyRequest) -> Response[None]:
            self.heard.append((dict(request.headers), (await request.body()).decode()))
            status = self.script.pop(0) if self.script else 204
            return Response(None, status_code=status, headers={"location": "/hook"} if status == 302 else {})

        return Litestar([hook], logging_config=None, openapi_config=None)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]

    @property
    def types(self) -> list[str]:
        return [body["type"] for body in self.bodies]

    @property
    def ids(self) -> list[str]:
        return [headers["svix-id"] for headers, _ in self.heard]

    async def has(self, count: int) -> None:
        async def heard_all() -> bool:
            return len(self.heard) >= count

        await eventually(heard_all)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with HttpServer(receiver.app()) as server:
        receiver.url = f"{server.url}/hook"
        yield receiver


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    async with Sandbox(options=UNLIMITED) as running:
        monkeypatch.setattr(resend, "api_key", "re_test")
        monkeypatch.setattr(resend, "api_url", running.url)
        yield running


@pytest.fixture
def listen(sandbox: Sandbox, receiver: Receiver) -> Callable[..., None]:
    def to(**fields: Any) -> None:
        soon = {"url": receiver.url, "secret": SECRET, "retry_s": (0.01,) * 7}
        sandbox.send_webhooks(Endpoint(**(soon | fields)))

    return to


def request(**fields: object) -> dict[str, Any]:
    named = [{"name": "contact", "value": "c1"}, {"name": "step", "value": "email-1"}]
    content = {"subject": "Your score", "html": "<p>62</p>", "tags": named}
    return {"from": "Dripstream <hello@example.com>", "to": [f"Ada <{ADA}>"]} | content | fields


async def send(**fields: object) -> str:
    sent = await resend.Emails.send_async(cast("Any", request(**fields)))
    return str(sent["id"])


def verify(headers: dict[str, str], body: str, secret: str = SECRET) -> None:
    """As the provider tells its customers to. Errors: ValueError."""
    signed: Any = {name: headers[f"svix-{name}"] for name in ("id", "timestamp", "signature")}
    resend.Webhooks.verify({"payload": body, "headers": signed, "webhook_secret": secret})


async def test_an_accepted_email_is_told_of_as_the_provider_tells_it(
    receiver: Receiver, listen: Callable[..., None]
) -> None:
    listen()
    mail_id = await send()
    await receiver.has(2)
    assert receiver.types == ["email.sent", "email.delivered"]
    sent, delivered = receiver.bodies
    assert list(sent) == ["created_at", "data", "type"]
    assert (sent["data"]["email_id"], sent["data"]["to"]) == (mail_id, [f"Ada <{ADA}>"])
    assert sent["data"]["tags"] == {"contact": "c1", "step": "email-1"}
    assert sent["created_at"] < delivered["created_at"]
    assert sent["created_at"].endswith("Z")
    assert sent["data"]["created_at"] == delivered["data"]["created_at"]
    assert sent["data"]["created_at"].endswith("+00:00")


async def test_the_sdk_of_the_provider_accepts_the_signature_and_no_other(
    receiver: Receiver, listen: Callable[..., None]
) -> None:
    listen()
    await send()
    await receiver.has(2)
    for headers, body in receiver.heard:
        verify(headers, body)
        with pytest.raises(ValueError, match="signature"):
            verify(headers, body + " ")
        with pytest.raises(ValueError, match="signature"):
            verify(headers, body, "whsec_" + "A" * 32)


@pytest.mark.parametrize(
    ("to", "types"),
    [
        ("bounced@resend.dev", ["email.sent", "email.bounced"]),
        ("Bob <Bounced+label@resend.dev>", ["email.sent", "email.bounced"]),
        ("complained@resend.dev", ["email.sent", "email.delivered", "email.complained"]),
        ("suppressed@resend.dev", ["email.sent", "email.suppressed"]),
        ("delivered@resend.dev", ["email.sent", "email.delivered"]),
        ("bounced@example.com", ["email.sent", "email.delivered"]),
    ],
)
async def test_the_test_recipients_have_the_fates_they_are_named_after(
    receiver: Receiver, listen: Callable[..., None], to: str, types: list[str]
) -> None:
    listen()
    await send(to=[to])
    await receiver.has(len(types))
    assert receiver.types == types
    if "email.bounced" in types:
        assert receiver.bodies[1]["data"]["bounce"]["type"] == "Permanent"


async def test_each_recipient_has_webhooks_of_their_own(receiver: Receiver, listen: Callable[..., None]) -> None:
    listen()
    await send(cc=["bounced@resend.dev"])
    await receiver.has(4)
    assert [(body["data"]["to"], body["type"]) for body in receiver.bodies] == [
        ([f"Ada <{ADA}>"], "email.sent"),
        ([f"Ada <{ADA}>"], "email.delivered"),
        (["bounced@resend.dev"], "email.sent"),
        (["bounced@resend.dev"], "email.bounced"),
    ]


async def test_what_is_not_taken_comes_again_under_the_same_id(
    sandbox: Sandbox, receiver: Receiver, listen: Callable[..., None]
) -> None:
    listen()
    receiver.script = [500, 204, 302, 401]
    await send()
    await receiver.has(5)
    assert receiver.types == ["email.sent", "email.delivered", "email.sent", "email.sent", "email.sent"]
    assert len(set(receiver.ids)) == 2

    async def noted() -> bool:
        return [event.statuses for event in sandbox.webhooks()] == [[500, 302, 401, 204], [204]]

    await eventually(noted)


async def test_it_is_given_up_after_as_many_tries_as_the_provider_makes(
    sandbox: Sandbox, receiver: Receiver, listen: Callable[..., None]
) -> None:
    listen(url=f"http://127.0.0.1:{free_port()}/hook")
    await send(scheduled_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())

    async def given_up() -> bool:
        return [(event.type, event.statuses) for event in sandbox.webhooks()] == [("email.scheduled", [0] * 8)]

    await eventually(given_up)
    await eventually(_nothing_under_way(sandbox))
    assert [event.statuses for event in sandbox.webhooks()] == [[0] * 8]
    assert receiver.heard == []


def _nothing_under_way(sandbox: Sandbox) -> Callable[[], Awaitable[bool]]:
    async def idle() -> bool:
        return not sandbox.state.webhooks.is_posting

    return idle


async def test_on_request_they_come_twice_and_in_the_wrong_order(
    receiver: Receiver, listen: Callable[..., None]
) -> None:
    listen(copies=2, reversed=True)
    await send()
    await receiver.has(4)
    assert receiver.types == ["email.delivered", "email.delivered", "email.sent", "email.sent"]
    assert len(set(receiver.ids)) == 2


async def test_a_repeat_of_the_call_is_no_other_email(
    sandbox: Sandbox, receiver: Receiver, listen: Callable[..., None]
) -> None:
    listen()
    for _ in range(2):
        await resend.Emails.send_async(cast("Any", request()), {"idempotency_key": "k1"})
    await receiver.has(2)
    assert len(sandbox.webhooks()) == 2


async def test_the_control_endpoint_sets_lists_replays_and_stops(
    sandbox: Sandbox, receiver: Receiver, listen: Callable[..., None]
) -> None:
    listen()
    async with httpx.AsyncClient(base_url=f"{sandbox.url}/_control") as control:
        made = await control.post("/webhooks", json={"url": receiver.url, "secret": SECRET})
        assert (made.status_code, made.json()["url"]) == (201, receiver.url)
        await send()
        await receiver.has(2)
        first = (await control.get("/webhooks")).json()[0]
        assert (await control.post(f"/webhooks/{first['id']}/replay")).status_code == 202
        await receiver.has(3)
        assert receiver.heard[2][1] == receiver.heard[0][1]
        assert receiver.ids == [receiver.ids[0], receiver.ids[1], receiver.ids[0]]
        assert (await control.post("/webhooks/msg_x/replay")).status_code == 404
        assert (await control.delete("/webhooks")).status_code == 204
        assert (await control.post(f"/webhooks/{first['id']}/replay")).status_code == 400
        await send()
        assert len((await control.get("/webhooks")).json()) == 2


@pytest.mark.parametrize(
    "endpoint",
    [
        {},
        {"url": "https://example.com"},
        {"url": "example.com", "secret": SECRET},
        {"url": "https://example.com", "secret": "whsec_"},
        {"url": "https://example.com", "secret": "whsec_A"},
        {"url": "https://example.com", "secret": SECRET.removeprefix("whsec_")},
        {"url": "https://example.com", "secret": SECRET, "copies": 0},
        {"url": "https://example.com", "secret": SECRET, "shuffled": True},
    ],
)
async def test_an_endpoint_that_cannot_be_one_is_refused(sandbox: Sandbox, endpoint: dict[str, object]) -> None:
    async with httpx.AsyncClient(base_url=f"{sandbox.url}/_control") as control:
        assert (await control.post("/webhooks", json=endpoint)).status_code == 400
    assert sandbox.state.webhooks.endpoint is None


async def test_an_answer_that_is_lost_is_made_good_by_a_webhook(sandbox: Sandbox, broker: Broker) -> None:
    """The whole way round: the real client, the stand-in's webhooks, the real ingest, the log."""
    provider = Resend("re_test", sandbox.url, per_second=1_000)
    sandbox.add_fault(Fault(api="resend", action="timeout_after_accept"))
    async with ingest_server(broker, configured(resend_webhook_secret=SECRET), CAMPAIGNS) as ingest:
        url = f"{ingest.url}/webhook/resend"
        sandbox.send_webhooks(Endpoint(url=url, secret=SECRET, copies=2, reversed=True))
        try:
            answer = await provider.send(json.dumps(request(tags=tags(EMAIL_ID), to=[ADA])), key=EMAIL)
        finally:
            await provider.close()
        assert isinstance(answer, Refused)
        log = EventLog(broker)

        async def both_known() -> bool:
            return len(await log.history(contact_id(ADA))) == 2

        await eventually(both_known)

        async def all_taken() -> bool:
            return [event.statuses for event in sandbox.webhooks()] == [[202, 202]] * 2

        await eventually(all_taken)
    facts = await log.history(contact_id(ADA))
    assert sorted(fact.tag for fact in facts) == ["email_accepted", "email_delivered"]
    assert fold(contact_id(ADA), facts).email(EMAIL).is_sent
    [mail] = sandbox.mails()
    assert {getattr(fact, "provider_id", "") for fact in facts} == {mail.id}
