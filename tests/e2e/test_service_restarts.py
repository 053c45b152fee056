"""Every service in a process of its own, and each of them ended half-way: by force, and politely."""

import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import psutil
import pytest

from contracts.ids import digest
from eventlog.connection import Broker
from eventlog.server import NatsServer
from tests.e2e.conftest import FASTER
from tests.e2e.people import MARIA, Person
from tests.e2e.processes import Program, machine
from tests.e2e.site import Site, broker_of, each_email_was_sent_once, redeliver_soon, site

SERVICES = ("sandbox", "ingest", "scheduler", "sender", "notion-sync")


@dataclass(frozen=True)
class Services:
    """Five processes and their broker."""

    site: Site
    broker: Broker
    nats: NatsServer
    programs: dict[str, Program]

    def start(self, *names: str) -> None:
        for name in names:
            self.programs[name] = self.site.machine.start(name)

    async def kill(self, *names: str) -> None:
        for name in names:
            await self.programs[name].kill()

    async def everything_runs(self) -> None:
        """Whatever an earlier test has left."""
        if self.nats.pid is None or not psutil.pid_exists(self.nats.pid):
            await self.nats.start()
        self.start(*(name for name in SERVICES if name not in self.programs or not self.programs[name].is_running))
        await self.site.ready()
        await self.site.lift_limits()

    async def all_is_right(self, *people: Person) -> None:
        await self.site.has_finished(*people)
        await each_email_was_sent_once(self.site, self.broker, *people)


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    folder = tmp_path_factory.mktemp("services")
    async with NatsServer(folder / "nats") as nats:
        with machine(folder, **FASTER, NATS_URL=nats.url) as here:
            assert (await here.run("init")).code == 0
            async with site(here) as outside, broker_of(here) as broker:
                await redeliver_soon(broker)
                yield Services(outside, broker, nats, {})


@pytest.fixture
async def services(running: Services) -> Services:
    await running.everything_runs()
    return running


@pytest.fixture
def maria(request: pytest.FixtureRequest) -> Person:
    """Somebody new in every test."""
    return MARIA.again(email=f"{digest(request.node.name)}@example.com")


@pytest.mark.parametrize("name", SERVICES)
async def test_a_killed_service_goes_on_where_it_was(services: Services, maria: Person, name: str) -> None:
    await services.site.begins(maria)
    await services.kill(name)
    services.start(name)
    await services.all_is_right(maria)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
async def test_services_outlive_their_broker(services: Services, maria: Person, sign: signal.Signals) -> None:
    await services.site.begins(maria)
    await services.nats.restart(sign)
    await services.all_is_right(maria)
    assert all(program.is_running for program in services.programs.values())


async def test_a_sender_killed_before_it_noted_the_answer_sends_nothing_twice(
    services: Services, maria: Person
) -> None:
    """The provider has accepted the third email; nobody heard it say so."""
    third = maria.email_id("email-3")
    await services.site.add_fault(api="resend", action="timeout_after_accept", delay_s=3, match={"contains": third})
    assert await services.site.begins(maria) == [third]
    await services.kill("sender")
    services.start("sender")
    await services.all_is_right(maria)


async def test_everything_killed_at_once_goes_on_where_it_was(services: Services, maria: Person) -> None:
    people = (maria, *(maria.again(email=f"{n}-{maria.email}") for n in range(4)))
    for person in people:
        assert await services.site.sign_up(person)
    await services.site.has_rows(*people)
    await services.kill(*SERVICES)
    await services.nats.restart(signal.SIGKILL)
    services.start(*SERVICES)
    await services.all_is_right(*people)


async def test_a_polite_stop_of_every_service_loses_nothing_and_exits_0(services: Services, maria: Person) -> None:
    """As a deployment does it, one after the other."""
    await services.site.begins(maria)
    for name in SERVICES:
        assert await services.programs[name].stop() == 0
        services.start(name)
    await services.all_is_right(maria)


async def test_signups_taken_while_nobody_schedules_are_served_later(services: Services, maria: Person) -> None:
    others = ("scheduler", "sender", "notion-sync")
    await services.kill(*others)
    assert await services.site.sign_up(maria)
    services.start(*others)
    await services.all_is_right(maria)


async def test_ingest_refuses_signups_without_its_broker_and_takes_them_after(
    services: Services, maria: Person
) -> None:
    """What was refused is not stored: the form sent again is new."""
    await services.nats.stop(signal.SIGKILL)
    answer = await services.site.webhooks.post("/webhook/christmas-signup", json=maria.form())
    assert answer.status_code == 503
    await services.nats.start()
    await services.site.ready()
    assert await services.site.sign_up(maria)
    await services.all_is_right(maria)
