"""One run, from the seed to the verdict: play the story, strike the faults, let it come to rest, judge."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from chaos.auditor.evidence import Evidence, collect, unfinished
from chaos.auditor.verdict import Verdict, judge
from chaos.driver import Driver
from chaos.plan import SERVICES, Fault, Stage, plan
from chaos.story import Scale, story
from chaos.strike import strike
from chaos.world import UNHEARD, Say, World, asked, brokers_of, world
from services.settings import ROOT
from tests.disk import Disk, NoDisk
from tests.e2e.processes import Machine

NODES = 3
LONGEST_JOURNEY = 7
"""Testing minutes from a signup to its last email, and a little."""

REST_LOOK_S = 1.0
DISK_MB = 384


@dataclass(frozen=True)
class Options:
    """What a run is made of; the same options tell the same story and plan the same faults."""

    seed: int
    people: int
    faults: int
    minutes: float
    speedup: float
    beside: int = 2
    """Processes of each service that run beside each other."""

    only: tuple[str, ...] = ()
    nodes: int = 1
    disk: bool = True
    rest_s: float = 600
    """How long it may take to come to rest when all faults are over."""

    calm_start: bool = False
    """Everybody is there, and shown in Notion, before the first fault: a create in doubt takes 90 s to settle."""

    @property
    def has_disk(self) -> bool:
        """In a cluster, losing a node stands for losing its disk."""
        return self.disk and self.nodes == 1

    @property
    def within_s(self) -> float:
        return 60 * self.minutes

    @property
    def scale(self) -> Scale:
        minute_s = 60 / self.speedup
        arrive_in_s = 1.0 if self.calm_start else max(1.0, self.within_s - LONGEST_JOURNEY * minute_s)
        return Scale(self.people, arrive_in_s, minute_s, all_sign_up=self.calm_start)

    @property
    def processes(self) -> tuple[str, ...]:
        return tuple(f"{service}-{number}" for number in range(1, self.beside + 1) for service in SERVICES)


def short(seed: int) -> Options:
    """About a minute, for `make test`. No faults that take long to recover from."""
    return Options(seed, people=16, faults=12, minutes=0.35, speedup=30, rest_s=120, disk=False, calm_start=True)


def long(seed: int) -> Options:
    """Over 2,000 emails and 300 faults, in about 20 minutes on two cores."""
    return Options(seed, people=300, faults=300, minutes=15, speedup=10, rest_s=900)


@dataclass(frozen=True)
class Run:
    """What came of it."""

    options: Options
    faults: list[Fault]
    verdict: Verdict
    unfinished: dict[str, int]
    notes: list[str]
    took_s: float
    rested_s: float

    @property
    def is_clean(self) -> bool:
        return self.verdict.is_clean and not self.unfinished


def stage(options: Options, *, disk: bool) -> Stage:
    brokers = [f"n{number}" for number in range(1, options.nodes + 1)]
    return Stage(options.processes, brokers, disk=disk, only=options.only, lasting=not options.calm_start)


def planned(options: Options, *, disk: bool) -> list[Fault]:
    return plan(options.seed, options.faults, options.within_s, stage(options, disk=disk))


async def run(options: Options, folder: Path, say: Say) -> Run:
    """The folder keeps logs, plan and evidence; whoever made it removes it."""
    began = time.monotonic()
    with _disk(folder, options, say) as disk:
        faults = planned(options, disk=disk is not None)
        (folder / "plan.txt").write_text("\n".join(map(str, faults)) + "\n")
        async with brokers_of(folder, options.nodes, disk) as (url, brokers):
            machine = Machine(folder, **_environment(options))
            try:
                async with world(machine, url, brokers, options.processes, say, disk) as made:
                    driver, left, rested_s = await _play(made, options, faults)
                evidence = await collect(
                    url, str(made.sandbox.base_url), ROOT / "campaigns", driver.promises, speedup=options.speedup
                )
            finally:
                _end(machine)
    _keep(folder, evidence)
    return Run(options, faults, judge(evidence), left, made.notes, time.monotonic() - began, rested_s)


def _environment(options: Options) -> dict[str, str]:
    return {
        "TESTING_MODE": "true",
        "DRIPSTREAM_SPEEDUP": f"{options.speedup:g}",
        "RESEND_RATE_LIMIT": "100",
        "NOTION_RATE_LIMIT": "100",
        "DRIPSTREAM_REPLICAS": str(options.nodes),
    }


@contextlib.contextmanager
def _disk(folder: Path, options: Options, say: Say) -> Iterator[Disk | None]:
    if not options.has_disk:
        yield None
        return
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(Disk(folder, megabytes=DISK_MB))
        except NoDisk as reason:
            say(f"the disk is never full, and power never cut: {reason}")
            disk = None
        yield disk


async def _play(made: World, options: Options, faults: list[Fault]) -> tuple[Driver, dict[str, int], float]:
    """The story and the faults beside each other, and then the quiet after it."""
    driver = Driver(made.ingest_ports)
    playing = asyncio.create_task(driver.play(story(options.seed, options.scale)))
    try:
        if options.calm_start:
            await _all_shown(made, options.people)
        await _strike_all(made, faults)
        await made.calm()
        await _until_told(playing, options.rest_s, made)
    finally:
        playing.cancel()
    made.say(f"all {len(faults)} faults are over; {len(driver.promises)} webhooks were taken, {driver.refused} refused")
    began = time.monotonic()
    left = await _rest(made, options.rest_s)
    return driver, left, time.monotonic() - began


async def _strike_all(made: World, faults: list[Fault]) -> None:
    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for fault in faults:
            await asyncio.sleep(max(0.0, start + fault.at_s - time.monotonic()))
            group.create_task(strike(made, fault))


async def _until_told(playing: asyncio.Task[None], patience_s: float, made: World) -> None:
    """The rest of the story. What is refused for ever was never promised, and says that nothing works any more."""
    try:
        await asyncio.wait_for(playing, patience_s)
    except TimeoutError:
        made.note("ingest refused webhooks to the end")


async def _all_shown(made: World, people: int) -> None:
    async with asyncio.timeout(60):
        while (await made.sandbox.get("/_control/counts")).json()["pages"] < 2 * people:
            await asyncio.sleep(REST_LOOK_S / 5)


async def _rest(made: World, patience_s: float) -> dict[str, int]:
    """Until nothing is left to do, twice in a row (the broker counts a message a moment after it has taken it).

    Returns what is left when patience ends.
    """
    deadline = time.monotonic() + patience_s
    left: dict[str, int] = {"broker": 1}
    before = left
    said = time.monotonic()
    while (left or before) and time.monotonic() < deadline:
        await asyncio.sleep(REST_LOOK_S)
        before = left
        with contextlib.suppress(*UNHEARD):
            left = await _left(made.url)
        if left and time.monotonic() - said > 20:
            made.say(f"left to do: {left}")
            said = time.monotonic()
    return left


async def _left(url: str) -> dict[str, int]:
    async with asked(url) as js:
        return await unfinished(js)


def _end(machine: Machine) -> None:
    """Whatever is still there; quietly, since all but the sandbox has been told to go."""
    with contextlib.redirect_stdout(None):
        machine.end_all()


def _keep(folder: Path, evidence: Evidence) -> None:
    text = json.dumps(asdict(evidence), default=str, indent=1)
    (folder / "evidence.json").write_text(text)
