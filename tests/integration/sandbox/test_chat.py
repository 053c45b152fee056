"""The stand-ins for Discord's and Slack's webhooks take and refuse what the real ones do."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault
from services.sandbox.options import SandboxOptions

DISCORD, SLACK = "/discord/api/webhooks/12/t0ken", "/slack/services/T0/B0/t0ken"


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.url) as client:
        yield client


async def test_discord_answers_with_the_message_only_to_who_waits(client: httpx.AsyncClient) -> None:
    assert (await client.post(DISCORD, json={"content": "hi"})).status_code == 204
    answer = await client.post(f"{DISCORD}?wait=true", json={"content": "hi"})
    assert (answer.status_code, answer.json()["content"], answer.json()["webhook_id"]) == (200, "hi", "12")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 50006), ({"content": "  "}, 50006), ({"text": "Slack's word"}, 50006), ({"content": "x" * 2001}, 50035),
        ({"content": "\U0001f600" * 1001}, 50035), ({"content": 1}, 50035), ({"content": "x", "flags": 1}, 50035),
        ({"content": "x", "allowed_mentions": {"parse": ["all"]}}, 50035),
    ],
)  # fmt: skip
async def test_discord_refuses_what_it_cannot_show(client: httpx.AsyncClient, body: dict[str, Any], code: int) -> None:
    answer = await client.post(DISCORD, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_discord_takes_two_thousand_characters(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    assert (await client.post(DISCORD, json={"content": "x" * 2000})).status_code == 204
    assert (await client.get("/_control/chat")).json()[0]["text"] == "x" * 2000
    assert [each.calls for each in sandbox.chat()] == [()]


async def test_who_a_message_calls_is_kept_with_it(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await client.post(DISCORD, json={"content": "@here <@7>"})
    await client.post(DISCORD, json={"content": "@here <@7>", "allowed_mentions": {"parse": ["users"]}})
    await client.post(SLACK, json={"text": "<!channel> &lt;!here&gt;"})
    assert [each.calls for each in sandbox.chat()] == [("@here", "<@7>"), ("<@7>",), ("<!channel>",)]


async def test_slack_answers_in_a_word(client: httpx.AsyncClient) -> None:
    said = [
        await client.post(SLACK, json={"text": "hi"}),
        await client.post(SLACK, json={}),
        await client.post(SLACK, content=b"{"),
    ]
    assert [(each.status_code, each.text) for each in said] == [
        (200, "ok"), (400, "no_text"), (400, "invalid_payload"),
    ]  # fmt: skip


async def test_both_say_how_long_to_wait(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.options = SandboxOptions()
    discord = [await client.post(DISCORD, json={"content": "hi"}) for _ in range(6)][-1]
    slack = [await client.post(SLACK, json={"text": "hi"}) for _ in range(3)][-1]
    assert (discord.status_code, discord.json()["retry_after"], discord.json()["global"]) == (429, 1.0, False)
    assert (slack.status_code, slack.text, slack.headers["retry-after"]) == (429, "rate_limited", "1")


@pytest.mark.parametrize(
    ("fault", "path", "said"),
    [
        (Fault(api="discord", action="status", status=404), DISCORD, '"code":10015'),
        (Fault(api="discord", action="status", status=401), DISCORD, '"code":50027'),
        (Fault(api="discord", action="status", status=429, retry_after=2.5), DISCORD, '"retry_after":2.5'),
        (Fault(api="slack", action="status", status=404), SLACK, "no_service"),
        (Fault(api="slack", action="status", status=410), SLACK, "channel_is_archived"),
    ],
)
async def test_trouble_on_request_is_worded_as_theirs(
    client: httpx.AsyncClient, sandbox: Sandbox, fault: Fault, path: str, said: str
) -> None:
    sandbox.add_fault(fault)
    answer = await client.post(path, json={"content": "hi", "text": "hi"})
    assert (answer.status_code, said in answer.text) == (fault.status, True)
    assert sandbox.chat() == []
