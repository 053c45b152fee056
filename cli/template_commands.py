"""`dripstream templates …`: templates to and from Notion."""

from functools import partial
from typing import Any

import rich_click as click

from cli.command import AS_JSON, load_settings, quietly, run_to_end


@click.group()
def templates() -> None:
    """Move templates between the campaigns' files and the database Email Templates in Notion.

    Example: `dripstream templates diff`
    """


CAMPAIGN = click.argument("campaign", required=False)
FORCE = click.option("--force", "-f", is_flag=True, help="Overwrite what differs, without asking.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Only show what would be done.")


@templates.command()
@CAMPAIGN
@FORCE
@DRY_RUN
@AS_JSON
def push(campaign: str | None, **options: Any) -> None:
    """Write templates from the files to Notion: of one campaign, or of all. Missing rows are made, and published.

    Needs NOTION_TOKEN and NOTION_EMAIL_TEMPLATES_DB_ID. What is the same is left alone, so it may be run again at any
    time. Exit code 1 when something was left because it differs.

    Example: `dripstream templates push christmas-2025 --dry-run`
    """
    from cli.templates import push as run

    run_to_end(partial(run, quietly(load_settings()), campaign, **options))


@templates.command()
@CAMPAIGN
@FORCE
@DRY_RUN
@AS_JSON
def pull(campaign: str | None, **options: Any) -> None:
    """Write published templates from Notion to the files. What does not pass the checks is refused by name.

    Exit code 1 when something was refused, or left because it differs.

    Example: `dripstream templates pull christmas-2025`
    """
    from cli.templates import pull as run

    run_to_end(partial(run, quietly(load_settings()), campaign, **options))


@templates.command(name="diff")
@CAMPAIGN
@AS_JSON
def diff_(campaign: str | None, **options: Any) -> None:
    """Show what differs between the files and Notion, as `diff -u` does. Exit code 1 when something differs.

    Example: `dripstream templates diff christmas-2025`
    """
    from cli.templates import diff as run

    run_to_end(partial(run, quietly(load_settings()), campaign, **options))
