"""Running services: one alone, or all of them supervised in one process."""

import asyncio
import contextlib
import importlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from cli.backends import (
    CONNECT_S,
    access_of,
    describe,
    nats_url,
    needs_sandbox,
    reach,
    require_stand_in,
    sandbox_address,
    with_stand_ins,
)
from cli.names import CONSUMERS, PROVIDERS, SERVICES
from eventlog import topology
from eventlog.connection import Broker, Unavailable, connect
from eventlog.server import NatsServer, ServerFailed
from journey.campaign import Campaign, load_campaigns
from services.health import health_server
from services.logs import of_service
from services.metrics import showing_connection
from services.settings import Settings
from services.tracing import recorded

log = structlog.get_logger(__name__)

RESTART_S = 1.0
STOP_S = 4.0
HOPELESS_S = 2.0
Service = Callable[[Broker, Settings, Mapping[str, Campaign], asyncio.Event], Awaitable[None]]


def wanted(settings: Settings) -> list[str]:
    """Those that `dripstream up` runs: without a chat to post to there is no notifier."""
    return [name for name in SERVICES if name != "notifier" or settings.notify_webhook_url is not None]


def service(name: str) -> Service:
    """Imported when it is run, so that one service does not pay for the others."""
    run: Service = importlib.import_module(f"services.{name.replace('-', '_')}.service").run
    return run


@dataclass(frozen=True)
class Running:
    """What a caller may want to know of the services it started."""

    settings: Settings
    broker: Broker
    campaigns: Mapping[str, Campaign]
    nats: str
    sandbox: str


@contextlib.contextmanager
def stop_on_signal() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set; a second signal ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            raise SystemExit(130)
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, on_signal)
    try:
        yield stop
    finally:
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)


@asynccontextmanager
async def ends_with(broker: Broker, stop: asyncio.Event) -> AsyncIterator[None]:
    """A connection that is gone for good ends the block. Errors: Unavailable, and a supervisor starts a new process."""

    async def follow() -> None:
        await broker.closed.wait()
        stop.set()

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()
    if broker.closed.is_set():
        raise Unavailable("the connection to NATS was closed for good")


async def run_alone(name: str, settings: Settings) -> None:
    """One service in its own process, on a broker that is already set up.

    Errors: NoBroker, NoStandIn, Unavailable, OldServer, Incomplete, CampaignError.
    """
    await require_stand_in(name, settings)
    given, sandbox, provider = settings, sandbox_address(settings), PROVIDERS.get(name)
    if provider:
        settings = with_stand_ins(settings, sandbox)
    campaigns = load_campaigns(settings.campaigns_dir)
    with stop_on_signal() as stop, of_service(name), recorded(name):
        async with reach(settings, name=name) as broker:
            report_drift(await _when_it_answers(broker, settings))
            for backend in describe(given, nats=nats_url(settings), sandbox_url=sandbox):
                if backend.name in {"NATS", provider}:
                    log.info("backend", name=backend.name, real=backend.real, where=backend.where)
            log.info("started")
            async with ends_with(broker, stop), _health(name, broker, settings):
                with showing_connection(name, broker):
                    await service(name)(broker, settings, campaigns, stop)
        log.info("stopped")


async def _when_it_answers(broker: Broker, settings: Settings) -> list[topology.Check]:
    """A cluster that is choosing a leader is no reason to give up. Errors: Unavailable, OldServer, Incomplete."""
    deadline = time.monotonic() + CONNECT_S
    while True:
        try:
            return await topology.require(broker, replicas=settings.replicas)
        except Unavailable as error:
            if time.monotonic() > deadline:
                raise
            log.warning("waiting_for_jetstream", reason=str(error))
            await asyncio.sleep(RESTART_S)


@asynccontextmanager
async def _health(name: str, broker: Broker, settings: Settings) -> AsyncIterator[None]:
    """Ingest answers for itself; the others on a port of their own, where one is set."""
    if name not in CONSUMERS or settings.health_port is None:
        yield
        return
    async with health_server(
        broker,
        topology.durable_of(name),
        replicas=settings.replicas,
        host=settings.host,
        port=settings.health_port,
    ) as server:
        log.info("health_started", url=server.url)
        yield


