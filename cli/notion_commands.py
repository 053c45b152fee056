"""`dripstream notion …`: the databases in Notion."""

from functools import partial
from typing import Any

import rich_click as click

from cli.command import AS_JSON, BROKER, BY, SANDBOX_PORT, WHY, load_settings, run_to_end


@click.group()
def notion() -> None:
    """Set up the databases in Notion, and see whether they are right.

    Example: `dripstream notion check`
    """


@notion.command()
@BROKER
@SANDBOX_PORT
@AS_JSON
@click.option("--parent", required=True, metavar="PAGE", help="The page they are made on: its id, or a link to it.")
def init(*, parent: str, as_json: bool, **options: Any) -> None:
    """Make the five databases on a page, with every column; print the variables to put into `.env`.

    Share the page with the integration first: on the page, ••• → Connections. Run it as often as you like: databases
    that the page has are taken, and get the columns they lack. Exit code 1 when a column has the wrong type.

    Without NOTION_TOKEN, the sandbox of a running `dripstream up` is meant; there, any id names a page.

    Example: `dripstream notion init --parent https://www.notion.so/Emails-0123456789abcdef0123456789abcdef >> .env`
    """
    from cli.notion import init as run

    run_to_end(partial(run, load_settings(**options), parent, as_json=as_json))


@notion.command()
@BROKER
@SANDBOX_PORT
@AS_JSON
def check(*, as_json: bool, **options: Any) -> None:
    """Show for each database which property each column is, and what is wrong: columns, data sources, rights.

    Nothing is changed. Exit code 1 when something has to be put right; a renamed column goes on being written.

    Example: `dripstream notion check --json | jq .problems`
    """
    from cli.notion import check_all as run

    run_to_end(partial(run, load_settings(**options), as_json=as_json))


@notion.command()
@BROKER
@SANDBOX_PORT
@AS_JSON
@click.option("--dry-run", is_flag=True, help="Only print, row by row, what would be written.")
@click.option("--contact", metavar="EMAIL", help="Only this person's rows.")
@click.option(
    "--recreate/--leave", default=None, help="Rows that somebody threw away: bring them back, or not. [default: ask]"
)
@BY
@WHY
def rebuild(*, dry_run: bool, contact: str | None, recreate: bool | None, by: str, why: str, as_json: bool,
            **options: Any) -> None:  # fmt: skip
    """Read every fact and every row, and write what differs: all rows again after a loss, nothing where all is right.

    Services go on meanwhile. Interrupt it and run it again: it goes on. What people changed by hand in Hold, Status and
    names stays. Exit code 1 when something could not be put right or was left thrown away.

    Example: `dripstream notion rebuild --dry-run --contact ada@example.com`
    """
    from cli.rebuild import rebuild as run
    from cli.who import Who

    call = partial(run, dry_run=dry_run, contact=contact, recreate=recreate, who=Who(by, why), as_json=as_json)
    run_to_end(partial(call, load_settings(**options)))


@notion.command()
@BROKER
@SANDBOX_PORT
@AS_JSON
def drift(*, as_json: bool, **options: Any) -> None:
    """Compare every row with the facts, and say in a line per database whether they agree. Nothing is written.

    Exit code 1 when anything differs: for an alarm. What differs is told by `dripstream notion rebuild --dry-run`.

    Example: `dripstream notion drift || notify "Notion does not show what happened"`
    """
    from cli.rebuild import drift as run

    run_to_end(partial(run, load_settings(**options), as_json=as_json))
