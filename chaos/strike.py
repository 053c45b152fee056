"""Carrying out one fault on the running world."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Mapping

import httpx

from chaos.plan import Fault
from chaos.world import UNHEARD, Broker, Instance, World, asked

STREAMS = ("EVENTS", "PARKED", "KV_timers", "KV_sends", "KV_pages")
WHOLE_S, LED_S = 120, 30
HEALTHY_S = 5
"""How long a health check is patient."""


async def strike(world: World, fault: Fault) -> None:
    """From its first moment to the last. A victim that is not back yet from another one is waited for."""
    world.say(str(fault))
    if fault.victim in world.instances:
        await _on_process(world.instances[fault.victim], fault, world)
    elif ">" in fault.victim:
        await _on_way(world, fault)
    elif fault.kind in _ELSE:
        await _ELSE[fault.kind](world, fault)
    elif broker := await _broker(world, fault.victim):
        await _on_broker(broker, fault)


async def _on_process(instance: Instance, fault: Fault, world: World) -> None:
    async with instance.busy:
        if fault.kind == "pause":
            instance.signal(signal.SIGSTOP)
            await asyncio.sleep(fault.for_s)
            instance.signal(signal.SIGCONT)
            return
        if fault.kind == "kill":
            await instance.kill()
        elif not await instance.stop():
            world.note(f"{instance.name} did not stop when it was told to")
        await asyncio.sleep(fault.for_s)
        instance.start()


async def _on_broker(broker: Broker, fault: Fault) -> None:
    async with broker.busy:
        if broker.is_gone:
            return
        if fault.kind == "pause":
            broker.signal(signal.SIGSTOP)
            await asyncio.sleep(fault.for_s)
            broker.signal(signal.SIGCONT)
            return
        await broker.node.stop(signal.SIGKILL if fault.kind == "kill" else signal.SIGTERM)
        await asyncio.sleep(fault.for_s)
        await broker.start()


async def _lose(world: World, fault: Fault) -> None:
    """A node and its disk are gone, while the others are whole: that is what three copies are for.

    Then a new one comes under its name, and is let catch up; or none ever does.
    """
    async with contextlib.AsyncExitStack() as stack:
        for broker in world.brokers:
            await stack.enter_async_context(broker.busy)
        await _has_copies(world, len(world.brokers))
        lost = next(broker for broker in world.brokers if broker.name == fault.victim)
        await lost.node.wipe()
        if not dict(fault.how)["comes_back"]:
            lost.is_gone = True
            return
        await lost.start()
        await _has_copies(world, len(world.brokers))


async def _has_copies(world: World, count: int) -> None:
    """Until every stream is whole on so many nodes. Errors: TimeoutError."""
    async with asyncio.timeout(WHOLE_S):
        while not await _is_whole(world.url, count):
            await asyncio.sleep(1)


async def _is_whole(url: str, count: int) -> bool:
    try:
        async with asked(url) as js:
            infos = [await js.stream_info(name) for name in STREAMS]
    except UNHEARD:
        return False
    copies = [info.cluster.replicas or [] for info in infos if info.cluster and info.cluster.leader]
    current = [sum(bool(each.current) and not each.lag for each in replicas) for replicas in copies]
    return current == [count - 1] * len(STREAMS)


async def _broker(world: World, name: str) -> Broker | None:
    """By its name, or the one that leads EVENTS; None if nobody does for long, since most of them are down."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LED_S):
            while name == "leader":
                await asyncio.sleep(0.2)
                name = await leader_of(world.url, "EVENTS") or name
    return next((broker for broker in world.brokers if broker.name == name), None)


async def leader_of(url: str, stream: str) -> str:
    """Empty while there is none."""
    try:
        async with asked(url) as js:
            cluster = (await js.stream_info(stream)).cluster
    except UNHEARD:
        return ""
    return str((cluster and cluster.leader) or "")


async def _on_way(world: World, fault: Fault) -> None:
    name, _, end = fault.victim.partition(">")
    ways = world.instances[name].ways[end]
    match fault.kind:
        case "cut":
            for way in ways:
                way.cut()
        case "refuse":
            await asyncio.gather(*(way.refuse(fault.for_s) for way in ways))
        case "blackhole":
            await asyncio.gather(*(way.blackhole(fault.for_s) for way in ways))


async def _trouble(world: World, fault: Fault) -> None:
    await world.trouble(api=fault.victim, **dict(fault.how))


async def _limits(world: World, fault: Fault) -> None:
    """As slow as the real accounts are, and a search that lags."""
    tight: dict[str, dict[str, object]] = {
        "resend": {"resend_rate": 5},
        "notion": {"notion_rate": 3, "notion_burst": 5, "notion_query_lag_s": 2},
    }
    loose: dict[str, dict[str, object]] = {
        "resend": {"resend_rate": None},
        "notion": {"notion_rate": None, "notion_query_lag_s": 0},
    }
    await world.options(**tight[fault.victim])
    await asyncio.sleep(fault.for_s)
    await world.options(**loose[fault.victim])


async def _full(world: World, fault: Fault) -> None:
    """Nothing more can be stored; then it can again, and only a health check does anything about it."""
    assert world.disk
    async with world.disk_busy:
        await asyncio.to_thread(world.disk.fill)
        try:
            await asyncio.sleep(fault.for_s)
        finally:
            world.disk.free()
        await _revive(world)


async def _power(world: World, fault: Fault) -> None:
    """The broker's machine loses power: what was not synced is gone."""
    assert world.disk
    (broker,) = world.brokers
    async with world.disk_busy, broker.busy:
        world.disk.cut_power()
        await broker.node.kill()
        await asyncio.to_thread(world.disk.restore_power)
        await asyncio.sleep(fault.for_s)
        await broker.start()


async def _revive(world: World) -> None:
    """A broker to which a write failed takes none any more; whoever watches its health restarts it."""
    for broker in world.brokers:
        if await _recovers(broker):
            continue
        world.note(f"{broker.name} stayed unhealthy after its disk had room again, and was restarted")
        async with broker.busy:
            await broker.node.stop(signal.SIGTERM)
            await broker.start()


async def _recovers(broker: Broker) -> bool:
    """By itself, within some seconds."""
    deadline = asyncio.get_running_loop().time() + HEALTHY_S
    async with httpx.AsyncClient(base_url=broker.node.monitor, timeout=2) as client:
        while asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/healthz")).is_success:
                    return True
            await asyncio.sleep(0.5)
    return False


_ELSE: Mapping[str, Callable[[World, Fault], Awaitable[None]]] = {
    "trouble": _trouble,
    "limits": _limits,
    "full": _full,
    "power": _power,
    "lose": _lose,
}