@asynccontextmanager
async def running(settings: Settings, stop: asyncio.Event) -> AsyncIterator[Running]:
    """NATS, the stand-ins that are needed and all services, supervised; everything ends with the block.

    Errors: ServerFailed, Unavailable, OldServer, Incomplete, CampaignError.
    """
    campaigns = load_campaigns(settings.campaigns_dir)
    async with contextlib.AsyncExitStack() as stack:
        nats = await stack.enter_async_context(_nats(settings, stop))
        access = access_of(settings, "up")
        broker = await stack.enter_async_context(connect(nats, name="up", patience_s=CONNECT_S, access=access))
        stack.enter_context(showing_connection("up", broker))
        stack.enter_context(recorded("up"))
        report_drift(await topology.init(broker, replicas=settings.replicas))
        if settings.nats_url is None:  # ours alone, as the lock on the data folder says
            await topology.take_over(broker)
        sandbox = await stack.enter_async_context(_sandbox(settings))
        used = with_stand_ins(settings, sandbox)
        await stack.enter_async_context(ends_with(broker, stop))
        await stack.enter_async_context(_supervised(broker, used, campaigns, stop))
        yield Running(used, broker, campaigns, nats, sandbox)


@asynccontextmanager
async def _supervised(
    broker: Broker, settings: Settings, campaigns: Mapping[str, Campaign], stop: asyncio.Event
) -> AsyncIterator[None]:
    """Errors: whatever kept a service from starting at all; it ends the others too."""
    tasks = [
        asyncio.create_task(_named(name, partial(service(name), broker, settings, campaigns, stop), stop))
        for name in wanted(settings)
    ]
    try:
        yield
    finally:
        stop.set()
        _, late = await asyncio.wait(tasks, timeout=STOP_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    for task in set(tasks) - late:
        task.result()


async def _named(name: str, run: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    with of_service(name):
        await supervise(name, run, stop)


async def supervise(name: str, run: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Start it again whenever it ends without being told to.

    Errors: a setting it cannot work with (ValueError) or an address that is taken (OSError), before it ran at all:
    trying again would not help.
    """
    started = time.monotonic()
    while not stop.is_set():
        try:
            await run()
        except Exception as error:
            if isinstance(error, ValueError | OSError) and time.monotonic() - started < HOPELESS_S:
                stop.set()
                raise
            log.exception("service_failed", service=name)
        if not stop.is_set():
            log.error("service_restarts", service=name, in_s=RESTART_S)
            await asyncio.sleep(RESTART_S)


@asynccontextmanager
async def _nats(settings: Settings, stop: asyncio.Event) -> AsyncIterator[str]:
    if settings.nats_url:
        yield settings.nats_url
        return
    async with NatsServer((settings.data_dir / "nats").resolve()) as server:
        keeper = asyncio.create_task(_keep_up(server, stop))
        try:
            yield server.url
        finally:
            keeper.cancel()


async def _keep_up(server: NatsServer, stop: asyncio.Event) -> None:
    while True:
        code = await server.ended()
        if stop.is_set():
            return
        log.error("nats_server_ended", exit_code=code)
        try:
            await server.start()
        except ServerFailed as error:
            log.warning("nats_server_not_restarted", reason=str(error)[-300:])
            await asyncio.sleep(RESTART_S)


@asynccontextmanager
async def _sandbox(settings: Settings) -> AsyncIterator[str]:
    from services.sandbox.app import Sandbox

    if not needs_sandbox(settings):
        yield ""
        return
    database = settings.data_dir / "sandbox.db"
    async with Sandbox(port=settings.sandbox_port, database=database) as sandbox:
        yield sandbox.url


def report_drift(checks: list[topology.Check]) -> None:
    for check in checks:
        if check.differences:
            log.warning(
                "drift",
                kind=check.kind,
                name=check.name,
                differences=[str(difference) for difference in check.differences],
                hint="dripstream init shows it, dripstream init --apply sets it right",
            )
