"""`dripstream simulate`: every email a person would get, without any server."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from cli.contact import why
from cli.operate import print_json
from cli.output import output, shown
from contracts.bookings import BookingFact
from contracts.facts import AnyFact, SignupReceived
from contracts.ids import digest
from journey.campaign import Campaign, load_campaigns
from journey.plan import plan_all
from journey.simulate import Life, Sending, simulate
from journey.templates import Rendered
from journey.templates import render as render_template
from journey.values import values_of
from journey.views import zone_of
from services.ingest.calcom import Ignored, Told
from services.ingest.calcom import translate as translate_booking
from services.ingest.signup import translate as translate_signup
from services.settings import Settings


def run(
    settings: Settings,
    *,
    campaign: str,
    signup: Path | None,
    bookings: tuple[Path, ...],
    signed_up_at: datetime | None,
    render: Path | None,
    as_json: bool,
) -> None:
    """Errors: ValueError naming the file and what is wrong with it; CampaignError."""
    campaigns = load_campaigns(settings.campaigns_dir)
    if campaign not in campaigns:
        raise ValueError(f"there is no campaign {campaign}; there are: {', '.join(sorted(campaigns))}")
    moment = signed_up_at.replace(tzinfo=UTC) if signed_up_at else datetime.now(UTC)
    facts = facts_of(campaign, signup, bookings, moment)
    chosen = {campaign: campaigns[campaign]}
    life = simulate(facts[0].contact, facts, chosen, settings.pace)
    mails = [(each, rendered(each, campaigns[campaign])) for each in life.sent]
    if render:
        write(mails, render)
    if as_json:
        for sending, mail in mails:
            print_json(_line(sending, mail))
    else:
        _show(output(), life, mails, chosen, settings)
        if render:
            output().print(f"{len(mails)} emails written to {render}")


def facts_of(campaign: str, signup: Path | None, bookings: tuple[Path, ...], moment: datetime) -> list[AnyFact]:
    """The facts that the files would become; all about one person. Errors: ValueError."""
    facts: list[AnyFact] = [_signup(campaign, signup, moment)] if signup else []
    for file in bookings:
        facts += _booking(file, moment)
    if not facts:
        raise ValueError("nothing to simulate: give --signup, --booking or both")
    if len({fact.contact for fact in facts}) > 1:
        raise ValueError("the files are about more than one person; simulate one at a time")
    return facts


def _signup(campaign: str, file: Path, moment: datetime) -> SignupReceived:
    result = translate_signup(_read(file), campaign, moment)
    if isinstance(result, SignupReceived):
        return result
    raise ValueError(f"{file}: " + "; ".join(f"{each.field} {each.problem}" for each in result))


def _booking(file: Path, moment: datetime) -> list[AnyFact]:
    """Known when it was sent, as if it had arrived at once."""
    result = translate_booking(_read(file), moment, digest(file.read_text()))
    match result:
        case Told(facts):
            return [_at_once(fact) for fact in facts]
        case Ignored(event):
            raise ValueError(f"{file}: {event or 'no trigger'} is not acted on")
        case problem:
            raise ValueError(f"{file}: {problem.field} {problem.problem}")


def _at_once(fact: BookingFact) -> AnyFact:
    arrived: AnyFact = msgspec.structs.replace(fact, at=fact.sent_at)  # type: ignore[assignment]  # one of the union
    return arrived


def _read(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ValueError(f"{file}: {error}") from error


def rendered(sending: Sending, campaign: Campaign) -> Rendered:
    """As it would be sent at that moment. Errors: RenderError, naming the template."""
    values = values_of(sending.contact, campaign, sending.planned.occasion)
    template = campaign.template_for(sending.planned.step, values)
    return render_template(template, campaign.variables_for(values))


def write(mails: list[tuple[Sending, Rendered]], folder: Path) -> None:
    """One HTML and one text file for each, numbered in the order sent."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (sending, mail) in enumerate(mails, start=1):
        name = f"{number:02}-{sending.planned.sequence.id}-{sending.planned.step.id}"
        (folder / f"{name}.html").write_text(mail.html)
        (folder / f"{name}.txt").write_text(f"Subject: {mail.subject}\n\n{mail.text}")


def _line(sending: Sending, mail: Rendered) -> dict[str, Any]:
    planned = sending.planned
    about = {"sequence": planned.sequence.id, "step": planned.step.id, "email_id": planned.email_id}
    return {"at": sending.at, **about, "subject": mail.subject}


def _show(
    console: Console,
    life: Life,
    mails: list[tuple[Sending, Rendered]],
    campaigns: dict[str, Campaign],
    settings: Settings,
) -> None:
    zone = zone_of(life.contact)
    table = Table(
        "when (UTC)", f"when ({zone})", "email", "subject", title="Would be sent", title_justify="left", box=None
    )
    for sending, mail in mails:
        local = f"{sending.at.astimezone(zone):%a %Y-%m-%d %H:%M}"
        name = f"{sending.planned.sequence.id} {sending.planned.step.id}"
        table.add_row(f"{sending.at:%Y-%m-%d %H:%M}", local, name, shown(mail.subject))
    console.print(table)
    others = [each for each in plan_all(life.contact, campaigns, settings.pace).values() if each.state != "sent"]
    if others:
        console.print("\n[bold]Would not be sent[/]")
        for each in others:
            console.print(
                f"  {each.sequence.id} {each.step.id} ({each.planned_for:%Y-%m-%d %H:%M}): {shown(why(each.reason))}"
            )
