"""An alert is told as it begins, now and then while it stands, and once it is over."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.notices import Standing
from services.notifier.standing import Finding, Kind, Note, Pace, Tell, duration, message, step

START = datetime(2026, 11, 20, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PACE = Pace.two_looks(MINUTE)
BAD = Finding("3 emails late", "look")


@dataclass
class Chat:
    """Looks, a minute apart, and what was told; `takes`: what becomes of a post."""

    now: datetime = START
    standing: Standing | None = None
    told: list[tuple[datetime, Kind]] = field(default_factory=list)

    def look(self, finding: Finding | None, *, after: timedelta = MINUTE, takes: str = "posted") -> Kind | None:
        self.now += after
        match step(self.standing, finding, self.now, PACE):
            case Note(standing):
                self.standing = standing
            case Tell() as tell:
                if takes != "not":
                    self.told.append((self.now, tell.kind))
                self.standing = {"posted": tell.told, "not": tell.owed, "doubt": tell.begun}[takes]
                return tell.kind
        return None

    def looks(self, *findings: Finding | None) -> list[Kind | None]:
        return [self.look(each) for each in findings]

    @property
    def kinds(self) -> list[Kind]:
        return [kind for _, kind in self.told]


def test_it_is_told_at_the_second_look_and_over_at_the_second_without() -> None:
    assert Chat().looks(BAD, BAD, BAD, None, None, None) == [None, "begun", None, None, "over", None]


def test_one_look_is_nothing() -> None:
    assert Chat().looks(BAD, None, BAD, None, None, BAD, None) == [None] * 7


def test_one_look_without_it_ends_nothing() -> None:
    assert Chat().looks(BAD, BAD, None, BAD, None, BAD, BAD).count("begun") == 1


def test_two_looks_of_two_notifiers_at_the_same_moment_are_one() -> None:
    chat = Chat()
    assert [chat.look(BAD), chat.look(BAD, after=timedelta(seconds=1))] == [None, None]


def test_it_is_told_again_every_six_hours() -> None:
    chat = Chat()
    for _ in range(14 * 60):
        chat.look(BAD)
    assert chat.kinds == ["begun", "still", "still"]
    assert [b - a for (a, _), (b, _) in zip(chat.told, chat.told[1:], strict=False)] == [timedelta(hours=6)] * 2


def test_more_of_it_is_told_sooner_and_not_at_once() -> None:
    chat = Chat()
    chat.looks(Finding("1", "", 1), Finding("1", "", 1))
    assert chat.looks(*[Finding("2", "", 2)] * 9) == [None] * 9
    assert chat.looks(*[Finding("2", "", 2)] * 20) == ["still", *[None] * 19]


def test_what_the_chat_did_not_take_is_told_at_the_next_look() -> None:
    chat = Chat()
    chat.look(BAD)
    assert [chat.look(BAD, takes="not"), chat.look(BAD, takes="not"), chat.look(BAD)] == ["begun"] * 3
    assert chat.look(BAD) is None


def test_what_began_and_ended_while_the_chat_was_away_is_told_as_over() -> None:
    chat = Chat()
    chat.look(BAD)
    chat.look(BAD, takes="not")
    assert chat.looks(None, None, None) == [None, "over", None]


def test_a_post_in_doubt_is_repeated_ever_more_rarely() -> None:
    chat = Chat()
    chat.look(BAD)
    for _ in range(6 * 60):
        chat.look(BAD, takes="doubt")
    waits = [b - a for (a, _), (b, _) in zip(chat.told, chat.told[1:], strict=False)]
    assert waits[:3] == [2 * MINUTE, 6 * MINUTE, 24 * MINUTE]
    assert set(waits[3:]) == {60 * MINUTE}


def test_a_crash_before_the_post_was_noted_tells_it_once_more() -> None:
    chat = Chat()
    chat.look(BAD)
    chat.look(BAD, takes="doubt")
    assert chat.looks(BAD, BAD, BAD, BAD).count("begun") == 1


LOOKS = st.lists(st.tuples(st.booleans(), st.integers(1, 400), st.sampled_from(["posted", "posted", "not", "doubt"])))


@given(LOOKS)
def test_whatever_is_found_what_is_told_makes_sense(looks: list[tuple[bool, int, str]]) -> None:
    """Nothing stands or is over that has not begun; it is over once; and once begun it ends, if it goes away."""
    chat = Chat()
    for found, minutes, takes in looks:
        chat.look(BAD if found else None, after=timedelta(minutes=minutes), takes=takes)
    chat.look(None, after=timedelta(hours=3))
    chat.look(None)
    assert chat.standing is None or chat.standing.over
    before: Kind = "over"
    doubted = any(takes != "posted" for *_, takes in looks)
    for _, kind in chat.told:
        if not doubted:
            assert (before, kind) in {
                ("over", "begun"), ("begun", "still"), ("still", "still"), ("begun", "over"), ("still", "over"),
            }  # fmt: skip
        before = kind
    assert not chat.told or before == "over"


@given(st.lists(st.booleans(), max_size=200))
def test_a_condition_that_never_holds_for_two_looks_is_never_told(looks: list[bool]) -> None:
    chat = Chat()
    for found in looks:
        chat.look(BAD if found else None)
        chat.look(None)
    assert chat.told == []


@given(LOOKS)
def test_it_is_never_told_more_often_than_every_six_hours(looks: list[tuple[bool, int, str]]) -> None:
    chat = Chat()
    for found, minutes, _ in looks:
        chat.look(BAD if found else None, after=timedelta(minutes=minutes))
    for (earlier, _), (later, kind) in zip(chat.told, chat.told[1:], strict=False):
        assert kind != "still" or later - earlier >= PACE.again


def test_over_says_how_long_it_stood() -> None:
    standing = Standing(since=START, gone_at=START + timedelta(hours=2, minutes=5), told_at=START)
    shown = message("EmailsLate", "over", standing, None, START + timedelta(hours=3))
    assert shown.title == "EmailsLate: over"
    assert shown.lines == (("Stood", "2 h 5 min, since 2026-11-20 10:00 UTC"),)


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=40), "40 s"),
        (timedelta(minutes=5, seconds=40), "5 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=1, hours=4, minutes=9), "1 day 4 h"),
        (timedelta(days=11, minutes=9), "11 days"),
    ],
)
def test_durations_are_shown_in_their_two_biggest_parts(length: timedelta, shown: str) -> None:
    assert duration(length) == shown
