"""Everything broken at random and repeatably, in small: `make chaos` is the same in large."""

from pathlib import Path

from chaos.report import FINDINGS, figures
from chaos.run import planned, run, short

SEED = 1


async def test_nothing_is_lost_or_doubled_whatever_breaks(tmp_path: Path) -> None:
    """Two of each service, a dozen people, and faults of every kind that is over quickly."""
    came_to = await run(short(SEED), tmp_path, print)
    counted = figures(came_to)
    assert {name: counted[name] for name in FINDINGS} == dict.fromkeys(FINDINGS, 0), came_to.verdict.findings
    assert counted["Notion rows wrong"] == counted["Notion rows doubled"] == 0
    assert came_to.unfinished == {}
    ended = counted["sent"] + counted["skipped"] + counted["unknown"]  # in doubt when its meeting began, say
    assert ended == counted["emails planned"] >= 7 * short(SEED).people
    assert counted["faults"] == short(SEED).faults


def test_the_same_seed_breaks_the_same_things() -> None:
    options = short(SEED)
    assert planned(options, disk=True) == planned(options, disk=True)
    assert planned(options, disk=True) != planned(short(SEED + 1), disk=True)
