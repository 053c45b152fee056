"""`dripstream pending` shows what is in the bucket, no more and no less: production's delays, days ahead."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts.subjects import TIMERS
from tests.e2e.people import PEOPLE, Person
from tests.e2e.processes import machine
from tests.e2e.site import Site, broker_of, started

NATS = shutil.which("nats")
HOURS = (24, 72, 120, 168, 216, 264)


@pytest.fixture(scope="module")
async def slow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Everybody has got the first email; the others are pending."""
    with machine(tmp_path_factory.mktemp("slow")) as made:
        async with started(made) as up:
            for person in PEOPLE:
                assert await up.sign_up(person)
            await up.has_sent(3)
            yield up


async def listed(site: Site, *options: str) -> list[dict[str, Any]]:
    answer = await site.machine.run("pending", "--json", *options)
    assert (answer.code, answer.err) == (0, "")
    return [json.loads(line) for line in answer.out.splitlines()]


async def keys_of_bucket(site: Site) -> list[str]:
    """As any client of the key-value store sees them."""
    async with broker_of(site.machine) as broker:
        return [str(key) for key in await (await broker.js.key_value(TIMERS)).keys()]


async def test_pending_lists_what_the_bucket_holds_in_order_of_time(slow: Site) -> None:
    pending = await listed(slow)
    assert len(pending) == 18
    assert sorted(each["key"] for each in pending) == sorted(await keys_of_bucket(slow))
    assert [each["due"] for each in pending] == sorted(each["due"] for each in pending)


async def test_pending_is_narrowed_to_a_person_and_a_step(slow: Site) -> None:
    mine = await listed(slow, "--contact", PEOPLE[0].email)
    assert {each["contact"] for each in mine} == {PEOPLE[0].contact}
    assert len(mine) == 6
    for step in ("email-3", "nurture/email-3"):
        assert [each["step"] for each in await listed(slow, "--step", step)] == ["email-3"] * len(PEOPLE)
    assert not await listed(slow, "--campaign", "easter")
    table = await slow.machine.run("pending", "--contact", PEOPLE[0].email, "--limit", "2")
    assert "6 of 18 pending, 2 shown" in table.out


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.segment)
async def test_pending_names_each_email_and_its_time(slow: Site, person: Person) -> None:
    mine = [each for each in await listed(slow) if each["contact"] == person.contact]
    assert [each["step"] for each in mine] == [f"email-{n}" for n in range(2, 8)]
    assert {(each["campaign"], each["sequence"], each["instance"]) for each in mine} == {
        ("christmas-2025", "nurture", "once")
    }
    (first,) = [mail.accepted_at for mail in await slow.mails(person)]
    for hours, each in zip(HOURS, mine, strict=True):
        late = datetime.fromisoformat(each["due"]) - (first + timedelta(hours=hours))
        assert abs(late) < timedelta(minutes=5), "of hours"


async def test_the_table_shows_the_same_keys(slow: Site) -> None:
    answer = await slow.machine.run("pending")
    assert (answer.code, answer.err) == (0, "")
    keys = [each["key"] for each in await listed(slow)]
    assert [line.split()[-1] for line in answer.out.splitlines() if ".once." in line] == keys
    assert "18 pending" in answer.out


async def test_a_limit_shows_the_next_ones_and_says_how_many_there_are(slow: Site) -> None:
    assert await listed(slow, "--limit", "2") == (await listed(slow))[:2]
    assert "18 pending, 2 shown" in (await slow.machine.run("pending", "--limit", "2")).out


async def test_pending_works_with_the_address_of_the_broker_too(slow: Site) -> None:
    answer = await slow.machine.run(
        "pending", "--json", NATS_URL=slow.machine.nats_url, DRIPSTREAM_DATA_DIR=str(slow.machine.folder / "other")
    )
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 18


@pytest.mark.skipif(NATS is None, reason="nats is not installed: .ci/run builds it with Go")
async def test_the_nats_cli_lists_the_same_keys(slow: Site) -> None:
    command = [str(NATS), "--server", slow.machine.nats_url, "kv", "ls", TIMERS]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: ASYNC221, S603
    assert sorted(answer.stdout.split()) == sorted(each["key"] for each in await listed(slow))
