"""Whatever Notion does, in the end it shows what the log says: one page a person and database, every field right."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from contracts.facts import AnyFact
from eventlog.connection import Broker
from services.notion_sync import api
from services.notion_sync.turns import HOLD_S
from services.notion_sync.upsert import CLOSED_S, WRONG_S
from services.sandbox.faults import Action, Fault, Match
from services.sandbox.options import UNLIMITED, SandboxOptions
from services.sandbox.seed import EMAIL_SEQUENCE_DATA_SOURCE_ID, EMAIL_SEQUENCE_DB_ID
from tests.e2e.people import STEPS
from tests.factories import (
    at,
    make_attempt_failed,
    make_booking_created,
    make_chain,
    make_email_failed,
    make_email_sent,
    make_email_skipped,
    make_signup,
)
from tests.faults.notion_stage import SLOTS, Stage, change, retype, stage_on
from tests.waiting import eventually

SEQUENCES, CONTACTS = "Email Sequence", "BusinessX Canada"
SOURCE = EMAIL_SEQUENCE_DATA_SOURCE_ID
CREATE, UPDATE, QUERY = Match("POST", "/v1/pages"), Match("PATCH", "/v1/pages/*"), Match("POST", "*/query")
SEEDS = [int(seed) for seed in os.environ.get("NOTION_TROUBLE_SEEDS", "2026").split(",")]
ANYTHING = Match()
ALWAYS = 99_999


@pytest.fixture
async def stage(broker: Broker) -> AsyncIterator[Stage]:
    async with stage_on(broker) as made:
        yield made


def crowd(number: int, name: str = "p") -> list[str]:
    return [f"{name}{n}@example.com" for n in range(number)]


def fault(action: Action, match: Match = ANYTHING, **more: Any) -> Fault:
    return Fault("notion", action, match, **more)


def seconds_since(stage: Stage, began: datetime) -> float:
    """By the clock of the stage, which a machine that stands still lets run on."""
    return (stage.clock() - began).total_seconds()


# --- told to wait


@pytest.mark.parametrize(("after_s", "times"), [(180, 1), (60, 12)], ids=["once, for minutes", "again and again"])
async def test_told_to_wait_the_whole_service_waits_and_goes_on_by_itself(
    stage: Stage, after_s: int, times: int
) -> None:
    stage.sandbox.add_fault(fault("status", QUERY, status=429, retry_after=after_s, times=times))
    await stage.append(*(make_signup(email) for email in crowd(20)))
    async with stage.at_work():
        await stage.caught_up()
    told = stage.requests(status=429)
    assert len(told) == times
    waits = [told[0].at]
    for each in told:  # those that were on their way when the first was told do not count
        if each.at >= waits[-1] + timedelta(seconds=after_s):
            waits.append(each.at)
    for start in waits:
        asked = [each for each in stage.requests() if start < each.at < start + timedelta(seconds=after_s)]
        assert len(asked) < 2 * SLOTS, "no more than what was on its way; twenty people would ask many times that"
    assert await stage.differences() == []


# --- every kind of trouble, on every kind of call

TROUBLES = [
    fault("status", status=500),
    fault("status", status=503),
    fault("status", status=503, name="database_connection_unavailable"),
    fault("status", status=529),
    fault("status", status=504),
    fault("status", status=409),
    fault("status", status=429),
    fault("non_json", status=502),
    fault("reset"),
    fault("timeout_before_accept"),
    fault("timeout_after_accept"),
    fault("slow", delay_s=0.7),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: f"{each.action} {each.name or each.status}")
async def test_trouble_with_any_call_leaves_one_page_a_row_with_every_field_right(
    stage: Stage, trouble: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On creates, on updates and on queries; `slow` is done after we have given up."""
    slow = trouble.action == "slow"
    monkeypatch.setattr(api, "TIMEOUT_S", 0.3 if slow else 30)
    stage.sandbox.options = SandboxOptions(notion_rate=None, notion_query_lag_s=0 if slow else 20)
    people = crowd(4)
    await stage.append(make_signup("known@example.com"))
    async with stage.at_work():
        await stage.caught_up()
        for match in (QUERY, CREATE, UPDATE):
            stage.sandbox.add_fault(
                fault(trouble.action, match, status=trouble.status, name=trouble.name, delay_s=trouble.delay_s, times=2)
            )
        await stage.append(make_email_sent(email="known@example.com"), *(make_signup(email) for email in people))
        await stage.caught_up()
        await stage.append(*(make_email_sent(email=email) for email in people))
        await stage.caught_up()
    assert [each.used for each in stage.sandbox.state.faults.all] == [2, 2, 2]
    assert await stage.differences() == []


