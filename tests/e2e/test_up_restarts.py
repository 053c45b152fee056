"""`dripstream up` ended half-way and started again in the same folder: the rest is sent, once."""

import signal

from tests.e2e.people import MARIA
from tests.e2e.processes import Machine
from tests.e2e.site import Site, broker_of, each_email_was_sent_once, redeliver_soon, site, started
from tests.waiting import eventually


async def mid_journey(up: Site) -> None:
    """Maria has got some emails and not all, and what is killed now comes again soon."""
    async with broker_of(up.machine) as broker:
        await redeliver_soon(broker)
    await up.begins(MARIA)


async def all_is_right(up: Site) -> None:
    await up.has_finished(MARIA)
    async with broker_of(up.machine) as broker:
        await each_email_was_sent_once(up, broker, MARIA)
    assert len(up.machine.processes("nats-server")) == 1


async def test_ctrl_c_and_a_new_start_send_the_rest_once(fast: Machine) -> None:
    async with started(fast) as up:
        await mid_journey(up)
        assert await fast.programs[0].stop(signal.SIGINT) == 0
    assert fast.processes() == []
    async with started(fast) as up:
        await all_is_right(up)


async def test_a_killed_up_leaves_no_nats_server_and_the_next_one_sends_the_rest_once(fast: Machine) -> None:
    async with started(fast) as up:
        await mid_journey(up)
        assert len(fast.processes("nats-server")) == 1
        await fast.programs[0].kill()
    await eventually(lambda: nothing_runs(fast))
    async with started(fast) as up:
        await all_is_right(up)


async def nothing_runs(here: Machine) -> bool:
    return here.processes() == []


async def test_a_killed_nats_server_is_started_again_and_the_journey_completes(fast: Machine) -> None:
    async with started(fast) as up:
        await mid_journey(up)
        (server,) = fast.processes("nats-server")
        server.kill()
        await all_is_right(up)
        (again,) = fast.processes("nats-server")
        assert again.pid != server.pid
        assert fast.programs[0].is_running


async def test_what_was_not_due_yet_is_pending_after_a_restart(here: Machine) -> None:
    """Days ahead, at the same times as before."""
    async with started(here) as up:
        await up.sign_up(MARIA)
        await up.has_sent(1)
        before = (await here.run("pending", "--json")).out
        await here.programs[0].stop(signal.SIGINT)
    async with site(here) as up:
        here.start("up")
        await up.ready()
        assert (await here.run("pending", "--json")).out == before
    assert len(before.splitlines()) == 6
