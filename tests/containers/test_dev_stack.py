"""Profile dev: the whole journey, with every container restarted, stopped for a while and killed on the way."""

import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.calcom import created, rescheduled
from tests.containers.conftest import ANSWER_S, MINUTE_S, site_of
from tests.containers.docker import Stack, docker
from tests.e2e.people import AIKO, MARIA, PEOPLE, STEPS, TOM, Person
from tests.e2e.site import CONTACTS, SEQUENCES, SIGNUP, Site
from tests.e2e.test_bookings import WEBHOOK, booking, mails_to, row_of
from tests.waiting import eventually

SERVICES = ("nats", "ingest", "scheduler", "sender", "notion-sync", "notifier", "sandbox")
AWAY = (("nats",), ("scheduler",), ("ingest", "sandbox"), ("sender", "notion-sync", "notifier"))
"""Every container once; together only where one does not hide what the other does."""

AWAY_S = float(os.environ.get("AWAY_S", "60"))
"""How long each is away. Shorter while working on these tests: `AWAY_S=5 make compose-test`."""

CALL = ["prep-guide", "reminder", "last-reminder", "follow-up"]
LONG_S = 600
"""Ten times what anything takes here: only a hopeless run is ended by it."""


@pytest.fixture
async def site(dev: Stack, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_of(dev, tmp_path) as here:
        yield here


async def is_taken(site: Site, path: str, body: Mapping[str, Any]) -> None:
    """As the website and Cal.com do it: again until it is. The same body is one fact, however often it comes."""

    async def taken() -> bool:
        try:
            return (await site.webhooks.post(path, json=body)).status_code == 202
        except httpx.TransportError:
            return False

    await eventually(taken, timeout=LONG_S)


async def is_signed_up(site: Site, person: Person) -> None:
    await is_taken(site, SIGNUP, person.form())


async def is_mailed(site: Site, person: Person) -> None:
    async def mailed() -> bool:
        return bool(await site.mails(person))

    await eventually(mailed, timeout=LONG_S)


async def each_email_came_once(site: Site, *people: Person) -> None:
    await site.has_finished(*people, timeout=LONG_S)
    await are_customers(site, *people)
    for person in people:
        keys = [str(mail.idempotency_key) for mail in await site.mails(person)]
        assert sorted(keys) == [person.email_id(step) for step in STEPS]
        for table in (SEQUENCES, CONTACTS):
            assert [row["Email"] for row in await site.rows(table)].count(person.email) == 1
        sequence = await site.row(SEQUENCES, person)
        assert all(sequence[f"Email {number} Sent"] for number in range(1, 8))


async def are_customers(site: Site, *people: Person) -> None:
    """In the other table, which is written after that of sequences."""

    async def shown() -> bool:
        return {row["Email"] for row in await site.rows(CONTACTS)} >= {person.email for person in people}

    await eventually(shown, timeout=LONG_S)


async def told(site: Site) -> Counter[str]:
    """Contacts whose signup was posted to the chat, and how often."""
    posts = (await site.sandbox.get("/_control/chat")).json()
    signups = [post["text"] for post in posts if "CRITICAL signup" in post["text"]]
    return Counter(line.rpartition(" ")[2] for text in signups for line in text.splitlines() if "Contact" in line)


async def is_told(site: Site, person: Person) -> None:
    async def posted() -> bool:
        try:
            return (await told(site))[person.contact] > 0
        except httpx.TransportError:  # the sandbox is only now coming back
            return False

    await eventually(posted, timeout=LONG_S)


async def nothing_is_left(dev: Stack) -> None:
    """By the operator's word, through the image's own commands. A timer goes after its email has come."""

    async def nothing_is_pending() -> bool:
        answer = dev.cli("pending", "--json")
        assert answer.code == 0, answer
        return not answer.out

    await eventually(nothing_is_pending, timeout=LONG_S)
    answer = dev.cli("failures", "--json")
    assert (answer.code, answer.out) == (0, ""), answer


def the_power_goes_and_comes_back(dev: Stack) -> None:
    """Nobody says in which order containers start then: here whoever is needed by the others comes last."""
    ids = dev.running()
    assert docker("kill", *ids.values()).code == 0
    for service in ("notifier", "notion-sync", "sender", "scheduler", "ingest", "nats", "sandbox"):
        assert docker("start", ids[service]).code == 0


async def all_is_well(dev: Stack) -> None:
    async def healthy() -> bool:
        return {each["Service"] for each in dev.containers() if each["Health"] == "healthy"} >= set(SERVICES)

    await eventually(healthy, timeout=LONG_S)


async def test_the_journey_goes_through_restarts_of_every_container_and_a_power_cut(dev: Stack, site: Site) -> None:
    sam, forms = "sam@example.com", list(PEOPLE)
    assert dev.running().keys() == set(SERVICES)
    await is_taken(site, WEBHOOK, booking(created, sam, "call-1", start_s=3600))
    for service in SERVICES:
        if forms:
            await is_signed_up(site, forms.pop())
        dev.do("restart", service)
    the_power_goes_and_comes_back(dev)
    await is_taken(site, WEBHOOK, booking(rescheduled, sam, "call-2", start_s=1800, rescheduleUid="call-1"))
    await all_is_well(dev)  # from here on there are times to keep: of a call that has begun nobody is reminded
    soon = 8 * MINUTE_S
    await is_taken(site, WEBHOOK, booking(rescheduled, sam, "call-3", start_s=soon, rescheduleUid="call-2"))
    await each_email_came_once(site, MARIA, TOM, AIKO)

    async def followed_up() -> bool:
        return [mail.tag("step") for mail in await mails_to(site, sam)] == CALL

    await eventually(followed_up, timeout=LONG_S)

    async def shows_it() -> bool:
        return (await row_of(site, sam)).get("Booking Status") == "Rescheduled"

    await eventually(shows_it, timeout=LONG_S)
    await is_told(site, MARIA)
    assert (await told(site)).keys() == {MARIA.contact}
    await nothing_is_left(dev)


async def test_each_container_may_be_away_for_a_minute_and_nothing_is_lost_or_doubled(dev: Stack, site: Site) -> None:
    people = [replace(MARIA, email=f"without-{'-'.join(away)}@example.com") for away in AWAY]
    for away, person in zip(AWAY, people, strict=True):
        ids = [dev.running()[service] for service in away]
        assert docker("stop", "--time", "60", *ids).code == 0
        back = datetime.now(UTC) + timedelta(seconds=AWAY_S)
        await the_others_go_on(site, away, person)
        await eventually(lambda until=back: _passed(until), timeout=AWAY_S + 5)  # type: ignore[misc]
        assert docker("start", *ids).code == 0
        await is_signed_up(site, person)
        await is_told(site, person)
    await each_email_came_once(site, *people)
    counts = await told(site)
    assert [counts[person.contact] for person in people] == [1] * len(people)
    await nothing_is_left(dev)


def test_every_container_is_in_a_round_of_being_away() -> None:
    assert sorted(service for away in AWAY for service in away) == sorted(SERVICES)


async def _passed(moment: datetime) -> bool:
    return datetime.now(UTC) >= moment


async def the_others_go_on(site: Site, away: tuple[str, ...], person: Person) -> None:
    """What can be seen from outside while these are away, and what cannot have happened."""

    async def in_notion() -> bool:
        return person.email in {row["Email"] for row in await site.rows(SEQUENCES)}

    if "ingest" in away:
        with pytest.raises(httpx.TransportError):
            await site.sign_up(person)
    elif "nats" in away:
        answer = await site.webhooks.post(SIGNUP, json=person.form())
        assert answer.status_code == 503
    elif "scheduler" in away:
        assert await site.sign_up(person)
        await eventually(in_notion, timeout=LONG_S)
        assert await site.mails(person) == []
    else:
        assert await site.sign_up(person)
        assert (await site.mails(person), await in_notion(), (await told(site))[person.contact]) == ([], False, 0)


def test_each_service_sees_its_own_password_and_no_other(dev: Stack) -> None:
    seen: dict[str, str] = {}
    for service in ("ingest", "scheduler", "sender", "notion-sync", "notifier"):
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


@pytest.fixture(scope="module")
def inspected(dev: Stack) -> dict[str, dict[str, Any]]:
    return {name: json.loads(docker("inspect", id_).out)[0] for name, id_ in dev.running().items()}


def test_every_container_runs_without_rights_on_a_root_it_cannot_write(inspected: dict[str, dict[str, Any]]) -> None:
    assert inspected.keys() == set(SERVICES)
    for name, found in inspected.items():
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["PidsLimit"] == 256, name
        assert found["Config"]["User"] == "10001:10001", name
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}, name


