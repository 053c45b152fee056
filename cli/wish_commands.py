"""`dripstream hold`, `resume`, `cancel`, `pause`: what operators decide. Every one is a fact, with who and why."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import rich_click as click

from cli.command import AS_JSON, BROKER, BY, WHY, load_settings, run_to_end
from cli.durations import Duration
from cli.names import CONSUMERS
from services.durations import LONGEST_PAUSE

CAMPAIGN = click.option("--campaign", metavar="NAME", help="Only what comes of this campaign.")
STEP = click.option("--step", metavar="STEP", help="Only this email: sequence/step, its step, or its email id.")
EVERYBODY = click.option("--all", "everybody", is_flag=True, help="With --campaign: everybody who is in it.")
FORCE = click.option("--force", "-f", is_flag=True, help="Do not ask.")


def _about_people(command: Any) -> Any:
    for option in (AS_JSON, WHY, BY, FORCE, EVERYBODY, STEP, CAMPAIGN, BROKER):
        command = option(command)
    return command


@click.command()
@_about_people
@click.argument("who", required=False)
def hold(who: str | None, **options: Any) -> None:
    """Send a person nothing until somebody resumes it: everything, one campaign, or one email.

    WHO is an address, a contact id, or an email id; ids may be shortened as long as they are clear.

    Example: `dripstream hold ada@example.com --campaign christmas-2025 --why "on holiday"`
    """
    _wish("hold", who, **options)


@click.command()
@_about_people
@click.argument("who", required=False)
def cancel(who: str | None, **options: Any) -> None:
    """Send a person none of it any more: everything, one campaign, or one email. `resume` takes it back.

    Example: `dripstream cancel ada@example.com --step nurture/email-3 --why "asked by phone"`
    """
    _wish("cancel", who, **options)


@click.command()
@_about_people
@click.argument("who", required=False)
def resume(who: str | None, **options: Any) -> None:
    """Let a paused service go on now, or what was held or cancelled for a person.

    WHO is a service (sender, scheduler, notion-sync, notifier; sender if left out), or a person: an address, a contact
    id, or an email id. A service would go on by itself, later; a person would not.

    Examples: `dripstream resume`, `dripstream resume notion-sync`, `dripstream resume ada@example.com`
    """
    who = None if options["everybody"] else who or "sender"
    if who not in CONSUMERS:
        if who and "@" not in who and not who.startswith("c"):  # every contact id does
            raise click.UsageError(f"{who!r} is neither a service ({', '.join(CONSUMERS)}) nor a person")
        _wish("resume", who, **options)
        return
    if options["campaign"] or options["step"]:
        raise click.UsageError("whose? name a person, or say --all with --campaign")
    from cli.failures import lift
    from cli.who import Who

    settings = load_settings(data_dir=options["data_dir"], nats_context=options["nats_context"])
    decides, as_json = Who(options["by"], options["why"]), options["as_json"]
    run_to_end(partial(lift, settings, who, decides, as_json=as_json))


def _wish(verb: str, who: str | None, *, campaign: str | None, step: str | None, everybody: bool, force: bool,
          **options: Any) -> None:  # fmt: skip
    from cli.who import Who
    from cli.wishes import wish_for, wish_for_all

    if everybody == bool(who) or (everybody and (step or not campaign)):
        raise click.UsageError("name a person, or say --campaign NAME --all for everybody in it")
    decides, as_json = Who(options.pop("by"), options.pop("why")), options.pop("as_json")
    if who:
        one = partial(wish_for, verb=verb, target=who, campaign=campaign, step=step, who=decides, as_json=as_json)
        run_to_end(partial(one, load_settings(**options)))
    else:
        every = partial(wish_for_all, verb=verb, campaign=campaign or "", who=decides, force=force, as_json=as_json)
        run_to_end(partial(every, load_settings(**options)))


@click.command("send-now")
@BROKER
@CAMPAIGN
@STEP
@BY
@WHY
@AS_JSON
@click.argument("email")
def send_now(email: str, *, campaign: str | None, step: str | None, by: str, why: str, as_json: bool,
             **options: Any) -> None:  # fmt: skip
    """Send one pending email now instead of at its time. It is sent once; the others keep their times.

    EMAIL is an email id, or a person (address or contact id) with --step. What has ended, is held, cancelled or not
    wanted is refused, with the reason.

    Example: `dripstream send-now ada@example.com --step nurture/email-3 --why "asked for it by phone"`
    """
    from cli.hurry import send_now as run
    from cli.who import Who

    call = partial(run, target=email, campaign=campaign, step=step, who=Who(by, why), as_json=as_json)
    run_to_end(partial(call, load_settings(**options)))


@click.command()
@BROKER
@AS_JSON
@click.argument("service", type=click.Choice(CONSUMERS), default="sender")
@click.option("--for", "for_", type=Duration(LONGEST_PAUSE), metavar="LONG", help="How long: 30m, 2h, 1d, 1h30m.")
@click.option("--until", type=click.DateTime(), help="Until when, UTC, instead of how long.")
@BY
@WHY
def pause(service: str, *, for_: timedelta | None, until: datetime | None, by: str, why: str, as_json: bool,
          **options: Any) -> None:  # fmt: skip
    """Let a service do nothing for a while, in every process of it; what is due meanwhile is done after it.

    Nothing is lost: webhooks are still taken, and emails wait. `dripstream resume` ends it earlier.

    Example: `dripstream pause --for 2h --why "the offer has a wrong price"`
    """
    if (for_ is None) == (until is None):
        raise click.UsageError("say how long: --for 2h, or --until 2026-11-20T18:00:00")
    now = datetime.now(UTC)
    left = for_ or (until or now).replace(tzinfo=UTC) - now
    if left <= timedelta(0):
        raise click.UsageError("--until is over already; times are UTC")
    if left > LONGEST_PAUSE:
        raise click.UsageError(f"--until is more than {LONGEST_PAUSE.days} days away: stop the service instead")
    from cli.failures import put_off
    from cli.who import Who

    call = partial(put_off, service=service, for_=left, who=Who(by, why), as_json=as_json)
    run_to_end(partial(call, load_settings(**options)))
