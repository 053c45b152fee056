"""No room left while emails come due: nothing is taken that cannot be kept, and nothing that was taken is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from contracts import subjects
from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.timers import STREAM
from services.scheduler import handlers, reconcile
from tests.ballast import BALLAST, fill_store
from tests.broker.product import People, Postman, all_mailed, audit, names, sign_up_many, working
from tests.cluster import Cluster, Node
from tests.disk import Disk, require_disks
from tests.integration.ingest import ROUTE, running
from tests.rounds import ROUNDS
from tests.unit.ingest.forms import FORM
from tests.waiting import eventually

COUNT = 50
FULL_S = 15
"""Several times what it takes to arm them all and to fill the store."""

MAILED_S = 120
"""The table's bound, from the moment there is room again."""


@dataclass(frozen=True)
class Site:
    """A broker with the services on it."""

    broker: Broker
    ingest: httpx.AsyncClient
    people: People
    postman: Postman


@asynccontextmanager
async def site(url: str, *, replicas: int = 1) -> AsyncIterator[Site]:
    people, postman = People(), Postman()
    async with connect(url, name="test", patience_s=20) as broker:
        await topology.init(broker, replicas=replicas)
        async with working(url, postman), running(broker) as ingest:
            yield Site(broker, ingest, people, postman)


@pytest.fixture
def _ten_times_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep comes every minute and takes a timer for stuck after another; the long form waits for that."""
    if ROUNDS == 1:
        monkeypatch.setattr(handlers, "SWEEP_S", 6)
        for module in (handlers, reconcile):
            monkeypatch.setattr(module, "STUCK", timedelta(seconds=6))


@pytest.mark.usefixtures("_ten_times_as_fast")
async def test_what_came_due_while_the_store_was_full_is_mailed_once_there_is_room(tmp_path: Path) -> None:
    """No restart: the timers stay stuck in the server, and the sweep writes them again."""
    async with Node(tmp_path, environment={"NATS_MAX_FILE_STORE": "16MB"}) as node, site(node.url) as here:
        await come_due(here, full=lambda: fill_store(here.broker))
        refused = await refuses(here)
        await here.broker.js.delete_stream(BALLAST)
        await recovers(here, refused)


async def test_a_disk_without_a_byte_left_loses_nothing(tmp_path: Path) -> None:
    """Beyond its allowance nats-server gives up JetStream: the runbook frees the disk and starts it again."""
    require_disks(tmp_path)
    with Disk(tmp_path, megabytes=64) as disk:
        node = Node(tmp_path / "node", store=disk.path / "jetstream")
        async with node, site(node.url) as here:
            await come_due(here, full=lambda: asyncio.to_thread(disk.fill))
            refused = await refuses(here)
            disk.free()
            await node.restart()
            await recovers(here, refused)


@pytest.mark.usefixtures("_ten_times_as_fast")
async def test_three_full_nodes_are_given_room_one_after_the_other(tmp_path: Path) -> None:
    """The runbook: a larger allowance in each node's environment, and a restart of each."""
    small = {"NATS_MAX_FILE_STORE": "16MB"}
    async with Cluster(tmp_path, environment=small) as cluster, site(cluster.url, replicas=3) as here:
        await cluster.settled()
        await come_due(here, full=lambda: fill_store(here.broker, replicas=3))
        refused = await refuses(here)
        for node in cluster.nodes:
            node.more["NATS_MAX_FILE_STORE"] = "32MB"
            await node.restart()
        await recovers(here, refused)


async def come_due(here: Site, *, full: Callable[[], Awaitable[None]]) -> None:
    """Everybody's first email is armed; then there is no room; then it is due."""
    await sign_up_many(here.broker, here.people, names("p", COUNT), over_s=0, in_s=FULL_S)
    await eventually(lambda: armed(here), timeout=60)
    await full()
    last = max(here.people.due.values())
    assert datetime.now(UTC) < last, "full too late to show anything"
    await asyncio.sleep((last - datetime.now(UTC)).total_seconds() + 2)
    assert here.postman.accepted == {}


async def armed(here: Site) -> bool:
    state = (await here.broker.js.stream_info(STREAM)).state
    return state.messages == 7 * COUNT


async def refuses(here: Site) -> dict[str, object]:
    """From some form on, which is returned: a full disk still has what is left of the file's last block.

    What was taken before is taken for good: it is among those who are mailed.
    """
    for n in range(100):
        form: dict[str, object] = FORM | {"email": f"late{n}@example.com"}
        answer = await here.ingest.post(ROUTE, json=form, timeout=30)
        if answer.status_code != 202:
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            return form
        here.people.taken(str(form["email"]), answer.json()["event_id"])
    raise AssertionError("never full")


async def recovers(here: Site, refused: dict[str, object]) -> None:
    """Everybody gets their email within the bound, exactly once, and the refused form is taken now."""
    await all_mailed(here.people, here.postman, within_s=MAILED_S)
    await audit(here.broker, here.people, here.postman)
    assert (await here.ingest.post(ROUTE, json=refused)).status_code == 202
    assert (await here.broker.js.stream_info(subjects.EVENTS)).state.first_seq == 1
