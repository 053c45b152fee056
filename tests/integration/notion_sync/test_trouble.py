"""Notion says no, or nothing: later it is in line all the same."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from eventlog.connection import Broker
from eventlog.outcomes import Done, Pause, Retry
from services.notion_sync import api
from services.notion_sync.handlers import Shell, prepare
from services.notion_sync.turns import HOLD_S
from services.notion_sync.upsert import IN_DOUBT
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from tests.factories import make_signup
from tests.integration.notion_sync.kit import Clock, Make, append, counts, happen, sequence_rows, until, wake

TROUBLE = [
    Fault("notion", "status", status=429, retry_after=120),
    Fault("notion", "status", status=500),
    Fault("notion", "status", status=529, name="service_overload"),
    Fault("notion", "status", status=409),
    Fault("notion", "non_json", status=502),
    Fault("notion", "timeout_before_accept"),
]


@pytest.mark.parametrize("fault", TROUBLE, ids=lambda fault: f"{fault.action} {fault.status}")
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/databases/*"), ("POST", "*/query"), ("POST", "/v1/pages")])
async def test_trouble_passes(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock, fault: Fault, method: str, path: str
) -> None:
    match = Match(method, path)
    sandbox.add_fault(
        Fault("notion", fault.action, match, fault.status, name=fault.name, retry_after=fault.retry_after)
    )
    outcome = await happen(broker, shell, make_signup())
    attempts = 1
    while isinstance(outcome, Retry | Pause) and attempts < 5:
        attempts += 1
        clock.advance(outcome.after_s if isinstance(outcome, Retry) else outcome.for_s)
        outcome = await wake(shell, make_signup(), attempt=attempts)
    assert isinstance(outcome, Done)
    assert counts(sandbox) == (1, 1)


async def test_while_told_to_wait_nothing_is_asked(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.add_fault(Fault("notion", "status", Match("POST", "/v1/pages"), status=429, retry_after=120))
    assert await happen(broker, shell, make_signup()) == Pause(
        120, "Email Sequence: rate_limited (429)", label="notion"
    )
    asked = len(sandbox.requests())
    clock.advance(100)
    other = make_signup("bob@example.com")
    waited = "Email Sequence: left in peace after rate_limited (429)"
    assert await happen(broker, shell, other) == Pause(20, waited, label="notion")
    assert len(sandbox.requests()) == asked
    clock.advance(20)
    assert isinstance(await wake(shell, make_signup(), attempt=2), Done)  # a refused create is in no doubt


async def test_a_call_that_takes_too_long_is_given_up(
    broker: Broker, make_shell: Make, sandbox: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "TIMEOUT_S", 3)  # every other call is answered in time, though this process stands still
    shell = make_shell()
    sandbox.add_fault(Fault("notion", "slow", Match("POST", "/v1/pages"), delay_s=4))
    first = await happen(broker, shell, make_signup())
    assert first == Retry(1.0, "BusinessX Canada: left in peace after ReadTimeout", label="notion")
    await until(lambda: any(entry.fault for entry in sandbox.requests()))
    clock.advance(IN_DOUBT.total_seconds())
    assert isinstance(await wake(shell, make_signup(), attempt=2), Done)
    assert counts(sandbox) == (1, 1)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_stops_everything(broker: Broker, shell: Shell, sandbox: Sandbox, status: int) -> None:
    sandbox.add_fault(Fault("notion", "status", status=status, times=9))
    assert isinstance(await happen(broker, shell, make_signup()), Pause)
    assert len(sandbox.requests()) == 1


async def test_trouble_holds_everybody_back_longer_each_time_and_one_asks_for_all(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    """Thirty people, five minutes of 503: a handful of calls, and everything is right once it answers."""
    sandbox.add_fault(Fault("notion", "status", status=503, times=9_999))
    people = [make_signup(f"p{n}@example.com") for n in range(30)]
    ended, waits = clock() + timedelta(minutes=5), list[float]()
    await append(broker, *people)
    while clock() < ended:
        outcomes = [await wake(shell, person) for person in people]
        waits.append(max(each.after_s if isinstance(each, Retry) else each.for_s for each in outcomes))  # type: ignore[union-attr]
        clock.advance(waits[-1])
    assert waits[:5] == [*HOLD_S, HOLD_S[-1]]
    assert len(sandbox.requests()) == len(waits)
    sandbox.state.faults.clear()
    assert all([isinstance(await wake(shell, person), Done) for person in people])
    assert counts(sandbox) == (30, 30)


async def test_a_conflict_is_about_one_page_and_holds_nobody_back(
    broker: Broker, shell: Shell, sandbox: Sandbox
) -> None:
    sandbox.add_fault(Fault("notion", "status", Match("POST", "/v1/pages", "ada@"), status=409, times=2))
    assert isinstance(await happen(broker, shell, make_signup()), Retry)
    assert isinstance(await happen(broker, shell, make_signup("bob@example.com")), Done)
    assert len(sequence_rows(sandbox)) == 1


async def test_one_page_that_notion_chokes_on_holds_up_nobody_else(
    broker: Broker, shell: Shell, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.add_fault(Fault("notion", "status", Match("POST", "/v1/pages", "ada@"), status=500, times=9_999))
    for n in range(5):
        assert not isinstance(await happen(broker, shell, make_signup(), attempt=n + 1), Done | Pause)
        clock.advance(HOLD_S[0])
        assert isinstance(await happen(broker, shell, make_signup(f"p{n}@example.com")), Done)
        clock.advance(60)
    assert counts(sandbox) == (5, 5)


async def test_notion_may_be_away_at_the_start(
    broker: Broker, make_shell: Make, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.add_fault(Fault("notion", "reset", times=1))
    shell = make_shell()
    with capture_logs() as logs:
        await prepare(shell)
    assert [log["event"] for log in logs] == ["notion_not_ready"] * 2
    clock.advance(HOLD_S[0])
    assert isinstance(await happen(broker, shell, make_signup()), Done)
