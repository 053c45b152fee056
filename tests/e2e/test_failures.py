"""What failed, as an operator sees it and settles it on the command line."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eventlog.server import NatsServer
from tests.e2e.conftest import FASTER
from tests.e2e.people import MARIA
from tests.e2e.processes import Machine, machine
from tests.e2e.site import Site, started
from tests.e2e.site import site as site_of
from tests.waiting import eventually

FIRST = MARIA.email_id("email-1")


@pytest.fixture
async def site(fast: Machine) -> AsyncIterator[Site]:
    async with started(fast, **FASTER) as running:
        await running.lift_limits()
        yield running


async def failed(here: Machine) -> list[dict[str, Any]]:
    answer = await here.run("failures", "--json")
    assert answer.code == 0, answer.err
    return [json.loads(line) for line in answer.out.splitlines()]


async def test_nothing_failed_is_said(fast: Machine, site: Site) -> None:
    answer = await fast.run("failures")
    assert "nothing failed" in answer.out


async def test_a_failed_email_is_listed_by_reason_and_sent_on_retry(fast: Machine, site: Site) -> None:
    await site.add_fault(
        api="resend", action="status", status=422, name="validation_error", match={"contains": FIRST}, times=1
    )
    await site.sign_up(MARIA)
    await eventually(lambda: any_failed(fast), timeout=30)
    [failure] = await failed(fast)
    assert (failure["id"], failure["kind"], failure["reason"]) == (FIRST, "failed", "validation_error")
    assert "1 × validation_error" in (await fast.run("failures")).out

    assert (await fast.run("retry", FIRST[:12], "--by", "grace", "--why", "mended")).code == 0
    await site.has_finished(MARIA)
    assert not await failed(fast)
    story = (await fast.run("contact", MARIA.email)).out
    assert "by grace: mended" in story


async def any_failed(here: Machine) -> bool:
    return bool(await failed(here))


async def test_what_may_have_been_sent_is_only_retried_on_demand_and_can_be_discarded(
    fast: Machine, site: Site
) -> None:
    await site.add_fault(
        api="resend", action="status", status=409, name="invalid_idempotent_request", match={"contains": FIRST}
    )
    await site.sign_up(MARIA)
    await eventually(lambda: any_failed(fast), timeout=30)
    refused = await fast.run("retry", FIRST)
    assert refused.code == 1
    assert "--even-unknown" in refused.err
    everything = await fast.run("retry", "--all")
    assert "left alone: 1" in everything.out
    assert (await fast.run("discard", "--all", "--why", "called them")).code == 0
    assert not await failed(fast)
    assert FIRST not in {mail.idempotency_key for mail in await site.mails(MARIA)}


async def test_a_revoked_key_pauses_and_resume_goes_on(fast: Machine, site: Site) -> None:
    await site.add_fault(api="resend", action="status", status=403, name="invalid_api_key")
    await site.sign_up(MARIA)
    await eventually(lambda: says_paused(fast), timeout=30)
    answer = await fast.run("resume")
    assert "it was paused: invalid_api_key" in answer.out
    await site.has_finished(MARIA)
    assert "sender was not paused" in (await fast.run("resume", "sender")).out


async def says_paused(here: Machine) -> bool:
    out = (await here.run("failures")).out
    return "sender is paused until" in out and "invalid_api_key" in out


async def test_restored_sets_aside_what_was_due_and_leaves_what_is_not(tmp_path: Path) -> None:
    """Production's delays: the first email is due, the other six are not. Nothing is sent: the sender is off."""
    async with NatsServer(tmp_path / "nats") as nats:
        with machine(tmp_path, NATS_URL=nats.url) as here:
            assert (await here.run("init")).code == 0
            for name in ("sandbox", "ingest", "scheduler"):
                here.start(name)
            async with site_of(here) as running:
                await running.ready()
                await running.sign_up(MARIA)
            await eventually(lambda: is_pending(here, 6), timeout=30)
            answer = await here.run("restored", "--force")
            assert "1 email(s) set aside" in answer.out
            [waiting] = await failed(here)
            assert (waiting["id"], waiting["kind"]) == (FIRST, "unknown")
            assert "backup" in waiting["reason"]


async def is_pending(here: Machine, number: int) -> bool:
    return len((await here.run("pending", "--json")).out.splitlines()) == number


@pytest.mark.parametrize("command", ["retry", "discard"])
async def test_naming_nothing_or_both_is_refused(here: Machine, command: str) -> None:
    for args in ((), ("c1", "--all"), ("c1", "--reason", "x")):
        answer = await here.run(command, *args)
        assert answer.code == 2
        assert "--all" in answer.err
