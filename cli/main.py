"""The command line. Heavy imports stay inside the commands, so that `--help` is instant."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cli.command import AS_JSON, BROKER, BY, DATA_DIR, PORT, SANDBOX_PORT, WHY, explained, load_settings, run_to_end
from cli.fact_commands import export, tail
from cli.insight_commands import doctor, stats
from cli.notifier_commands import notifier
from cli.notion_commands import notion
from cli.repair_commands import discard, failures, replay, restored, retry, trigger
from cli.template_commands import templates
from cli.wish_commands import cancel, hold, pause, resume, send_now

click.rich_click.TEXT_MARKUP = "markdown"
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

    Example: `dripstream demo --keep`
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

    Example: `dripstream demo --keep`
    """
    from cli.demo import demo as run

    run_to_end(partial(run, load_settings(**options), keep=keep, fresh=fresh))


def _service(name: str, about: str) -> click.Command:
    def run(**options: Any) -> None:
        from cli.runtime import run_alone

        run_to_end(partial(run_alone, name, load_settings(**options)))

    run.__doc__ = (
        f"{about}\n\nNeeds NATS_URL (or a running `dripstream up`) and `dripstream init`."
        f"\n\nExample: `NATS_URL=nats://nats.example.com:4222 dripstream {name}`"
    )
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
    """Run the stand-in for Resend and Notion alone; its page shows the mailbox and the tables.

    Example: `dripstream sandbox --sandbox-port 8026`
    """
    from cli.up import sandbox as run

    run_to_end(partial(run, load_settings(**options)))


@dripstream.command()
@BROKER
@AS_JSON
@click.option("--apply", is_flag=True, help="Bring what differs into line. Without it, differences are only shown.")
@BY
@WHY
def init(*, as_json: bool, apply: bool, by: str, why: str, **options: Any) -> None:
    """Create streams, buckets and consumers; show what differs from what this version wants.

    Run it as often as you like. Exit code 1 when something differs and `--apply` was not given.

    Example: `NATS_URL=nats://nats.example.com:4222 dripstream init`
    """
    from cli.operate import init as run
    from cli.who import Who

    run_to_end(partial(run, load_settings(**options), apply=apply, who=Who(by, why), as_json=as_json))


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
@click.argument("who")
def contact(*, as_json: bool, who: str, **options: Any) -> None:
    """Print a person's whole story: what happened, what is planned and when, what was sent, what was not and why.

    WHO is an address, or a contact id, which may be shortened as long as it is clear.

    Example: `dripstream contact ada@example.com`
    """
    from cli.contact import contact as run

    run_to_end(partial(run, load_settings(**options), who, as_json=as_json))


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


@dripstream.group()
def campaigns() -> None:
    """Check campaigns.

    Example: `dripstream campaigns check`
    """


@campaigns.command()
@click.option(
    "--campaigns-dir", type=click.Path(path_type=Path, exists=True, file_okay=False), help="[default: campaigns/]"
)
@AS_JSON
def check(*, as_json: bool, **options: Any) -> None:
    """Refuse, with file and line, every campaign that could fail later. The services do the same at start.

    Exit code 1 when there is one.

    Example: `dripstream campaigns check --campaigns-dir .`
    """
    from cli.operate import check_campaigns

    if not check_campaigns(load_settings(**options), as_json=as_json):
        sys.exit(1)


for _command in (
    *(doctor, stats, tail, export, notion, notifier, templates),
    *(hold, resume, cancel, pause, send_now),
    *(failures, retry, discard, trigger, replay, restored),
):
    dripstream.add_command(_command)


@dripstream.command()
@click.option("--write", type=click.Path(path_type=Path, dir_okay=False), help="Write the page instead of printing it.")
@AS_JSON
def schema(*, write: Path | None, as_json: bool) -> None:
    """The JSON Schema of every fact, as a page: docs/events.md. With `--json`, the schema of each on a line.

    Example: `dripstream schema --json | jq 'select(.type == "email_sent")'`
    """
    from cli.schema import lines, page

    text = lines() if as_json else page()
    if write:
        write.write_text(text)
    else:
        click.echo(text, nl=False)


def main() -> None:
    dripstream()
