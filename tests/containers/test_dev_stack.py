"""Profile dev: the whole journey, with every container restarted on the way, and each of them away for a while."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.calcom import created
from tests.containers.conftest import site_of
from tests.containers.docker import Stack
from tests.e2e.people import AIKO, MARIA, PEOPLE, STEPS, TOM, Person
from tests.e2e.site import CONTACTS, SEQUENCES, Site
from tests.e2e.test_bookings import booking, has_mails, post
from tests.waiting import eventually

SERVICES = ("nats", "ingest", "scheduler", "sender", "notion-sync", "sandbox")
CALL = ["prep-guide", "reminder", "last-reminder", "follow-up"]
LONG_S = 180
AWAY_S = float(os.environ.get("AWAY_S", "0"))
"""How long a container stays away at least; without it, until the others have shown that they go on. `AWAY_S=60`"""


@pytest.fixture
async def site(dev: Stack, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_of(dev, tmp_path) as here:
        yield here


async def is_signed_up(site: Site, person: Person) -> None:
    """As the website does it: again until it is taken. One form is one fact, however often it comes."""

    async def taken() -> bool:
        try:
            return (await site.webhooks.post("/webhook/christmas-signup", json=person.form())).status_code == 202
        except httpx.TransportError:
            return False

    await eventually(taken, timeout=LONG_S)


async def each_email_came_once(site: Site, *people: Person) -> None:
    await site.has_finished(*people, timeout=LONG_S)
    for person in people:
        keys = [str(mail.idempotency_key) for mail in await site.mails(person)]
        assert sorted(keys) == [person.email_id(step) for step in STEPS]
        for table in (SEQUENCES, CONTACTS):
            assert [row["Email"] for row in await site.rows(table)].count(person.email) == 1
        sequence = await site.row(SEQUENCES, person)
        assert all(sequence[f"Email {number} Sent"] for number in range(1, 8))


def nothing_is_left(dev: Stack) -> None:
    """By the operator's word, through the image's own commands."""
    for command in ("pending", "failures"):
        answer = dev.cli(command, "--json")
        assert (answer.code, answer.out) == (0, ""), answer


async def test_the_journey_goes_through_while_every_container_is_restarted(dev: Stack, site: Site) -> None:
    sam = replace(AIKO, email="sam@example.com")
    forms, restarted = list(PEOPLE), dev.running()
    assert restarted.keys() >= set(SERVICES)
    answer = await post(site, booking(created, sam.email, "call-1", start_s=90))
    assert answer.status_code == 202
    for service in SERVICES:
        if forms:
            await is_signed_up(site, forms.pop())
        dev.do("restart", service)
    await each_email_came_once(site, MARIA, TOM, AIKO)
    await has_mails(site, sam.email, 1)

    async def followed_up() -> bool:
        return [mail.tag("step") for mail in await site.mails(sam)] == CALL

    await eventually(followed_up, timeout=LONG_S)
    [row] = [row for row in await site.rows(CONTACTS) if row["Email"] == sam.email]
    assert row["Booking Status"] == "Booked"
    nothing_is_left(dev)


async def test_each_container_may_be_away_for_a_while_and_nothing_is_lost_or_doubled(dev: Stack, site: Site) -> None:
    people = [replace(MARIA, email=f"while-{service}@example.com") for service in SERVICES]
    for service, person in zip(SERVICES, people, strict=True):
        dev.do("stop", service)
        back = datetime.now(UTC) + timedelta(seconds=AWAY_S)
        await the_others_go_on(site, service, person)
        await eventually(lambda until=back: _passed(until), timeout=AWAY_S + 5)  # type: ignore[misc]
        dev.do("start", service)
        await is_signed_up(site, person)
    await each_email_came_once(site, *people)
    nothing_is_left(dev)


async def _passed(moment: datetime) -> bool:
    return datetime.now(UTC) >= moment


async def the_others_go_on(site: Site, away: str, person: Person) -> None:
    """What can be seen from outside while one is away, and what cannot have happened."""

    async def in_notion() -> bool:
        return person.email in {row["Email"] for row in await site.rows(SEQUENCES)}

    if away == "ingest":
        with pytest.raises(httpx.TransportError):
            await site.sign_up(person)
        return
    if away == "nats":
        answer = await site.webhooks.post("/webhook/christmas-signup", json=person.form())
        assert answer.status_code == 503
        return
    assert await site.sign_up(person)
    if away in {"scheduler", "sender"}:
        await eventually(in_notion, timeout=LONG_S)
        assert await site.mails(person) == []
    elif away == "notion-sync":
        await has_mails(site, person.email, 1)
        assert not await in_notion()


def test_each_service_sees_its_own_password_and_no_other(dev: Stack) -> None:
    seen: dict[str, str] = {}
    for service in ("ingest", "scheduler", "sender", "notion-sync"):
        names = dev.do("exec", "-T", service, "sh", "-c", "ls -A /run/dripstream").split()
        assert sorted(names) == [".env", "nats_password"]
        seen[service] = dev.do("exec", "-T", service, "cat", "/run/dripstream/nats_password").strip()
    assert len(set(seen.values())) == len(seen)
    assert all(len(password) == 49 for password in seen.values())


def test_the_state_of_the_stack_can_be_asked_for_as_an_operator(dev: Stack) -> None:
    answer = dev.cli("init", "--json")
    assert answer.code == 0, answer
    states = {json.loads(line)["state"] for line in answer.out.splitlines()}
    assert states == {"as wanted"}
