"""`dripstream tail` and `export`."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cli.command import AS_JSON, BROKER, explained, load_settings, run_to_end
from cli.durations import Moment

CONTACT = click.option("--contact", metavar="WHO", help="Only this person's: an address, or a contact id.")
TYPE = click.option("--type", "types", multiple=True, metavar="TYPE", help="Only such facts; repeatable.")
SINCE = click.option("--since", type=Moment(), metavar="TIME", help="Stored since: 10m (ago), or a time, UTC.")
UNTIL = click.option("--until", type=Moment(), metavar="TIME", help="Stored until: 10m (ago), or a time, UTC.")


@click.command()
@BROKER
@CONTACT
@TYPE
@SINCE
@click.option("--addresses", is_flag=True, help="Show addresses in the place of contact ids.")
@AS_JSON
def tail(*, contact: str | None, types: tuple[str, ...], since: datetime | None, addresses: bool, as_json: bool,
         **options: Any) -> None:  # fmt: skip
    """Show facts as they happen, one line each, until Ctrl-C. It goes on by itself after a restart of the broker.

    With `--json` each line is a whole fact, addresses included.

    Example: `dripstream tail --type email_sent --type email_failed --since 10m`
    """
    from cli.facts import wanted
    from cli.tail import tail as run

    with explained():
        what = wanted(None, types, since, None)
    run_to_end(partial(run, load_settings(**options), what, contact, addresses=addresses, as_json=as_json))


@click.command()
@BROKER
@CONTACT
@TYPE
@SINCE
@UNTIL
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), help="[default: jsonl]")
@click.option("--json", "as_json", is_flag=True, help="The same as --format jsonl, as every command has it.")
@click.option("--output", "-o", "to", type=click.Path(path_type=Path, dir_okay=False), help="A file. [default: print]")
def export(*, contact: str | None, types: tuple[str, ...], since: datetime | None, until: datetime | None, form: Any,
           as_json: bool, to: Path | None, **options: Any) -> None:  # fmt: skip
    """Write every fact, in the order stored: as JSON lines, or as CSV that no spreadsheet runs as a formula.

    The file is put in place when it is complete, and only you can read it: facts hold addresses.

    Example: `dripstream export --since 2026-11-01 --type email_sent --format csv -o sent.csv`
    """
    from cli.facts import wanted
    from cli.tail import export as run

    if as_json and form == "csv":
        raise click.UsageError("--json or --format csv: say one of them")
    with explained():
        what = wanted(None, types, since, until)
    run_to_end(partial(run, load_settings(**options), what, contact, form=form or "jsonl", to=to))
