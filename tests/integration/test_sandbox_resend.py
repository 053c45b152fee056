"""The Resend stand-in, through the real SDK over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import resend
from resend.exceptions import ResendError

from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.options import UNLIMITED, SandboxOptions

START = datetime(2026, 11, 20, 10, tzinfo=UTC)


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
async def served(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(clock=clock) as running:
        yield running


@pytest.fixture
def sandbox(served: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    clock.now = START
    served.options = UNLIMITED
    served.reset()
    monkeypatch.setattr(resend, "api_key", "re_test")
    monkeypatch.setattr(resend, "api_url", served.url)
    return served


def email(**fields: object) -> Any:
    return {
        "from": "Dripstream <hello@example.com>",
        "to": ["ann@example.com"],
        "subject": "Your score",
        "html": "<p>62</p>",
        **fields,
    }


async def send(key: str | None = None, /, **fields: object) -> dict[str, Any]:
    options: Any = {"idempotency_key": key} if key is not None else None
    return cast("dict[str, Any]", await resend.Emails.send_async(email(**fields), options))


async def refusal(key: str | None = None, /, **fields: object) -> ResendError:
    with pytest.raises(ResendError) as caught:
        await send(key, **fields)
    return caught.value


def verdict(error: ResendError) -> tuple[int, str]:
    return int(error.code), error.error_type


async def test_an_accepted_email_is_kept_with_key_tags_and_headers(sandbox: Sandbox) -> None:
    tags = [{"name": "campaign", "value": "welcome"}, {"name": "step", "value": "email-1"}]
    sent = await send("k1", tags=tags, headers={"List-Unsubscribe": "<https://example.com/u>"}, text="62")

    (mail,) = sandbox.mails()
    assert (mail.id, mail.idempotency_key, mail.tag("step")) == (sent["id"], "k1", "email-1")
    assert (mail.sender, mail.to, mail.accepted_at) == (
        "Dripstream <hello@example.com>",
        ["ann@example.com"],
        START,
    )
    assert mail.headers == {"List-Unsubscribe": "<https://example.com/u>"}


async def test_same_key_and_body_answers_as_the_first_time(sandbox: Sandbox) -> None:
    first, second = await send("k1"), await send("k1")

    assert first["id"] == second["id"]
    assert len(sandbox.mails()) == 1


async def test_same_key_with_another_body_is_refused(sandbox: Sandbox) -> None:
    await send("k1")

    assert verdict(await refusal("k1", subject="Other")) == (409, "invalid_idempotent_request")
    assert len(sandbox.mails()) == 1


async def test_a_key_is_forgotten_after_a_day(sandbox: Sandbox, clock: Clock) -> None:
    first = await send("k1")
    clock.advance(hours=23, minutes=59)
    assert (await send("k1"))["id"] == first["id"]
    clock.advance(minutes=1)

    assert (await send("k1"))["id"] != first["id"]
    assert len(sandbox.mails()) == 2


async def test_a_refused_request_does_not_use_up_its_key(sandbox: Sandbox) -> None:
    await refusal("k1", to=["no address"])

    assert (await send("k1"))["id"] == sandbox.mails()[0].id


async def test_same_key_while_the_first_is_running_is_refused(sandbox: Sandbox) -> None:
    sandbox.add_fault(Fault(api="resend", action="slow", delay_s=3))
    first = asyncio.create_task(send("k1"))
    while not sandbox.state.faults.all[0].used:  # noqa: ASYNC110 - the server runs in this very loop
        await asyncio.sleep(0)

    assert verdict(await refusal("k1")) == (409, "concurrent_idempotent_requests")
    assert (await first)["id"] == sandbox.mails()[0].id


@pytest.mark.parametrize("key", ["", "k" * 257])
async def test_a_key_of_wrong_length_is_refused(sandbox: Sandbox, key: str) -> None:
    assert verdict(await refusal(key)) == (400, "invalid_idempotency_key")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"from": None}, "missing_required_field"),
        ({"from": "nobody"}, "invalid_from_address"),
        ({"to": []}, "missing_required_field"),
        ({"to": ["ann@example.com, ben@example.com"]}, "validation_error"),
        ({"to": [f"p{n}@example.com" for n in range(51)]}, "validation_error"),
        ({"subject": ""}, "missing_required_field"),
        ({"subject": "a\r\nBcc: x@example.com"}, "validation_error"),
        ({"subject": 7}, "validation_error"),
        ({"html": ""}, "missing_required_field"),
        ({"html": 7}, "validation_error"),
        ({"tags": [{"name": "to", "value": "ann@example.com"}]}, "validation_error"),
        ({"tags": [{"name": "at", "value": "x" * 257}]}, "validation_error"),
        ({"tags": [{"name": f"t{n}", "value": "1"} for n in range(76)]}, "validation_error"),
        ({"headers": {"X-Number": 1}}, "validation_error"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "validation_error"),
        ({"attachments": [{"content": "aGk="}]}, "invalid_attachment"),
        ({"attachments": [{"filename": "a.txt"}]}, "invalid_attachment"),
        ({"scheduled_at": "tomorrow"}, "validation_error"),
        ({"reply-to": "ann@example.com"}, "validation_error"),
    ],
)
async def test_what_resend_refuses_is_refused(sandbox: Sandbox, fields: dict[str, object], expected: str) -> None:
    assert verdict(await refusal(**fields)) == (422, expected)
    assert sandbox.mails() == []


async def test_a_wrong_api_key_is_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resend, "api_key", "wrong")
    assert verdict(await refusal()) == (403, "invalid_api_key")


async def test_a_missing_api_key_or_user_agent_is_refused(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url) as client:
        no_key = await client.post("/emails", json=email())
        no_agent = await client.post("/emails", json=email(), headers={"user-agent": ""})

    assert (no_key.status_code, no_key.json()["name"]) == (401, "missing_api_key")
    assert (no_agent.status_code, no_agent.text) == (403, "error code: 1010")


async def test_more_than_the_rate_is_refused_until_the_second_is_over(sandbox: Sandbox, clock: Clock) -> None:
    sandbox.options = SandboxOptions(resend_rate=2, notion_rate=None)
    await send()
    last = await send()
    assert last["http_headers"]["ratelimit-remaining"] == "0"

    error = await refusal()
    assert verdict(error) == (429, "rate_limit_exceeded")
    assert error.headers["retry-after"] == "1"
    clock.advance(seconds=1)
    await send()


async def test_a_strict_batch_is_all_or_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(ResendError):
        await resend.Batch.send_async([email(), email(to=["nobody"])])
    assert sandbox.mails() == []

    sent = await resend.Batch.send_async([email(), email(subject="Two")], {"idempotency_key": "b1"})
    again = await resend.Batch.send_async([email(), email(subject="Two")], {"idempotency_key": "b1"})
    assert sent["data"] == again["data"]
    assert [mail.subject for mail in sandbox.mails()] == ["Your score", "Two"]


async def test_a_permissive_batch_names_what_it_left_out(sandbox: Sandbox) -> None:
    sent = await resend.Batch.send_async([email(), email(to=["nobody"])], {"batch_validation": "permissive"})
    assert len(sent["data"]) == 1
    assert sent["errors"][0]["index"] == 1


async def test_an_email_can_be_read_back_and_listed(sandbox: Sandbox) -> None:
    ids = [(await send(subject=f"Number {n}"))["id"] for n in range(3)]

    assert (await resend.Emails.get_async(ids[1]))["subject"] == "Number 1"
    listed = await resend.Emails.list_async({"limit": 2})
    assert ([each["id"] for each in listed["data"]], listed["has_more"]) == ([ids[2], ids[1]], True)
    rest = await resend.Emails.list_async({"limit": 2, "after": ids[1]})
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == ([ids[0]], False)


async def test_an_unknown_email_is_not_found(sandbox: Sandbox) -> None:
    with pytest.raises(ResendError) as caught:
        await resend.Emails.get_async("00000000-0000-4000-8000-000000000000")
    assert verdict(caught.value) == (404, "not_found")


async def test_a_scheduled_email_moves_and_a_canceled_one_stays_canceled(sandbox: Sandbox, clock: Clock) -> None:
    sent = await send(scheduled_at=(START + timedelta(days=1)).isoformat())
    later = (START + timedelta(days=2)).isoformat()
    await resend.Emails.update_async({"id": sent["id"], "scheduled_at": later})
    assert (await resend.Emails.get_async(sent["id"]))["last_event"] == "scheduled"

    await resend.Emails.cancel_async(sent["id"])
    assert (await resend.Emails.get_async(sent["id"]))["last_event"] == "canceled"
    with pytest.raises(ResendError):
        await resend.Emails.update_async({"id": sent["id"], "scheduled_at": later})


@pytest.mark.parametrize("action", ["reset", "timeout_before_accept"])
async def test_a_dropped_connection_before_accepting_leaves_no_mail(sandbox: Sandbox, action: Any) -> None:
    sandbox.add_fault(Fault(api="resend", action=action, delay_s=0.01))

    assert (await refusal("k1")).error_type == "HttpClientError"
    assert sandbox.mails() == []
    assert sandbox.requests()[0].status is None
    await send("k1")


async def test_a_timeout_after_accepting_is_healed_by_the_same_key(sandbox: Sandbox) -> None:
    sandbox.add_fault(Fault(api="resend", action="timeout_after_accept", delay_s=0.01))

    assert (await refusal("k1")).error_type == "HttpClientError"
    assert (await send("k1"))["id"] == sandbox.mails()[0].id
    assert len(sandbox.mails()) == 1


async def test_a_fault_strikes_only_what_it_matches(sandbox: Sandbox) -> None:
    sandbox.add_fault(Fault(api="resend", action="status", status=503, match=Match(contains="ben@"), times=2))
    await send()

    for _ in range(2):
        assert verdict(await refusal(to=["ben@example.com"])) == (503, "service_unavailable")
    await send(to=["ben@example.com"])
    assert [entry.status for entry in sandbox.requests()] == [200, 503, 503, 200]


async def test_a_planned_429_carries_its_name_and_wait(sandbox: Sandbox) -> None:
    quota = Fault(api="resend", action="status", status=429, name="daily_quota_exceeded", retry_after=7)
    sandbox.add_fault(quota)

    error = await refusal()
    assert (*verdict(error), error.headers["retry-after"]) == (429, "daily_quota_exceeded", "7")


async def test_a_proxy_page_instead_of_json_is_seen_as_an_application_error(sandbox: Sandbox) -> None:
    sandbox.add_fault(Fault(api="resend", action="non_json", status=502))
    assert verdict(await refusal()) == (502, "application_error")


async def test_mails_and_keys_survive_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resend, "api_key", "re_test")
    ids = []
    for _ in range(2):
        async with Sandbox(database=tmp_path / "sandbox.db", options=UNLIMITED) as running:
            monkeypatch.setattr(resend, "api_url", running.url)
            ids.append((await send("k1"))["id"])
            assert len(running.mails()) == 1
    assert ids[0] == ids[1]


async def test_control_shows_mails_and_takes_faults_and_options(sandbox: Sandbox) -> None:
    await send("k1")
    async with httpx.AsyncClient(base_url=f"{sandbox.url}/_control") as control:
        (mail,) = (await control.get("/mails")).json()
        assert (mail["idempotency_key"], mail["from"]) == ("k1", "Dripstream <hello@example.com>")
        assert (await control.get("/mails", params={"after": mail["sequence"]})).json() == []

        planned = await control.post("/faults", json={"api": "resend", "action": "status", "status": 500})
        assert planned.status_code == 201
        assert verdict(await refusal()) == (500, "application_error")
        assert (await control.get("/faults")).json()[0]["used"] == 1
        assert (await control.delete("/faults")).status_code == 204

        assert (await control.post("/options", json={"resend_rate": 1})).json()["resend_rate"] == 1
        assert (await control.post("/options", json={"resend_rat": 1})).status_code == 400
        assert [each["status"] for each in (await control.get("/requests")).json()] == [200, 500]
        assert (await control.post("/reset")).status_code == 204
        assert (await control.get("/counts")).json() == {"mails": 0, "pages": 0, "requests": 0}


async def test_control_does_not_answer_other_sites(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url) as client:
        answer = await client.post("/_control/reset", headers={"origin": "https://example.com"})
    assert answer.status_code == 403


async def test_the_page_shows_mail_but_never_runs_it(sandbox: Sandbox) -> None:
    sent = await send("k1", subject="<script>alert(1)</script>", html="<script>alert(2)</script>")
    async with httpx.AsyncClient(base_url=sandbox.url) as browser:
        page = await browser.get(f"/mail/{sent['id']}")
        mail = await browser.get(f"/mail/{sent['id']}/html")
        inbox, missing = await browser.get("/"), await browser.get("/mail/none")

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "alert(2)" not in page.text
    assert 'sandbox=""' in page.text
    assert mail.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert (inbox.status_code, missing.status_code) == (200, 404)


async def test_a_taken_port_is_an_error_to_the_caller(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match="in use"):
        await Sandbox(port=sandbox.port).start()
