"""`dripstream up` at its start and its end: what it says, what it refuses, and how it stops."""

import signal
import socket
import time
from collections.abc import Iterator

import pytest

from tests.e2e.people import MARIA
from tests.e2e.processes import Answer, Machine, Program
from tests.e2e.site import started

STOP_S = 5
SECRET = "whsec_" + "c2VjcmV0" * 4


def said(program: Program) -> list[str]:
    return [" ".join(line.split()) for line in program.out.splitlines()]


async def test_up_says_first_that_resend_and_notion_are_stand_ins(here: Machine) -> None:
    async with started(here):
        nats, resend, notion, *_ = said(here.programs[0])
    assert nats.startswith("NATS real embedded nats-server at nats://127.0.0.1:")
    assert resend.startswith(f"Resend stand-in http://127.0.0.1:{here.sandbox_port} (RESEND_API_KEY is unset")
    assert notion.startswith(f"Notion stand-in http://127.0.0.1:{here.sandbox_port} (NOTION_TOKEN is unset")


async def test_with_a_key_up_says_that_resend_is_real_and_sends_there(fast: Machine) -> None:
    url = f"http://127.0.0.1:{fast.sandbox_port}"
    fast.environment |= {"RESEND_API_KEY": "re_x", "RESEND_API_URL": url}
    async with started(fast) as up:
        await up.sign_up(MARIA)
        await up.has_sent(1)
    _, resend, notion, *_ = said(fast.programs[0])
    assert resend == f"Resend real {url}"
    assert notion.startswith("Notion stand-in")


async def test_no_key_or_token_is_ever_said(here: Machine) -> None:
    url = f"http://127.0.0.1:{here.sandbox_port}"
    here.environment |= {"RESEND_API_KEY": "re_secret1", "RESEND_API_URL": url, "SIGNUP_WEBHOOK_SECRET": SECRET}
    async with started(here) as up:
        answer = await up.webhooks.post("/webhook/christmas-signup", json=MARIA.form())
        assert answer.status_code == 401
    for text in (here.programs[0].out, here.programs[0].err, answer.text):
        assert "re_secret1" not in text
        assert SECRET not in text


async def test_ctrl_c_mid_journey_stops_everything_within_5_s(fast: Machine) -> None:
    async with started(fast) as up:
        await up.sign_up(MARIA)
        await up.has_sent(2)
        began = time.monotonic()
        assert await fast.programs[0].stop(signal.SIGINT, within_s=STOP_S) == 0
        assert time.monotonic() - began < STOP_S
        assert fast.processes() == []


async def test_a_second_up_on_the_same_folder_is_refused(here: Machine) -> None:
    async with started(here) as first:
        answer = await here.run("up", "--port", "0", "--sandbox-port", "0")
        assert_refused(answer, f"another dripstream runs on {here.data}", "--data-dir")
        await first.ready()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("option", ["--port", "--sandbox-port"])
async def test_a_taken_port_is_one_clear_line_and_exit_1(here: Machine, taken: int, option: str) -> None:
    answer = await here.run("up", option, str(taken))
    assert_refused(answer, str(taken), "in use")
    assert here.processes() == []


async def test_ingest_alone_on_a_taken_port_says_so(here: Machine, taken: int) -> None:
    async with started(here):
        answer = await here.run("ingest", "--port", str(taken))
    assert_refused(answer, str(taken), "in use")


async def test_the_sandbox_alone_on_a_taken_port_says_so(here: Machine, taken: int) -> None:
    assert_refused(await here.run("sandbox", "--sandbox-port", str(taken)), str(taken), "in use")


async def test_without_a_broker_a_service_says_what_is_missing(here: Machine) -> None:
    assert_refused(await here.run("scheduler"), "no NATS", "NATS_URL", "dripstream up")


def assert_refused(answer: Answer, *words: str) -> None:
    """One line that names the cause, and exit code 1; a service that had begun may have logged before."""
    said = [line for line in answer.err.splitlines() if not line.startswith("{")]
    assert answer.code == 1
    assert len(said) == 1, answer.err
    assert said[0].startswith("dripstream: ")
    for word in words:
        assert word in said[0]
    assert "Traceback" not in answer.err
    assert "service_restarts" not in answer.err
