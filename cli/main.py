"""The command line. Heavy imports stay inside the commands, so that `--help` is instant."""

import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cli.command import AS_JSON, BROKER, BY, DATA_DIR, PORT, SANDBOX_PORT, WHY, explained, load_settings, run_to_end
from cli.fact_commands import export, tail
from cli.insight_commands import doctor, stats
from cli.notifier_commands import notifier
from cli.notion_commands import notion
from cli.template_commands import templates
from cli.wish_commands import cancel, hold, pause, resume, send_now

click.rich_click.USE_MARKDOWN = True
click.rich_click.COMMAND_GROUPS = {
    "dripstream": [
        {"name": "Try it", "commands": ["demo", "up"]},
        {
            "name": "Run services one by one",
            "commands": ["ingest", "scheduler", "sender", "notion-sync", "notifier", "sandbox"],
        },
        {"name": "Write campaigns", "commands": ["campaigns", "templates", "simulate"]},
        {"name": "Notion", "commands": ["notion"]},
        {"name": "Look", "commands": ["contact", "pending", "failures", "stats", "doctor", "tail", "export", "schema"]},
        {"name": "Decide", "commands": ["hold", "resume", "cancel", "send-now", "pause"]},
        {"name": "Put right", "commands": ["retry", "discard", "trigger", "replay", "restored", "init"]},
    ]
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dripstream")
def dripstream() -> None:
    """Signups and bookings become emails at exactly the right time, exactly once, on NATS JetStream.

    Start with `dripstream demo`. Settings come from the environment or a file `.env`: docs/settings.md.
    """


@dripstream.command()
@BROKER
@PORT
@SANDBOX_PORT
def up(**options: Any) -> None:
    """Run everything in one process: NATS, ingest, scheduler, sender, notion-sync, and the sandbox.

    The notifier too, where NOTIFY_WEBHOOK_URL is set.

    With no setting at all it needs no account: the sandbox stands in for Resend and Notion. State is kept in the data
    folder; Ctrl-C finishes what is in hand and stops.

    Example: `RESEND_API_KEY=re_… dripstream up --port 9000`
    """
    from cli.up import up as run

    run_to_end(partial(run, load_settings(**options)))


@dripstream.command()
@DATA_DIR
@PORT
@SANDBOX_PORT
@click.option("--keep", is_flag=True, help="Leave everything running at the end, to look around.")
@click.option("--fresh", is_flag=True, help="Forget an interrupted demo instead of finishing it.")
def demo(*, keep: bool, fresh: bool, **options: Any) -> None:
    """Three signups and two calls become 25 emails and 6 Notion rows in half a minute, on this machine alone.

    Days are compressed to seconds. An interrupted demo is taken up where it was; nothing is sent twice.
    """
    from cli.demo import demo as run

    run_to_end(partial(run, load_settings(**options), keep=keep, fresh=fresh))


def _service(name: str, about: str) -> click.Command:
    def run(**options: Any) -> None:
        from cli.runtime import run_alone

        run_to_end(partial(run_alone, name, load_settings(**options)))

    run.__doc__ = f"{about}\n\nNeeds NATS_URL (or a running `dripstream up`) and `dripstream init`."
    command = click.command(name)(SANDBOX_PORT(BROKER(run)))
    return PORT(command) if name == "ingest" else command


for _name, _about in {
    "ingest": "Take webhooks and append facts.",
    "scheduler": "Turn facts into timers.",
    "sender": "Send what is due through Resend, or through the sandbox when RESEND_API_KEY is unset.",
    "notion-sync": "Show every fact in Notion, or in the sandbox when NOTION_TOKEN is unset.",
}.items():
    dripstream.add_command(_service(_name, _about))


@dripstream.command()
@SANDBOX_PORT
@DATA_DIR
def sandbox(**options: Any) -> None:
    """Run the stand-in for Resend and Notion alone; its page shows the mailbox and the tables."""
    from cli.up import sandbox as run

    run_to_end(partial(run, load_settings(**options)))


@dripstream.command()
@BROKER
@AS_JSON
@click.option("--apply", is_flag=True, help="Bring what differs into line. Without it, differences are only shown.")
def init(*, as_json: bool, apply: bool, **options: Any) -> None:
    """Create streams, buckets and consumers; show what differs from what this version wants.

    Run it as often as you like. Exit code 1 when something differs and `--apply` was not given.

    Example: `NATS_URL=nats://nats.example.com:4222 dripstream init`
    """
    from cli.operate import init as run

    run_to_end(partial(run, load_settings(**options), apply=apply, as_json=as_json))


@dripstream.command()
@BROKER
@AS_JSON
@click.option("--limit", type=click.IntRange(min=1), help="Show the next so many.")
@click.option("--contact", metavar="WHO", help="Only this person's: an address, or a contact id.")
@click.option("--campaign", metavar="NAME", help="Only of this campaign.")
@click.option("--step", metavar="STEP", help="Only this step: its name, or sequence/step.")
def pending(*, as_json: bool, limit: int | None, contact: str | None, campaign: str | None, step: str | None,
            **options: Any) -> None:  # fmt: skip
    """List pending emails in the order of their time: the same keys as `nats kv ls timers`.

    Example: `dripstream pending --contact ada@example.com --step nurture/email-3`
    """
    from cli.operate import pending as run

    call = partial(run, limit=limit, as_json=as_json, contact=contact, campaign=campaign, step=step)
    run_to_end(partial(call, load_settings(**options)))


@dripstream.command()
@BROKER
@AS_JSON
@click.argument("email")
def contact(*, as_json: bool, email: str, **options: Any) -> None:
    """Print a person's whole story: what happened, what is planned and when, what was sent, what was not and why.

    Example: `dripstream contact ada@example.com`
    """
    from cli.contact import contact as run

    run_to_end(partial(run, load_settings(**options), email, as_json=as_json))


@dripstream.command()
@BROKER
@AS_JSON
@click.argument("campaign")
@click.argument("name")
@click.argument("email")
@click.option("--first-name", help="For who never signed up.")
@click.option("--value", "values", multiple=True, metavar="NAME=TEXT", help="A variable for the templates; repeatable.")
@click.option("--id", "key", help="Makes a repeat of this command harmless.")
def trigger(
    *,
    as_json: bool,
    campaign: str,
    name: str,
    email: str,
    first_name: str | None,
    values: tuple[str, ...],
    key: str | None,
    **options: Any,
) -> None:
    """Say that something happened which no webhook tells: a call is done, an invoice paid.

    Example: `dripstream trigger christmas-2025 paid ada@example.com --id invoice-17`
    """
    from cli.trigger import trigger as run

    pairs = dict(_pair(each) for each in values)
    call = partial(run, first_name=first_name, values=pairs, key=key, as_json=as_json)
    run_to_end(partial(call, load_settings(**options), campaign, name, email))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.BadParameter(f"{text!r} is not NAME=TEXT", param_hint="--value")
    return name, value


@dripstream.command()
@click.argument("campaign")
@click.option(
    "--signup", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A signup as the website posts it."
)
@click.option("--booking", "bookings", multiple=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="A webhook as Cal.com sends it; repeat it in any order.")  # fmt: skip
@click.option("--at", "signed_up_at", type=click.DateTime(), help="When the signup came, UTC. [default: now]")
@click.option("--render", type=click.Path(path_type=Path, file_okay=False), help="Write the emails to this folder.")
@AS_JSON
def simulate(*, as_json: bool, **options: Any) -> None:
    """Show every email a person would get, with its time and subject, without any server.

    Example: `dripstream simulate christmas-2025 --signup signup.json --booking booked.json --render out/`
    """
    from cli.simulate import run

    with explained():
        run(load_settings(), as_json=as_json, **options)


@dripstream.command()
@BROKER
@click.argument("service", type=click.Choice(["scheduler", "notion-sync"]))
@click.option("--force", "-f", is_flag=True, help="Do not ask.")
@AS_JSON
def replay(service: str, *, force: bool, as_json: bool, **options: Any) -> None:
    """Let a service read EVENTS again from the first fact. Nothing is sent twice, and what is right stays as it is.

    For the scheduler it restores lost timers; for notion-sync it restores lost rows.
    """
    from cli.operate import replay as run

    if not force:
        click.confirm(f"Replay every fact to {service}?", abort=True, err=True)
    run_to_end(partial(run, load_settings(**options), service, as_json=as_json))


IDS = click.argument("ids", nargs=-1)
ALL = click.option("--all", "every", is_flag=True, help="Everything that waits, or everything with --reason.")
REASON = click.option("--reason", help="With --all: only what waits for this reason, as `failures` groups it.")


@dripstream.command()
@BROKER
@AS_JSON
def failures(*, as_json: bool, **options: Any) -> None:
    """List what waits for a person, grouped by reason: emails that failed or may have been sent, parked messages.

    It also says which service is paused, until when and why.
    """
    from cli.failures import show

    run_to_end(partial(show, load_settings(**options), as_json=as_json))


@dripstream.command()
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


@dripstream.command()
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
    from cli.failures import Who, act

    if bool(ids) == every or (reason and not every):
        raise click.UsageError("name what you mean, or say --all (with --reason to say of what)")
    call = partial(act, what=what, ids=ids, every=every, reason=reason, even_unknown=even_unknown, as_json=as_json)
    run_to_end(partial(call, load_settings(**options), who=Who(by, why)))


@dripstream.command()
@BROKER
@click.option("--down-since", type=click.DateTime(), help="When nothing could be sent any more, UTC. [default: now]")
@click.option("--force", "-f", is_flag=True, help="Do not ask.")
@AS_JSON
def restored(*, down_since: datetime | None, force: bool, as_json: bool, **options: Any) -> None:
    """After restoring a backup, before the sender starts: set aside what may have been sent since it was made.

    The facts about such emails are lost, so each becomes `unknown` and waits in `failures`; nothing goes out twice.
    docs/operations.md has the whole procedure.

    Example: `dripstream restored --down-since 2026-11-20T08:30:00`
    """
    from cli.restored import run

    if not force:
        click.confirm("Set aside every email whose time came before that?", abort=True, err=True)
    run_to_end(partial(run, load_settings(**options), down_since, as_json=as_json))


@dripstream.group()
def campaigns() -> None:
    """Check campaigns."""


@campaigns.command()
@click.option(
    "--campaigns-dir", type=click.Path(path_type=Path, exists=True, file_okay=False), help="[default: campaigns/]"
)
@AS_JSON
def check(*, as_json: bool, **options: Any) -> None:
    """Refuse, with file and line, every campaign that could fail later. The services do the same at start."""
    from cli.operate import check_campaigns

    if not check_campaigns(load_settings(**options), as_json=as_json):
        sys.exit(1)


dripstream.add_command(doctor)
dripstream.add_command(stats)
dripstream.add_command(notion)
dripstream.add_command(notifier)
dripstream.add_command(templates)
dripstream.add_command(hold)
dripstream.add_command(resume)
dripstream.add_command(cancel)
dripstream.add_command(pause)
dripstream.add_command(send_now)
dripstream.add_command(tail)
dripstream.add_command(export)


@dripstream.command()
@click.option("--write", type=click.Path(path_type=Path, dir_okay=False), help="Write the page instead of printing it.")
def schema(*, write: Path | None) -> None:
    """The JSON Schema of every fact, as a page: docs/events.md."""
    from cli.schema import page

    if write:
        write.write_text(page())
    else:
        click.echo(page(), nl=False)


def main() -> None:
    dripstream()
