"""Hold, resume and cancel on the command line: facts that say who and why, in rounds."""

import pytest

from cli.who import Who
from cli.whom import Cannot, meant
from cli.wishes import in_campaign, kept_by, make
from contracts.ids import contact_id
from contracts.operators import OperatorCancelled, OperatorHeld, OperatorIntent
from eventlog.connection import Broker
from eventlog.log import EventLog
from journey.contact import fold
from journey.plan import Pace
from tests.factories import ADA, CAMPAIGN, make_email_id, make_held, make_signup
from tests.unit.journey.test_plan import campaign

GRACE = Who("grace", "on holiday")
ME = contact_id(ADA)
CAMPAIGNS = {CAMPAIGN: campaign()}


@pytest.fixture
async def events(broker: Broker) -> EventLog:
    events = EventLog(broker)
    await events.append(make_signup())
    return events


async def wishes(events: EventLog) -> list[OperatorIntent]:
    return [each for each in await events.history(ME) if isinstance(each, OperatorIntent)]


async def test_a_wish_is_a_fact_with_who_and_why(events: EventLog) -> None:
    found = await meant(events, CAMPAIGNS, Pace(), ADA)
    assert (found.what, len(found.emails)) == (ME, 7)
    await make(events, found.state, "hold", found.what, GRACE)
    [fact] = await wishes(events)
    assert (type(fact), fact.what, fact.round, fact.by, fact.why) == (OperatorHeld, ME, 0, "grace", "on holiday")


async def test_a_wish_that_is_so_already_is_no_fact(events: EventLog) -> None:
    for _ in range(2):
        found = await meant(events, CAMPAIGNS, Pace(), ADA, campaign=CAMPAIGN)
        made = await make(events, found.state, "hold", found.what, GRACE)
    assert made.fact is None
    assert len(await wishes(events)) == 1


async def test_hold_and_resume_take_turns_in_rounds(events: EventLog) -> None:
    for verb in ("hold", "resume", "hold"):
        found = await meant(events, CAMPAIGNS, Pace(), ADA)
        await make(events, found.state, verb, found.what, GRACE)
    assert [each.round for each in await wishes(events)] == [0, 1, 2]


async def test_a_stronger_wish_of_the_same_moment_counts_and_is_told(events: EventLog) -> None:
    found = await meant(events, CAMPAIGNS, Pace(), ADA)
    await make(events, found.state, "cancel", found.what, Who("hopper"))
    with pytest.raises(Cannot, match="hopper wished something stronger"):
        await make(events, found.state, "hold", found.what, GRACE)
    assert isinstance(fold(ME, await events.history(ME)).intent(ME), OperatorCancelled)


async def test_a_person_is_meant_by_address_contact_or_the_beginning_of_an_email_id(events: EventLog) -> None:
    for text, what in {
        ADA.upper(): ME,
        ME[:8]: ME,
        f"{ME}.{CAMPAIGN}": f"{ME}.{CAMPAIGN}",
        make_email_id("email-3"): make_email_id("email-3"),
        f"{ME[:8]}.{CAMPAIGN}.nurture.once.email-3": make_email_id("email-3"),
    }.items():
        assert (await meant(events, CAMPAIGNS, Pace(), text)).what == what


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("grace@example.com", {}, "nobody of that address"),
        ("czzz", {}, "nobody we know"),
        (ADA, {"campaign": "easter"}, "there is no campaign easter; there are: christmas-2025"),
        (ADA, {"step": "email-9"}, "is no email of theirs"),
    ],
)
async def test_nobody_and_nothing_known_is_refused(
    events: EventLog, text: str, options: dict[str, str], says: str
) -> None:
    with pytest.raises(Cannot, match=says):
        await meant(events, CAMPAIGNS, Pace(), text, **options)


async def test_what_still_keeps_an_email_back_is_named(events: EventLog) -> None:
    await events.append(make_held(f"{ME}.{CAMPAIGN}"))
    found = await meant(events, CAMPAIGNS, Pace(), ADA)
    assert (await make(events, found.state, "resume", found.what, GRACE)).fact is None
    assert [each.what for each in kept_by(found.state, list(found.emails))] == [f"{ME}.{CAMPAIGN}"]


async def test_everybody_in_a_campaign_is_who_gets_anything_of_it(events: EventLog) -> None:
    await events.append(make_signup("grace@example.com"))
    await events.append(make_held(email="nobody@example.com"))
    assert await in_campaign(events, campaign(), Pace()) == sorted([ME, contact_id("grace@example.com")])
