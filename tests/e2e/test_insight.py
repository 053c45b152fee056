"""`dripstream stats` and `doctor` as an operator runs them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from contracts.base import Fact
from contracts.operations import Answers, WebhooksCounted
from eventlog import topology
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.server import NatsServer
from tests.e2e.processes import Answer, Machine
from tests.e2e.site import broker_of, started
from tests.factories import CAMPAIGN, make_bounced, make_delivered, make_email_sent, make_signup

GRACE = "grace@example.com"
NOW = datetime.now(UTC)


@pytest.fixture
async def site(here: Machine) -> AsyncIterator[Machine]:
    async with NatsServer(here.folder / "nats") as nats:
        here.environment["NATS_URL"] = nats.url
        yield here


@pytest.fixture
async def broker(site: Machine) -> AsyncIterator[Broker]:
    async with broker_of(site) as broker:
        await topology.init(broker)
        yield broker


async def happen(broker: Broker, *facts: Fact) -> None:
    for fact in facts:
        await EventLog(broker).append(fact)


def lines(answer: Answer) -> list[dict[str, object]]:
    return [json.loads(line) for line in answer.out.splitlines()]


def by(name: str, answer: Answer) -> dict[object, dict[str, object]]:
    return {each[name]: each for each in lines(answer)}


async def test_stats_count_each_step_and_the_total(site: Machine, broker: Broker) -> None:
    await happen(broker, make_signup(), make_email_sent(), make_delivered(), make_signup(GRACE))
    answer = await site.run("stats", "--json")
    assert (answer.code, answer.err) == (0, "")
    steps = by("step", answer)
    assert (steps["email-1"]["pending"], steps["email-1"]["sent"], steps["email-1"]["delivered"]) == (1, 1, 1)
    assert (steps["email-2"]["pending"], steps["email-2"]["sent"]) == (2, 0)
    assert (steps[None]["planned"], steps[None]["pending"], steps[None]["sent"]) == (14, 13, 1)
    assert steps[None]["rates"] == {
        "delivered": 1.0, "bounced": 0.0, "opened": 0.0, "clicked": 0.0, "complained": 0.0
    }  # fmt: skip
    table = await site.run("stats", "--campaign", CAMPAIGN)
    assert "1 100.0%" in table.out
    narrow = (await site.run("stats", COLUMNS="80")).out.splitlines()
    assert narrow[0].split() == ["planned", "pending", "sent", "skipped", "failed", "delivered", "opened", "clicked"]
    assert narrow[-2].split() == ["total", "14", "13", "1", "·", "·", "1", "·", "·"]
    assert narrow[-1].split() == ["100.0%"]
    assert max(map(len, narrow)) <= 80


async def test_stats_of_a_later_time_or_another_campaign_leave_the_rest_out(site: Machine, broker: Broker) -> None:
    await happen(broker, make_signup(), make_email_sent())
    later = await site.run("stats", "--json", "--since", f"{NOW + timedelta(days=1):%Y-%m-%d}")
    assert by("step", later)[None]["sent"] == 0
    other = await site.run("stats", "--campaign", "no-such")
    assert other.code == 1
    assert CAMPAIGN in other.err


async def test_targets_without_data_are_not_measured_and_no_failure(site: Machine, broker: Broker) -> None:
    answer = await site.run("stats", "--targets", "--json")
    assert answer.code == 0, answer.err
    assert {each["state"] for each in lines(answer)} == {"not measured yet"}
    assert [each["target"] for each in lines(answer)] == ["delivery", "webhooks", "answers", "duplicates"]


async def test_a_target_that_is_not_held_is_exit_code_1(site: Machine, broker: Broker) -> None:
    answers = {"signup": Answers(accepted=500, slow=2, slowest_ms=900)}
    await happen(
        broker,
        WebhooksCounted(at=NOW, process="p", since=NOW - timedelta(minutes=10), routes=answers),
        make_signup(), make_email_sent(), make_bounced(),
        make_signup(GRACE), make_email_sent(email=GRACE),
        make_delivered(email=GRACE, webhook="w1"), make_delivered(email=GRACE, webhook="w2", provider_id="re_2"),
    )  # fmt: skip
    answer = await site.run("stats", "--targets", "--json")
    assert answer.code == 1
    targets = by("target", answer)
    assert {name: each["held"] for name, each in targets.items()} == {
        "delivery": False, "webhooks": True, "answers": True, "duplicates": False
    }  # fmt: skip
    assert (targets["delivery"]["value"], targets["delivery"]["cases"]) == (0.5, 2)
    assert targets["webhooks"]["since"]
    assert targets["delivery"]["since"] is None
    table = (await site.run("stats", "--targets")).out
    assert "not held" in table
    assert "900 slowest ms" in table


async def test_facts_of_a_newer_version_are_said_to_be_left_out(site: Machine, broker: Broker) -> None:
    await happen(broker, make_signup())
    contact = make_signup().contact
    await broker.nc.request(f"events.{contact}.from_the_future.x", b'{"type": "from_the_future"}', timeout=20)
    answer = await site.run("stats", "--json")
    assert answer.code == 1
    assert "left out: 1 people" in answer.err


async def test_doctor_on_a_new_machine_says_what_is_to_be_done_first(here: Machine) -> None:
    answer = await here.run("doctor", "--json")
    assert answer.code == 1
    found = by("check", answer)
    assert found["NATS"]["state"] == "trouble"
    assert "dripstream up" in str(found["NATS"]["do"])
    assert found["campaigns"]["state"] == "ok"
    assert {found[name]["state"] for name in ("Resend key", "Notion", "webhook secrets")} == {"warning"}


async def test_doctor_prints_a_table_with_what_to_do(site: Machine, broker: Broker) -> None:
    answer = await site.run("doctor")
    assert answer.code == 1, "no service is running"
    assert "no sender is listening" in answer.out
    assert "→ start it: `dripstream sender`" in answer.out


async def test_doctor_finds_no_trouble_in_a_running_up(here: Machine) -> None:
    """Warnings only: there is no account anywhere, and nothing is signed."""
    async with started(here):
        answer = await here.run("doctor", "--json")
    assert [each for each in lines(answer) if each["state"] == "trouble"] == []
    assert answer.code == 0
    found = by("check", answer)
    assert {found[name]["state"] for name in ("NATS", "sender", "disk", "sync_interval", "storage")} == {"ok"}