async def test_a_notion_that_is_away_is_asked_rarely_and_everything_is_caught_up(stage: Stage) -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    stage.sandbox.add_fault(fault("status", status=503, times=ALWAYS))
    await stage.append(*(make_signup(email) for email in crowd(30)))
    async with stage.at_work():
        began = stage.clock()
        while stage.clock() < began + timedelta(minutes=5):
            await stage.append(make_email_sent(dice.choice(STEPS), dice.choice(crowd(30))))
            await asyncio.sleep(0.02)
        asked, away_s = len(stage.requests()), seconds_since(stage, began)
        stage.sandbox.state.faults.clear()
        await stage.caught_up()
    assert asked <= SLOTS * (len(HOLD_S) + away_s / HOLD_S[-1])
    assert await stage.differences() == []


# --- what people do to a database


def break_columns(stage: Stage, how: str) -> str:
    """What the log must say of it."""
    if how == "deleted":
        change(stage, SOURCE, Segment=None)
        return "column 'Segment' is missing"
    retype(stage, SOURCE, "Segment", how)
    return f"column 'Segment' is {how}, not select"


def put_right(stage: Stage, how: str) -> None:
    if how == "deleted":
        change(stage, SOURCE, Segment={"select": {}})
    else:
        retype(stage, SOURCE, "Segment", "select")


async def test_a_renamed_column_goes_on_being_written(stage: Stage) -> None:
    before, after = crowd(6), crowd(6, "q")
    await stage.append(*(make_signup(email) for email in before))
    async with stage.at_work(2):
        await stage.caught_up()
        change(stage, SOURCE, Segment={"name": "Group"})
        await stage.append(make_email_sent(email=before[0]), *(make_signup(email) for email in after))
        await stage.caught_up()
    assert [row["Group"] for row in stage.rows()[SEQUENCES]] == ["CRITICAL"] * 12
    change(stage, SOURCE, Group={"name": "Segment"})
    assert await stage.differences() == []


@pytest.mark.parametrize("how", ["deleted", "rich_text", "status"])
async def test_a_column_that_is_changed_and_put_right_again_is_filled_in_every_row(stage: Stage, how: str) -> None:
    """Also in rows that had nothing new to show meanwhile."""
    before, after = crowd(6), crowd(6, "q")
    await stage.append(*(make_signup(email) for email in before))
    async with stage.at_work(2):
        await stage.caught_up()
        problem = break_columns(stage, how)
        with capture_logs() as logs:
            await stage.append(make_email_sent(email=before[0]), *(make_signup(email) for email in after))
            await stage.shows(CONTACTS, 12)  # the other database goes on
            await eventually(lambda: says(logs, "notion_database_does_not_fit"))
        named = {tuple(log["problems"]) for log in logs if log["event"] == "notion_database_does_not_fit"}
        assert named == {(problem,)}
        assert len(stage.rows()[SEQUENCES]) == 6
        put_right(stage, how)
        await stage.caught_up()
    assert await stage.differences() == []


async def says(logs: Sequence[Mapping[str, Any]], event: str) -> bool:
    return any(log["event"] == event for log in logs)


async def test_a_database_that_is_not_shared_for_a_while_holds_up_only_itself(stage: Stage) -> None:
    await stage.append(*(make_signup(email) for email in crowd(5)))
    async with stage.at_work():
        await stage.caught_up()
        stage.sandbox.options = SandboxOptions(notion_rate=None, notion_unshared=(EMAIL_SEQUENCE_DB_ID,))
        asked, began = len(stage.requests()), stage.clock()
        with capture_logs() as logs:
            await stage.append(*(make_email_sent(email=email) for email in crowd(5)))
            await stage.append(*(make_signup(email) for email in crowd(5, "q")))
            await stage.shows(CONTACTS, 10)
            await eventually(lambda: says(logs, "notion_database_does_not_fit"))
        assert not any(log["event"] == "notion_page_gone" for log in logs)
        missed = [each for each in stage.requests()[asked:] if each.status == 404]
        assert len(missed) < 5 * SLOTS * (1 + seconds_since(stage, began) / WRONG_S)
        stage.sandbox.options = UNLIMITED
        await stage.caught_up()
    assert await stage.differences() == []


async def test_a_revoked_token_stops_everything_until_it_is_given_back(stage: Stage) -> None:
    await stage.append(*(make_signup(email) for email in crowd(10)))
    async with stage.at_work():
        await stage.caught_up()
        stage.sandbox.add_fault(fault("status", status=401, times=ALWAYS))
        began = stage.clock()
        await stage.append(*(make_email_sent(email=email) for email in crowd(10)))
        await eventually(lambda: was_refused(stage, began))
        refused, closed_s = len(stage.requests(status=401)), seconds_since(stage, began)
        assert refused <= SLOTS * (1 + closed_s / CLOSED_S)
        stage.sandbox.state.faults.clear()
        await stage.caught_up()
    assert await stage.differences() == []


async def was_refused(stage: Stage, began: datetime) -> bool:
    """For five minutes, and more than once."""
    return seconds_since(stage, began) >= 300 and len(stage.requests(status=401)) >= 2


