"""`dripstream notifier …`: tell people in a chat what cannot wait."""

from functools import partial
from typing import Any

import rich_click as click

from cli.command import AS_JSON, BROKER, load_settings, quietly, run_to_end


@click.group(invoke_without_command=True)
@BROKER
@click.pass_context
def notifier(context: click.RichContext, /, **options: Any) -> None:
    """Post alerts and CRITICAL signups to a Discord or Slack channel.

    Needs NOTIFY_WEBHOOK_URL, and NATS_URL (or a running `dripstream up`) with `dripstream init`. Signups from before
    its first start are not told.

    Example: `NOTIFY_WEBHOOK_URL=https://hooks.slack.com/services/… dripstream notifier`
    """
    if context.invoked_subcommand is None:
        from cli.notifier import run

        run_to_end(partial(run, load_settings(**options)))


@notifier.command()
@AS_JSON
def test(*, as_json: bool) -> None:
    """Post a message that says it is a test, and show what came back. It needs no NATS.

    Exit code 1 when the chat did not take it.

    Example: `NOTIFY_WEBHOOK_URL=https://discord.com/api/webhooks/… dripstream notifier test`
    """
    from cli.notifier import test as run

    run_to_end(partial(run, quietly(load_settings()), as_json=as_json))
