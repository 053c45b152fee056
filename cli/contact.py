"""`dripstream contact`: a person's whole story, and so the answer to "why did, or didn't, she get this?"."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from rich.console import Console
from rich.table import Table

from cli.backends import reach
from cli.operate import print_json
from cli.output import output, shown
from cli.whom import Cannot, clear
from contracts.bookings import BookingFact, Scheduled
from contracts.deliveries import DeliveryFact
from contracts.facts import AnyFact, EmailFact, SignupReceived, Triggered
from contracts.ids import EmailId, contact_id
from contracts.notion import RowIncomplete
from contracts.operations import OperationsFact, OperatorActed, ServicePaused, ServiceResumed, WebhooksCounted
from contracts.operators import ContactCorrected, HandlingFailed, OperatorFact, OperatorHurried, OperatorIntent
from eventlog.log import EventLog
from journey.campaign import load_campaigns
from journey.contact import Contact, fold
from journey.plan import Planned, plan_all
from journey.views import story, zone_of
from services.settings import Settings

STYLE = {"pending": "cyan", "held": "blue", "sent": "green", "skipped": "yellow", "failed": "red", "unknown": "magenta"}
WHY = {
    "meeting_too_soon": "the meeting was booked too shortly before it began",
    "booked_too_late": "its time had passed when the meeting was booked",
    "booking_cancelled": "the meeting was cancelled",
    "booking_rescheduled": "the meeting moved to another time",
    "booking_rejected": "the organiser declined the meeting",
    "booking_not_confirmed": "the organiser has not confirmed the meeting",
    "reschedule_requested": "the organiser asked for another time",
    "already_sent_before_it_moved": "it was sent for the meeting's earlier time, and once is enough",
    "already_sent_for_this_time": "it was sent for this very time before",
    "no_show_withdrawn": "the no-show was taken back",
    "no_show_reported": "they did not come to the meeting",
    "nothing_to_take_back": "no calendar file had been sent",
    "booking_created": "they booked a meeting",
    "held": "somebody holds it; it goes on with a resume",
    "cancelled": "somebody called it off",
    "came_due_while_held": "its time came while it was held, and this campaign sends nothing late",
    "suppressed": "their mail server or they themselves refused our mail for good",
    "expired": "it was no longer worth sending when its time came",
    "not_planned": "the campaign no longer has this email",
}


async def contact(settings: Settings, who: str, *, as_json: bool) -> None:
    """By address, or by contact id, which may be shortened. Errors: Cannot; NoBroker, Unavailable, CampaignError."""
    campaigns = load_campaigns(settings.campaigns_dir)
    async with reach(settings, name="contact") as broker:
        events = EventLog(broker)
        found = contact_id(who) if "@" in who else clear(who, await events.contacts(), "nobody")
        facts = await events.history(found)
    if not facts:
        raise Cannot(f"nobody of that address is known (contact {found})")
    state = fold(found, facts)
    planned = list(plan_all(state, campaigns, settings.pace).values())
    if as_json:
        print_json(story(state, facts, planned))
    else:
        _show(output(), state, facts, planned)


def why(reason: str | None) -> str:
    """In words, the machine's word behind."""
    return f"{WHY[reason]} ({reason})" if reason in WHY else reason or ""


def _show(console: Console, state: Contact, facts: Sequence[AnyFact], planned: Sequence[Planned]) -> None:
    zone = zone_of(state)
    console.print(f"[bold]{shown(state.address)}[/]  contact {state.id}  zone {zone}\n", highlight=False)
    heard = Table("received (UTC)", "fact", "", title="What happened", title_justify="left", box=None)
    for fact in sorted(facts, key=lambda each: each.at):
        heard.add_row(f"{fact.at:%Y-%m-%d %H:%M:%S}", fact.tag, shown(describe(fact)))
    console.print(heard)
    console.print()
    console.print(emails_table(planned, zone))


def emails_table(planned: Sequence[Planned], zone: tzinfo) -> Table:
    """What is planned and when, what was sent, and what was not and why."""
    table = Table(
        "email", "state", "when (UTC)", f"when ({zone})", "why", title="Emails", title_justify="left", box=None
    )
    for each in planned:
        when = each.email.end.at if each.state == "sent" and each.email.end else each.due
        name = f"{each.sequence.id} {each.step.id}"
        state = f"[{STYLE[each.state]}]{each.state}[/]"
        table.add_row(name, state, _time(when, UTC), _time(when, zone), shown(why(each.reason) or _retries(each)))
    return table


def _retries(each: Planned) -> str:
    if not each.email.attempts:
        return ""
    last = each.email.attempts[max(each.email.attempts)]
    return f"attempt {last.attempt} failed: {last.reason}"


def _time(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def describe(fact: AnyFact) -> str:
    """One fact in a few words."""
    if isinstance(fact, SignupReceived):
        return f"{fact.campaign}, score {fact.assessment.assessment_score}, {fact.first_name}"
    if isinstance(fact, Scheduled):
        moved = " (moved)" if fact.reschedule_uid else ""
        return f"meeting on {fact.start:%Y-%m-%d %H:%M} UTC{moved}"
    if isinstance(fact, BookingFact):
        return str(getattr(fact, "reason", None) or "")
    if isinstance(fact, Triggered):
        return f"{fact.campaign} {fact.name}, by {fact.by}" + _because(fact.why)
    if isinstance(fact, HandlingFailed):
        return f"{fact.consumer}: {fact.reason}"
    if isinstance(fact, ContactCorrected):
        return f"{fact.field}: {fact.was or 'nothing'} -> {fact.value or 'nothing'}, by {fact.by}"
    if isinstance(fact, RowIncomplete):
        return f"{fact.database}: no room for {', '.join(fact.columns)}"
    if isinstance(fact, OperatorFact | OperatorIntent | OperatorHurried):
        about = fact.what if isinstance(fact, OperatorFact) else fact.what.partition(".")[2] or "everything"
        return f"{about}, by {fact.by}" + _because(fact.why)
    if isinstance(fact, OperationsFact):
        return _describe_operations(fact)
    return _describe_email(fact)


def _describe_operations(fact: OperationsFact) -> str:
    match fact:
        case ServicePaused():
            return f"{fact.service} until {fact.until:%Y-%m-%d %H:%M:%S} UTC, by {fact.by}" + _because(fact.why)
        case ServiceResumed():
            return f"{fact.service}, by {fact.by}" + _because(fact.why)
        case OperatorActed():
            return f"{fact.did} {fact.about}".strip() + f", by {fact.by}" + _because(fact.why)
        case WebhooksCounted():
            counts = [f"{name} {each.accepted + each.refused + each.failed}" for name, each in fact.routes.items()]
            return ", ".join(counts)
        case _:
            raise TypeError(f"no words for {fact.tag}")


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _describe_email(fact: EmailFact | DeliveryFact) -> str:
    email = EmailId.parse(fact.email_id) if fact.email_id else None
    name = f"{email.sequence} {email.step}" if email else "an email we do not know"
    said = getattr(fact, "subject", None) or getattr(fact, "reason", "") or getattr(fact, "link", "")
    return f"{name}: {said}" if said else name
