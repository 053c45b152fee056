"""Hold, resume and cancel on the command line: facts that say who and why, in rounds."""

import msgspec
import pytest

from cli.who import Who
from cli.whom import Cannot, meant
from cli.wishes import in_campaign, kept_by, make, wish_for_all
from contracts.ids import contact_id
from contracts.operators import OperatorCancelled, OperatorHeld, OperatorIntent
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.server import NatsServer
from journey.contact import fold
from journey.plan import Pace
from services.settings import Settings
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
    found, unreadable = await in_campaign(events, campaign(), Pace())
    assert (found, unreadable) == (sorted([ME, contact_id("grace@example.com")]), [])


async def everybody(server: NatsServer, verb: str) -> int | None:
    settings = Settings.load(nats_url=server.url)
    return await wish_for_all(settings, verb, CAMPAIGN, who=GRACE, force=True, as_json=False)


async def test_who_was_called_off_stays_so_when_everybody_is_held_and_resumed(
    nats_server: NatsServer, events: EventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else one hold and one resume of all would send to whoever said: no more."""
    await events.append(make_signup("hopper@example.com"))
    await make(events, fold(ME, await events.history(ME)), "cancel", f"{ME}.{CAMPAIGN}", GRACE)
    for verb, did in (("hold", "held"), ("resume", "resumed")):
        assert await everybody(nats_server, verb) == 0
        said = f"{did}: {CAMPAIGN} for 1 of 2 people; 0 were so already; 1 stay cancelled: resume them by name"
        assert said in " ".join(capsys.readouterr().out.split())
    assert [type(each) for each in await wishes(events)] == [OperatorCancelled]
    assert all(each.reason == "cancelled" for each in (await meant(events, CAMPAIGNS, Pace(), ADA)).emails)


async def test_who_was_called_off_is_told_apart_for_programs(
    nats_server: NatsServer, events: EventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    await make(events, fold(ME, await events.history(ME)), "cancel", f"{ME}.{CAMPAIGN}", GRACE)
    settings = Settings.load(nats_url=nats_server.url)
    assert await wish_for_all(settings, "resume", CAMPAIGN, who=GRACE, force=True, as_json=True) == 0
    told = {"did": "left alone", "what": f"{ME}.{CAMPAIGN}", "changed": False, "stays": "cancelled"}
    assert msgspec.json.decode(capsys.readouterr().out) == told


async def test_whom_nobody_can_read_is_named_and_everybody_else_is_held(
    nats_server: NatsServer, broker: Broker, events: EventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    people = sorted([ME, *(contact_id(f"p{number}@example.com") for number in range(2))])
    for number in range(2):
        await events.append(make_signup(f"p{number}@example.com"))
    await broker.publish(f"events.{people[0]}.from_the_future.1", b'{"type":"from_the_future"}')
    assert await everybody(nats_server, "hold") == 1
    said = capsys.readouterr()
    assert f"held: {CAMPAIGN} for 2 of 2 people" in said.out
    assert f"not held, as this version cannot read their facts: {people[0]}" in said.err
    for person in people[1:]:
        assert isinstance(fold(person, await events.history(person)).intent(f"{person}.{CAMPAIGN}"), OperatorHeld)
