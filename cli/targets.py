"""`dripstream stats --targets`: whether the targets are held, computed from EVENTS, and since when."""

from typing import Any

from cli.backends import reach
from cli.everybody import everybody, webhooks_counted
from cli.operate import print_json
from cli.output import output
from cli.stats import left_out
from eventlog.clock import BrokerClock
from journey.campaign import load_campaigns
from journey.tally import Fate
from journey.targets import WINDOW, Measured, Name, Target, not_held
from services.settings import Settings

TITLES: dict[Name, str] = {
    "delivery": "emails delivered: above 99 %",
    "webhooks": "webhooks taken: above 99 %",
    "answers": "webhooks answered below 500 ms: above 99 %",
    "duplicates": "emails sent once: all (duplicates 0 %)",
}
SHOWN = {True: "[green]held[/]", False: "[red]not held[/]", None: "[yellow]not measured yet[/]"}


async def targets(settings: Settings, *, as_json: bool) -> int:
    """Exit code 1 where one is not held, or somebody's facts could not be read.

    Errors: NoBroker, Unavailable, CampaignError.
    """
    campaigns, measured = load_campaigns(settings.campaigns_dir), Measured()

    def take(found: list[Fate]) -> None:
        for each in found:
            measured.email(each)

    async with reach(settings, name="stats") as broker:
        clock = BrokerClock(broker)
        await clock.measure()
        read = await everybody(broker, campaigns, settings.pace, take)
        async for fact in webhooks_counted(broker):
            measured.answers(fact)
    found = measured.targets(clock.now())
    if as_json:
        for each in found:
            print_json(document(each))
    else:
        _print(found)
    return max(left_out(read), int(bool(not_held(found))))


def document(target: Target) -> dict[str, Any]:
    return {
        "target": target.name,
        "held": target.held,
        "state": _state(target),
        "value": target.value,
        "least": target.least,
        "since": target.since,
        "window_days": WINDOW.days,
        "cases": target.cases.all,
        "bad": target.cases.bad,
        "cases_ever": target.ever.all,
        "bad_ever": target.ever.bad,
        "apart": dict(target.apart),
    }


def _state(target: Target) -> str:
    return {True: "held", False: "not held", None: "not measured yet"}[target.held]


def _print(found: list[Target]) -> None:
    """Two lines each, so that they fit into a narrow terminal."""
    console = output()
    for each in found:
        since = f" since {each.since:%Y-%m-%d %H:%M} UTC" if each.since else ""
        console.print(f"{SHOWN[each.held]}{since}: [bold]{TITLES[each.name]}[/]", highlight=False)
        days = f"{_share(each.value)} of the last {WINDOW.days} days ({each.cases.good} of {each.cases.all})"
        ever = f"{_share(each.ever.share())} ever" if each.ever.all else ""
        apart = [f"{number:g} {what}" for what, number in each.apart.items() if number]
        said = [days if each.cases.all else "", ever, *apart]
        console.print(f"  {', '.join(filter(None, said)) or 'no case yet'}", highlight=False)


def _share(value: float | None) -> str:
    """Rounded down: 99.999 % is not shown as all."""
    return "" if value is None else f"{int(value * 10_000) / 100:.2f} %"
