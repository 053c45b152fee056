"""What went wrong, and how it is put right: `failures`, `retry`, `discard`, `trigger`, `replay`, `restored`."""

from datetime import datetime
from functools import partial
from typing import Any

import rich_click as click

from cli.command import AS_JSON, BROKER, BY, WHY, load_settings, run_to_end
from cli.names import REPLAYED

FORCE = click.option("--force", "-f", is_flag=True, help="Do not ask.")


@click.command()
@BROKER
@AS_JSON
@click.argument("campaign")
@click.argument("name")
@click.argument("email")
@click.option("--first-name", help="For who never signed up.")
@click.option("--value", "values", multiple=True, metavar="NAME=TEXT", help="A variable for the templates; repeatable.")
@click.option("--id", "key", help="Makes a repeat of this command harmless.")
@BY
@WHY
def trigger(campaign: str, name: str, email: str, *, first_name: str | None, values: tuple[str, ...], key: str | None,
            as_json: bool, **options: Any) -> None:  # fmt: skip
    """Say that something happened which no webhook tells: a call is done, an invoice paid.

    Example: `dripstream trigger christmas-2025 paid ada@example.com --id invoice-17 --why "the bank says so"`
    """
    from cli.trigger import Told
    from cli.trigger import trigger as run
    from cli.who import Who

    told = Told(campaign, name, email, first_name, dict(_pair(each) for each in values), key)
    call = partial(run, told=told, who=Who(options.pop("by"), options.pop("why")), as_json=as_json)
    run_to_end(partial(call, load_settings(**options)))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.BadParameter(f"{text!r} is not NAME=TEXT", param_hint="--value")
    return name, value


@click.command()
@BROKER
@click.argument("service", type=click.Choice(REPLAYED))
@FORCE
@BY
@WHY
@AS_JSON
def replay(service: str, *, force: bool, by: str, why: str, as_json: bool, **options: Any) -> None:
    """Let a service read EVENTS again from the first fact. Nothing is sent twice, and what is right stays as it is.

    For the scheduler it restores lost timers; for notion-sync it restores lost rows.

    Example: `dripstream replay notion-sync --force --why "somebody emptied the database"`
    """
    from cli.operate import replay as run
    from cli.who import Who

    if not force:
        click.confirm(f"Replay every fact to {service}?", abort=True, err=True)
    run_to_end(partial(run, load_settings(**options), service, who=Who(by, why), as_json=as_json))


IDS = click.argument("ids", nargs=-1)
ALL = click.option("--all", "every", is_flag=True, help="Everything that waits, or everything with --reason.")
REASON = click.option("--reason", help="With --all: only what waits for this reason, as `failures` groups it.")


@click.command()
@BROKER
@AS_JSON
def failures(*, as_json: bool, **options: Any) -> None:
    """List what waits for a person, grouped by reason: emails that failed or may have been sent, parked messages.

    It also says which service is paused, until when and why.

    Example: `dripstream failures --json | jq -r 'select(.kind == "parked").id'`
    """
    from cli.failures import show

    run_to_end(partial(show, load_settings(**options), as_json=as_json))


@click.command()
@BROKER
@IDS
@ALL
@REASON
@click.option("--even-unknown", is_flag=True, help="Also what may have been sent: it may arrive twice then.")
@BY
@WHY
@AS_JSON
def retry(*, ids: tuple[str, ...], every: bool, even_unknown: bool, **options: Any) -> None:
    """Try failed emails and parked messages again, at once. An id may be shortened as long as it is clear.

    Example: `dripstream retry --all --reason validation_error --why "the sender domain is verified now"`
    """
    _decide("retry", ids, every=every, even_unknown=even_unknown, **options)


@click.command()
@BROKER
@IDS
@ALL
@REASON
@BY
@WHY
@AS_JSON
def discard(*, ids: tuple[str, ...], every: bool, **options: Any) -> None:
    """Leave failed emails and parked messages as they are; they are listed no more. Their history stays.

    Example: `dripstream discard cq3v7 --why "called them instead"`
    """
    _decide("discard", ids, every=every, even_unknown=True, **options)


def _decide(what: str, ids: tuple[str, ...], *, every: bool, reason: str | None, by: str, why: str,
            even_unknown: bool, as_json: bool, **options: Any) -> None:  # fmt: skip
    from cli.failures import act
    from cli.who import Who

    if bool(ids) == every or (reason and not every):
        raise click.UsageError("name what you mean, or say --all (with --reason to say of what)")
    call = partial(act, what=what, ids=ids, every=every, reason=reason, even_unknown=even_unknown, as_json=as_json)
    run_to_end(partial(call, load_settings(**options), who=Who(by, why)))


@click.command()
@BROKER
@click.option("--down-since", type=click.DateTime(), help="When nothing could be sent any more, UTC. [default: now]")
@FORCE
@BY
@WHY
@AS_JSON
def restored(*, down_since: datetime | None, force: bool, by: str, why: str, as_json: bool, **options: Any) -> None:
    """After restoring a backup, before the sender starts: set aside what may have been sent since it was made.

    The facts about such emails are lost, so each becomes `unknown` and waits in `failures`; nothing goes out twice.
    docs/operations.md has the whole procedure.

    Example: `dripstream restored --down-since 2026-11-20T08:30:00`
    """
    from cli.restored import run
    from cli.who import Who

    if not force:
        click.confirm("Set aside every email whose time came before that?", abort=True, err=True)
    run_to_end(partial(run, load_settings(**options), down_since, who=Who(by, why), as_json=as_json))