async def test_a_page_thrown_away_is_left_alone_and_is_right_again_after_it_was_restored(stage: Stage) -> None:
    ada, bob = crowd(2)
    await stage.append(make_signup(ada), make_signup(bob))
    async with stage.at_work():
        await stage.caught_up()
        page = next(str(row["id"]) for row in stage.sandbox.notion_rows()[SEQUENCES] if row["Email"] == ada)
        await stage.person.pages.update(page, in_trash=True)
        with capture_logs() as logs:
            await stage.append(*(make_email_sent(email=email) for email in (ada, bob)))
            await stage.caught_up()
        assert [log["page"] for log in logs if log["event"] == "notion_page_gone"] == [page]
        assert [row["in_trash"] for row in stage.rows()[SEQUENCES]] == [True, False]
        await stage.person.pages.update(page, in_trash=False)
        await stage.append(make_email_sent("email-2", ada))
        await stage.caught_up()
    assert await stage.differences() == []


async def test_a_row_refused_for_good_stops_no_other_row(stage: Stage) -> None:
    stage.sandbox.add_fault(fault("status", Match("POST", "/v1/pages", "p0@"), status=400, times=ALWAYS))
    with capture_logs() as logs:
        await stage.append(*(make_signup(email) for email in crowd(10)))
        async with stage.at_work():
            await stage.shows(SEQUENCES, 9)
            await stage.shows(CONTACTS, 9)
            stage.sandbox.state.faults.clear()
            await stage.caught_up()
    assert len([log for log in logs if log["event"] == "notion_row_refused"]) == 2
    assert await stage.differences() == []


# --- all of it


def life(number: int, dice: random.Random) -> list[AnyFact]:
    """Somebody's facts, in the order they happen."""
    email = f"life{number}@example.com"
    name = dice.choice(["Ada", "Zoë 🎄", "<b>Bob</b>", "O'Neil, Jr.", "x" * 3_000, "שלום"])
    facts: list[AnyFact] = []
    if dice.random() < 0.85:
        facts.append(make_signup(email, first_name=name, assessment_score=dice.randint(0, 100)))
        facts += [_email(n, email, dice) for n in range(1, dice.randint(1, 8))]
    if dice.random() < 0.3:
        facts.append(make_signup(email, first_name=name, at=at(hours=30), gps_score=dice.randint(0, 100)))
    if not facts or dice.random() < 0.6:
        fates = dice.choice(
            [(), ("moved",), ("moved", "cancelled"), ("ended",), ("missed",), ("moved", "moved", "ended")]
        )
        facts += (
            make_chain(*fates, email=email, uid=f"u{number}-") if fates else [make_booking_created(f"u{number}", email)]
        )
    return facts


def _email(number: int, email: str, dice: random.Random) -> AnyFact:
    step, when = f"email-{number}", at(hours=number)
    match dice.randint(1, 16):
        case 1:
            return make_email_skipped(step, email, at=when)
        case 2:
            return make_email_failed(step, email, at=when)
        case 3:
            return make_attempt_failed(step, email, at=when)
    return make_email_sent(step, email, at=when)


def random_trouble(dice: random.Random) -> Fault:
    action: Action = dice.choice(
        ["status", "status", "non_json", "reset", "timeout_before_accept", "timeout_after_accept", "slow"]
    )
    return fault(
        action,
        dice.choice([Match(), CREATE, UPDATE, QUERY, Match("GET")]),
        status=dice.choice([401, 409, 429, 500, 503, 504, 529]) if action == "status" else 502,
        retry_after=dice.choice([None, 1, 20, 90]),
        delay_s=dice.choice([0.0, 0.2]),
        times=dice.choice([1, 1, 2, 4]),
    )


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_troubles_together_and_two_services_lose_and_double_nothing(broker: Broker, seed: int) -> None:
    """Sixty people with everything that happens to somebody, trouble all the time, columns taken away in between."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    lives = [life(number, dice) for number in range(60)]
    options = SandboxOptions(resend_rate=None, notion_rate=20, notion_burst=60, notion_query_lag_s=5)
    async with stage_on(broker, options, speed=60) as stage:
        async with stage.at_work(2):
            while any(lives):
                for each in dice.sample(lives, 20):
                    await stage.append(*(each.pop(0) for _ in range(min(len(each), dice.randint(0, 3)))))
                stage.sandbox.add_fault(random_trouble(dice))
                if dice.random() < 0.2:
                    how = dice.choice(["renamed", "deleted"])
                    break_columns(stage, how)
                    await stage.append(make_signup(f"between{len(stage.facts)}@example.com"))
                    put_right(stage, how)
            await stage.caught_up()
            await stage.looked(2)
            await stage.caught_up()
        struck = sum(each.used for each in stage.sandbox.state.faults.all)
        assert struck >= 20
        stage.sandbox.options = UNLIMITED
        assert await stage.differences() == []
