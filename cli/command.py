"""What commands of the command line share: options, settings, and how they run and end."""

import asyncio
import contextlib
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import rich_click as click

DATA_DIR = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where state lives. [default: .dripstream, DRIPSTREAM_DATA_DIR]"
)
CONTEXT = click.option(
    "--context",
    "nats_context",
    metavar="NAME",
    help="A context of the nats command, instead of NATS_URL, NATS_USER and so on; `.`: the selected one.",
)


def BROKER(command: Callable[..., Any]) -> Callable[..., Any]:  # noqa: N802 - used as the options beside it
    """For each command that reaches NATS: which one."""
    return DATA_DIR(CONTEXT(command))


PORT = click.option("--port", type=int, help="Port of the webhooks. [default: 8000]")
SANDBOX_PORT = click.option(
    "--sandbox-port", type=int, help="Port of the stand-in for Resend and Notion. [default: 8025]"
)


def who_is_here() -> str:
    """The person behind a `sudo`, or who is logged in; a container may have a user without a name."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _line(_: click.Context, param: click.Parameter, value: str) -> str:
    """As over NATS: one line, and nobody decides without a name."""
    from services.questions import LINE, one_line

    said = one_line(value)
    if len(said) > LINE or (param.name == "by" and not said):
        raise click.BadParameter(
            f"one line of up to {LINE} characters" + (", and not empty" if param.name == "by" else "")
        )
    return said


BY = click.option(
    "--by", default=who_is_here, callback=_line, help="Who decides. [default: the name you are logged in with]"
)
WHY = click.option("--why", default="", callback=_line, help="Kept with the decision.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document per line, for programs.")


def load_settings(**options: Any) -> Any:
    """The settings, or an exit that names what is wrong with them, without values."""
    from pydantic import ValidationError

    from cli.nats_context import with_context
    from services.logs import configure
    from services.settings import Settings

    given = {name: value for name, value in options.items() if value is not None}
    try:
        settings = with_context(Settings.load(**given), chosen="nats_context" in given)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        _exit("settings: " + "; ".join(lines))
    except ValueError as error:
        _exit(f"settings: {error}")
    configure(settings.log_format)
    return settings


def quietly(settings: Any) -> Any:
    """For a command that says itself what the log of a service says."""
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return settings


def run_to_end(main: Callable[[], Awaitable[int | None]]) -> None:
    """Run to the end; what can be explained is explained in one line, and is an exit code of 1."""

    async def run() -> int | None:
        return await main()

    with explained():
        runner = asyncio.Runner(loop_factory=loop_factory())
        with runner:
            sys.exit(runner.run(run()) or 0)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    from cli.backends import NoBroker
    from eventlog.connection import Unavailable
    from eventlog.server import ServerFailed
    from eventlog.topology import Incomplete, OldServer
    from journey.campaign import CampaignError

    try:
        yield
    except (NoBroker, Unavailable, ServerFailed, Incomplete, OldServer, CampaignError, ValueError) as error:
        _exit(str(error))
    except OSError as error:
        _exit(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    except KeyboardInterrupt:
        click.echo("dripstream: interrupted; what was done stays, and it may be run again", err=True)
        sys.exit(130)


def _exit(message: str) -> Any:
    click.secho(f"dripstream: {message}", fg="red", err=True)
    sys.exit(1)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # Windows has none
        return None
    return uvloop.new_event_loop
