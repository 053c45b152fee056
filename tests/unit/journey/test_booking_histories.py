"""Random lives of a meeting, against a model that knows nothing of plans: somebody who looks at a calendar on a wall.

The model walks through time. At each reminder's moment it asks what the calendar says right then, and notes what it
would send. The real thing has to send exactly that, however the facts were shuffled and repeated on the way.
"""

import random
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.bookings import BookingFact, Scheduled
from contracts.ids import contact_id
from journey.contact import fold
from journey.plan import Pace, plan
from journey.simulate import simulate
from tests.factories import ADA, CAMPAIGN, NOW, make_booking_cancelled, make_booking_created, make_booking_rescheduled
from tests.unit.journey.small_campaign import PRECALL, campaign

ME = contact_id(ADA)
ONLY_PRECALL = {CAMPAIGN: campaign(PRECALL)}
HOUR = timedelta(hours=1)
HALF = timedelta(minutes=30)


@st.composite
def lives(draw: st.DrawFn) -> list[BookingFact]:
    """Booked, moved up to four times (sometimes back to a time it had), perhaps cancelled; a few hours in between."""
    now, facts = NOW, list[BookingFact]()
    starts = [NOW + draw(st.integers(1, 200)) * HOUR]
    facts.append(_booked(now, starts[0]))
    for move in range(draw(st.integers(0, 4))):
        now += draw(st.integers(1, 60)) * HOUR
        again = draw(st.booleans())
        start = draw(st.sampled_from(starts)) if again else now + draw(st.integers(1, 200)) * HOUR
        starts.append(start)
        facts.append(_moved(move, now, start))
    if draw(st.booleans()):
        now += draw(st.integers(1, 60)) * HOUR
        facts.append(make_booking_cancelled(facts[-1].uid, sent_at=now, at=now, ical_uid="one@cal"))
    return facts


def _booked(now: datetime, start: datetime) -> Scheduled:
    return make_booking_created("b0", start=start, end=start + HALF, sent_at=now, at=now, ical_uid="one@cal")


def _moved(move: int, now: datetime, start: datetime) -> Scheduled:
    return make_booking_rescheduled(
        f"b{move + 1}", f"b{move}", start=start, end=start + HALF, sent_at=now, at=now, ical_uid="one@cal"
    )


def model(life: list[BookingFact]) -> list[tuple[str, datetime]]:
    """Step and time of every reminder, by looking at the calendar at each moment."""
    sent: list[tuple[str, datetime, datetime]] = []
    for index, fact in enumerate(life):
        until = life[index + 1].sent_at if index + 1 < len(life) else datetime.max.replace(tzinfo=NOW.tzinfo)
        if not isinstance(fact, Scheduled) or fact.start - fact.sent_at < PRECALL.min_notice:
            continue
        for step in PRECALL.steps:
            moment = fact.start + step.after
            known_before = any(name == step.id and start == fact.start for name, start, _ in sent)
            got_for_another = any(name == step.id for name, _, _ in sent) and not step.again_when_moved
            if fact.sent_at <= moment < until and not known_before and not got_for_another:
                sent.append((step.id, fact.start, moment))
    return sorted(((name, moment) for name, _, moment in sent), key=lambda each: each[1])


@given(lives())
@settings(max_examples=300, deadline=None)
def test_exactly_the_reminders_of_the_model_are_sent(life: list[BookingFact]) -> None:
    result = [(each.planned.step.id, each.at) for each in simulate(ME, life, ONLY_PRECALL, Pace()).sent]
    assert sorted(result, key=lambda each: each[1]) == model(life)


@given(lives(), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_shuffled_and_repeated_facts_lead_to_the_same_plan(life: list[BookingFact], chance: random.Random) -> None:
    shuffled = [*life, *chance.choices(life, k=3)]
    chance.shuffle(shuffled)
    assert plan(fold(ME, shuffled), campaign(), Pace()) == plan(fold(ME, life), campaign(), Pace())


@given(lives(), st.lists(st.integers(0, 100), min_size=6, max_size=6))
@settings(max_examples=300, deadline=None)
def test_no_reminder_goes_to_a_meeting_known_to_be_off_or_already_begun(
    life: list[BookingFact], late: list[int]
) -> None:
    """Facts reach us hours late and out of order; what is sent is right by what was known at the time."""
    heard = [_heard(fact, delay) for fact, delay in zip(life, late, strict=False)]
    for sending in simulate(ME, heard, ONLY_PRECALL, Pace()).sent:
        known = [fact for fact in heard if fact.at <= sending.at]
        newest = max(known, key=lambda fact: fact.sent_at)
        assert isinstance(newest, Scheduled)
        assert sending.planned.occasion.time is not None
        assert sending.planned.occasion.time.start == newest.start
        assert sending.at <= newest.start


def _heard(fact: BookingFact, hours: int) -> BookingFact:
    values = {name: getattr(fact, name) for name in fact.__struct_fields__}
    return type(fact)(**(values | {"at": fact.sent_at + hours * HOUR}))


@given(lives(), st.lists(st.integers(0, 100), min_size=6, max_size=6))
@settings(max_examples=500, deadline=None)
def test_no_step_is_sent_twice_for_the_same_meeting_time(life: list[BookingFact], late: list[int]) -> None:
    heard = [_heard(fact, delay) for fact, delay in zip(life, late, strict=False)]
    sent = simulate(ME, heard, ONLY_PRECALL, Pace()).sent
    keys = [(each.planned.step.id, each.planned.occasion.anchor) for each in sent]
    assert len(keys) == len(set(keys))


@given(lives())
def test_after_a_cancellation_nothing_is_pending(life: list[BookingFact]) -> None:
    cancelled = [*life, make_booking_cancelled(life[-1].uid, sent_at=life[-1].sent_at + HOUR, ical_uid="one@cal")]
    emails = plan(fold(ME, cancelled), ONLY_PRECALL[CAMPAIGN], Pace())
    assert not any(each.is_pending for each in emails)