def test_nothing_is_published_beyond_this_machine(inspected: dict[str, dict[str, Any]]) -> None:
    bindings = [
        (name, binding["HostIp"])
        for name, found in inspected.items()
        for each in (found["HostConfig"]["PortBindings"] or {}).values()
        for binding in each
    ]
    assert {name for name, _ in bindings} == {"ingest", "nats", "sandbox"}
    assert {address for _, address in bindings} == {"127.0.0.1"}


@pytest.mark.parametrize(("port", "reached"), [(4222, True), (8222, False)])
def test_the_broker_tells_about_itself_inside_its_own_container_alone(dev: Stack, port: int, reached: bool) -> None:
    """Not even to the other containers of the stack."""
    code = f"import socket; socket.create_connection(('nats', {port}), timeout={ANSWER_S})"
    answer = dev.compose("exec", "-T", "sender", "python", "-c", code)
    assert (answer.code == 0) is reached
    assert ("Connection refused" in answer.out + answer.err) is not reached


def test_every_container_is_told_to_stop_long_before_it_is_killed(inspected: dict[str, dict[str, Any]]) -> None:
    grace = {name: found["Config"]["StopTimeout"] for name, found in inspected.items()}
    assert {name for name, seconds in grace.items() if seconds >= 60} == set(SERVICES) - {"sandbox"}
