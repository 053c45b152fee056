"""`dripstream stats` and `dripstream doctor`: how it went, and whether all is well."""

from datetime import datetime
from functools import partial
from typing import Any

import rich_click as click

from cli.command import AS_JSON, BROKER, SANDBOX_PORT, load_settings, quietly, run_to_end


@click.command()
@BROKER
@AS_JSON
@click.option("--campaign", metavar="CAMPAIGN", help="Only this campaign.")
@click.option(
    "--since", type=click.DateTime(), metavar="TIME", help="Only emails that ended, or were due, from then on, UTC."
)
@click.option("--targets", is_flag=True, help="Whether the targets of docs/targets.md are held, and since when.")
def stats(*, targets: bool, campaign: str | None, since: datetime | None, as_json: bool, **options: Any) -> None:
    """Count the emails of each campaign and step: planned, sent, skipped, failed, delivered, opened, clicked, bounced.

    `planned` is every email there was to be: pending, held, sent, skipped, failed or unknown.

    Everything is counted from the facts, person by person: 10,000 people with 100,000 facts took 6 seconds of one core.
    How far it is goes to standard error.

    With `--targets`, exit code 1 when a target is not held; what was not measured yet is said so, and is no failure.

    Example: `dripstream stats --campaign christmas-2025 --since 2026-01-01`

    Example: `dripstream stats --targets --json | jq 'select(.held == false)'`
    """
    from cli.stats import stats as count
    from cli.targets import targets as measure

    settings = quietly(load_settings(**options))
    if targets and (campaign or since):
        raise click.UsageError("--targets is about everything, over its own window: leave --campaign and --since out")
    if targets:
        run_to_end(partial(measure, settings, as_json=as_json))
    else:
        run_to_end(partial(count, settings, campaign=campaign, since=since, as_json=as_json))


@click.command()
@BROKER
@SANDBOX_PORT
@AS_JSON
def doctor(*, as_json: bool, **options: Any) -> None:
    """Look at everything Dripstream needs, and say for each what is wrong with it and what to do.

    NATS, its passwords and the rights of this user, clocks, streams, consumers, disk, keys, the sender's domain (SPF,
    DKIM, DMARC), Notion, templates and settings. No secret is printed. Exit code 1 when something is in trouble; 0 with
    warnings.

    It changes nothing but for one probe: whether there is room can be found out only by writing, so it writes the key
    `doctor` into the bucket `sends`, which goes by itself after a second. And it knocks at NATS with each service's
    name and no password: the server's log shows that as refused.

    Example: `dripstream doctor --json | jq 'select(.state == "trouble")'`
    """
    from cli.doctor import doctor as run

    run_to_end(partial(run, quietly(load_settings(**options)), as_json=as_json))
