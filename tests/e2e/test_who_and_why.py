"""Whatever changes something is a fact, with who and why."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from contracts import subjects
from contracts.operations import OPERATIONS, OperatorActed
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.parked import ParkingLot
from eventlog.server import NatsServer
from tests.e2e.processes import Machine
from tests.e2e.site import broker_of
from tests.factories import ADA, CAMPAIGN, NOW, make_email_failed, make_email_id, make_signup

BY = ("--by", "grace", "--why", "asked by phone")
FAILED = make_email_id("email-1")


@pytest.fixture
async def site(here: Machine) -> AsyncIterator[Machine]:
    async with NatsServer(here.folder / "nats") as nats:
        here.environment["NATS_URL"] = nats.url
        assert (await here.run("init", *BY)).code == 0
        yield here


@pytest.fixture
async def broker(site: Machine) -> AsyncIterator[Broker]:
    async with broker_of(site) as broker:
        yield broker


async def diary(broker: Broker) -> list[tuple[str, str, str, str]]:
    facts = await EventLog(broker).history(OPERATIONS)
    return [(each.did, each.about, each.by, each.why) for each in facts if isinstance(each, OperatorActed)]


@pytest.mark.parametrize(
    ("tag", "command"),
    [
        ("operator_held", ("hold", ADA)),
        ("operator_cancelled", ("cancel", ADA, "--step", "email-2")),
        ("operator_hurried", ("send-now", ADA, "--step", "email-2")),
        ("operator_retried", ("retry", FAILED)),
        ("operator_discarded", ("discard", "--all")),
        ("service_paused", ("pause", "sender", "--for", "1h")),
        ("triggered", ("trigger", CAMPAIGN, "paid", ADA)),
    ],
)
async def test_what_an_operator_decides_says_who_and_why(
    site: Machine, broker: Broker, tag: str, command: tuple[str, ...]
) -> None:
    log = EventLog(broker)
    await log.append(make_signup())
    await log.append(make_email_failed())
    assert (await site.run(*command, *BY)).code == 0
    answer = await site.run("export", "--type", tag, "--json")
    [fact] = [json.loads(line)["fact"] for line in answer.out.splitlines()]
    assert (fact["by"], fact["why"]) == ("grace", "asked by phone")


async def test_init_is_a_fact_when_it_makes_or_changes_something_and_else_none(site: Machine, broker: Broker) -> None:
    [(did, about, *who)] = await diary(broker)
    assert (did, who) == ("init", ["grace", "asked by phone"])
    assert "EVENTS created" in about
    await site.run("init", *BY)
    assert len(await diary(broker)) == 1
    config = (await broker.js.stream_info(subjects.EVENTS)).config
    await broker.js.update_stream(replace(config, max_msg_size=1024))
    await site.run("init", *BY)
    assert len(await diary(broker)) == 1
    await site.run("init", "--apply", *BY)
    assert (await diary(broker))[-1] == ("init", "EVENTS updated", "grace", "asked by phone")


@pytest.mark.parametrize(
    ("command", "did", "about"),
    [
        (("replay", "scheduler", "--force"), "replay", "scheduler"),
        (("restored", "--force", "--down-since", "2026-01-01"), "restored", "down since 2026-01-01T00:00:00+00:00"),
    ],
)
async def test_what_is_done_to_the_whole_is_in_the_diary(
    site: Machine, broker: Broker, command: tuple[str, ...], did: str, about: str
) -> None:
    assert (await site.run(*command, *BY)).code == 0
    assert (await diary(broker))[-1] == (did, about, "grace", "asked by phone")
    tail = await site.run("export", "--type", "operator_acted", "--format", "csv")
    assert tail.out.splitlines()[-1].count("grace") == 2, "in its column, and in the fact"


async def test_who_is_the_person_behind_sudo(site: Machine, broker: Broker) -> None:
    assert (await site.run("replay", "scheduler", "--force", SUDO_USER="ada")).code == 0
    assert (await diary(broker))[-1][2] == "ada"


async def test_a_parked_message_about_nobody_is_discarded_with_a_line_in_the_diary(
    site: Machine, broker: Broker
) -> None:
    told = {"consumer": "scheduler", "subject": "nobody", "sequence": 7, "reason": "undecodable", "detail": ""}
    await ParkingLot(broker).park(**told, payload=b"", now=NOW)  # type: ignore[arg-type]
    assert (await site.run("discard", "scheduler.7", *BY)).code == 0
    assert (await diary(broker))[-1] == ("discard", "scheduler.7", "grace", "asked by phone")
