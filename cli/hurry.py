"""`dripstream send-now`: one pending email becomes due, as a fact; the scheduler and the sender do the rest."""

from datetime import UTC, datetime

from cli.backends import reach
from cli.contact import why
from cli.operate import print_json
from cli.output import output, shown
from cli.who import Who
from cli.whom import Cannot, meant
from eventlog import topology
from eventlog.log import EventLog
from eventlog.pause import paused
from journey.campaign import load_campaigns
from journey.plan import Planned
from journey.wishes import Refusal, hurry
from services.settings import Settings

WHAT_HELPS = {
    "held": "`dripstream resume` first",
    "sent": "nothing sends it again",
    "failed": "`dripstream retry` tries it again, at once",
    "unknown": "it may have been sent: look it up at the provider, then `dripstream retry` or `dripstream discard`",
    "cancelled": "`dripstream resume` brings it back",
    "suppressed": "their address takes no mail of ours; nothing brings it back",
}


async def send_now(
    settings: Settings, target: str, *, campaign: str | None, step: str | None, who: Who, as_json: bool
) -> None:
    """Errors: Cannot, saying why and what would help; NoBroker, Unavailable, CampaignError."""
    campaigns = load_campaigns(settings.campaigns_dir)
    async with reach(settings, name="send-now") as broker:
        events = EventLog(broker)
        found = await meant(events, campaigns, settings.pace, target, campaign=campaign, step=step)
        email = _one(found.emails, found.what)
        fact = hurry(found.state, email, by=who.by, why=who.why, at=datetime.now(UTC))
        if isinstance(fact, Refusal):
            raise Cannot(refused(email.email_id, fact))
        changed = fact != "due" and not (await events.append(fact)).duplicate
        if fact != "due" and not changed:  # somebody else has just hurried it: see what came of that
            found = await meant(events, campaigns, settings.pace, email.email_id, campaign=None, step=None)
            email = _one(found.emails, found.what)
        pause = await paused(broker, topology.SENDER)
    if as_json:
        waits = pause.until if pause else None
        print_json({"email_id": email.email_id, "changed": changed, "was_due": email.due, "sender_paused_until": waits})
        return
    console, was = output(), f"{email.due:%Y-%m-%d %H:%M:%S} UTC"
    if changed:
        said = f"is due now; it was due {was}"
    elif email.due <= datetime.now(UTC):
        said = f"is due already, since {was}"
    else:  # a replica that lags does not have it yet
        said = "was hurried by somebody else just now"
    console.print(f"{email.email_id} {said}", highlight=False)
    if pause:
        console.print(
            f"[yellow]the sender is paused until {pause.until:%Y-%m-%d %H:%M:%S} UTC[/]: {shown(pause.reason)}"
        )


def _one(emails: tuple[Planned, ...], what: str) -> Planned:
    if len(emails) != 1 or emails[0].email_id != what:
        steps = ", ".join(f"{each.sequence.id}/{each.step.id}" for each in emails if each.is_pending)
        raise Cannot(f"which email? Say --step; pending: {steps or 'none'}")
    return emails[0]


def refused(email_id: str, refusal: Refusal) -> str:
    """Why it is not sent now, and what would help."""
    because = f", {why(refusal.reason)}" if refusal.reason and refusal.reason != refusal.state else ""
    state = "expired" if refusal.reason == "expired" else refusal.state
    helps = WHAT_HELPS.get(refusal.reason) or WHAT_HELPS.get(refusal.state) or "nothing was changed"
    return f"{email_id} cannot be sent now: it is {state}{because}; {helps}"
