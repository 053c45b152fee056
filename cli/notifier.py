"""The notifier alone, and a test of its webhook."""

from datetime import UTC, datetime

import msgspec

from cli.operate import print_json
from cli.output import output
from cli.runtime import run_alone
from services.notifier.answer import Closed, Doubt, NotNow, Outcome, Posted, Unfit
from services.notifier.message import Message
from services.notifier.poster import Poster
from services.notifier.service import configured
from services.settings import Settings


async def run(settings: Settings) -> None:
    """Until it is told to stop. Errors: ValueError without a webhook; as `run_alone`."""
    configured(settings)  # said before anybody waits for a broker
    await run_alone("notifier", settings)


async def test(settings: Settings, *, as_json: bool) -> int:
    """Exit code 0 if the chat took it. Errors: ValueError without a webhook."""
    where = configured(settings)
    poster = Poster(where, gap_s=0)
    try:
        at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        outcome = await poster.post(Message("Test", (("From", "dripstream notifier test"), ("At", at))))
    finally:
        await poster.close()
    if as_json:
        result = {"outcome": type(outcome).__name__.lower(), "form": where.kind, "host": where.host}
        print_json({**result, **msgspec.to_builtins(outcome)})
    else:
        output().print(f"{explained(outcome)} ({where})", highlight=False)
    return 0 if isinstance(outcome, Posted) else 1


def explained(outcome: Outcome) -> str:
    match outcome:
        case Posted():
            return "posted: look into the channel"
        case NotNow(after_s=seconds, reason=reason):
            return f"not taken now: {reason}; the notifier would try again after {seconds:g} s"
        case Doubt(reason=reason):
            return f"no answer: {reason}; look into the channel whether it is there"
        case Closed(reason=reason):
            return f"refused: {reason}; the webhook was deleted, or NOTIFY_WEBHOOK_URL is not all of its address"
        case Unfit(reason=reason):
            return f"refused: {reason}; is this the webhook of a Discord or Slack channel?"
