"""The notifier as people start it."""

import json
from collections.abc import AsyncIterator

import pytest

from eventlog import topology
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault
from services.sandbox.options import UNLIMITED
from tests.e2e.people import MARIA
from tests.e2e.processes import Machine, Program
from tests.e2e.site import broker_of, started
from tests.waiting import eventually

SECRET = "t0ken"
HELD = Fault(api="discord", action="timeout_after_accept", delay_s=30)


@pytest.fixture
async def chat() -> AsyncIterator[Sandbox]:
    async with Sandbox(options=UNLIMITED) as sandbox:
        yield sandbox


def webhook(chat: Sandbox) -> str:
    return f"{chat.url}/discord/api/webhooks/12/{SECRET}"


async def test_without_a_webhook_it_refuses_to_start_and_names_the_setting(here: Machine) -> None:
    answer = await here.run("notifier")
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)
    assert "NOTIFY_WEBHOOK_URL" in answer.err


async def test_a_test_message_says_what_came_back(here: Machine, chat: Sandbox) -> None:
    answer = await here.run("notifier", "test", NOTIFY_WEBHOOK_URL=webhook(chat))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "posted: look into the channel (discord form, 127.0.0.1)\n"
    assert [each.text.splitlines()[0] for each in chat.chat()] == ["**Test**"]


async def test_a_test_of_a_deleted_webhook_fails_and_shows_no_address(here: Machine, chat: Sandbox) -> None:
    chat.add_fault(Fault(api="discord", action="status", status=404))
    answer = await here.run("notifier", "test", "--json", NOTIFY_WEBHOOK_URL=webhook(chat))
    assert (answer.code, json.loads(answer.out)) == (
        1,
        {"outcome": "closed", "form": "discord", "host": "127.0.0.1", "reason": "status 404"},
    )
    assert SECRET not in answer.out + answer.err


async def test_up_runs_it_where_a_webhook_is_set_and_says_so(here: Machine, chat: Sandbox) -> None:
    async with started(here, NOTIFY_WEBHOOK_URL=webhook(chat)) as up:
        await up.sign_up(MARIA)
        await eventually(lambda: has_said(chat, 1))
    assert MARIA.first_name in chat.chat()[0].text
    [program] = here.programs
    assert "notifier  discord form, 127.0.0.1" in program.out
    assert SECRET not in program.out + program.err


async def test_up_without_a_webhook_says_that_nobody_is_told(here: Machine) -> None:
    async with started(here):
        pass
    assert "notifier  off (NOTIFY_WEBHOOK_URL is unset" in here.programs[0].out


async def test_up_refuses_a_webhook_that_can_never_work_and_does_not_repeat_it(here: Machine) -> None:
    answer = await here.run("up", NOTIFY_WEBHOOK_URL=f"http://chat.example.com/{SECRET}")
    assert answer.code == 1
    assert "dripstream: NOTIFY_WEBHOOK_URL: only https leaves this machine" in answer.err
    assert SECRET not in answer.out + answer.err


async def test_killed_between_post_and_note_it_comes_back_without_a_second_post_at_once(
    here: Machine, chat: Sandbox
) -> None:
    """The chat has it and its answer was never heard: that much the next notifier can read on the broker."""
    async with started(here) as up:
        notifier = here.start("notifier", NOTIFY_WEBHOOK_URL=webhook(chat), DRIPSTREAM_LOG="json")
        await eventually(lambda: has_logged(notifier, '"started"'))
        await eventually(lambda: has_consumer(here))
        chat.add_fault(HELD)
        await up.sign_up(MARIA)
        await eventually(lambda: has_said(chat, 1))
        await notifier.kill()
        again = here.start("notifier", NOTIFY_WEBHOOK_URL=webhook(chat), DRIPSTREAM_LOG="json")
        await eventually(lambda: has_logged(again, "it may have been posted just now"), timeout=60)
        assert len(chat.chat()) == 1
        assert await again.stop() == 0


async def has_said(chat: Sandbox, number: int) -> bool:
    return len(chat.chat()) >= number


async def has_logged(program: Program, text: str) -> bool:
    return text in program.err


async def has_consumer(here: Machine) -> bool:
    async with broker_of(here) as broker:
        return any(each.name.endswith("> notifier") for each in await topology.check(broker))
