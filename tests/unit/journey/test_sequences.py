"""Sequences around a meeting and of one's own triggers: what they mean, and what is refused in them, with its line."""

from datetime import timedelta
from pathlib import Path

import pytest

from journey.campaign import load_campaign
from journey.model import EVENTS
from tests.unit.journey.campaign_folder import CALL, TOML, line_with, refusals, write

REFUSED = {
    "an unknown anchor": ('anchor = "start"', 'anchor = "middle"', "'anchor' must be one of trigger, start, end"),
    "an anchor that is no text": ('anchor = "start"', "anchor = 1", "'anchor' must be a text"),
    "a step after the start": ('\nafter = "-24h"', '\nafter = "25h"', "'after' must be before the start"),
    "a step at the start": ('after = "-90s"', 'after = "0s"', "'testing_after' must be before the start"),
    "a delay in no unit": ('after = "-24h"', 'after = "-24"', "must be a delay such as"),
    "a century before": ('after = "-24h"', 'after = "-99999d"', "must be a delay such as"),
    "a double sign": ('after = "-24h"', 'after = "--24h"', "must be a delay such as"),
    "a negative notice": ('\nmin_notice = "2h"', '\nmin_notice = "-2h"', "'min_notice' can be negative only"),
    "guests as a text": ("guests = true", 'guests = "yes"', "'guests' must be true or false"),
    "a calendar as a number": ("calendar = true", "calendar = 1", "'calendar' must be true or false"),
    "exits as a text": ('exit_on = ["paid", "no_show_reported"]', 'exit_on = "x"', "'exit_on' must be a list of texts"),
    "an exit that is no text": ('["paid", ', "[1, ", "'exit_on' must be a list of texts"),
    "an exit that is no name": ('["paid", ', '["is paid", ', "'is paid' is no name"),
    "an exit with a typo": ('"no_show_reported"]', '"no_show_report"]', "did you mean 'no_show_reported'?"),
    "an exit that is no event": ('"no_show_reported"]', '"email_sent"]', "'email_sent' is not an event that counts"),
    "an exit twice": ('["paid", ', '["paid", "paid", ', "'paid' is in 'exit_on' twice"),
    "an exit that is its trigger": ('["paid", ', '["booking_created", ', "would end as it begins"),
    "a key with a typo": ("exit_on", "exits_on", "did you mean 'exit_on'?"),
}


@pytest.mark.parametrize(("old", "new", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_meeting_sequence_is_refused_with_line_and_reason(tmp_path: Path, old: str, new: str, reason: str) -> None:
    toml = TOML + CALL.replace(old, new, 1)
    found = refusals(write(tmp_path, toml=toml))[0]
    assert found.startswith(f"campaign.toml:{line_with(toml, new) + new.startswith(chr(10))}: ")
    assert reason in found


FOREIGN = {
    "an anchor": (
        'trigger = "signup"',
        'anchor = "end"',
        """'anchor' can be 'end' only with trigger = "booking_created\"""",
    ),
    "guests": ('trigger = "signup"', "guests = true", "'guests' means nothing with this trigger"),
    "a notice": ('trigger = "signup"', 'min_notice = "2h"\ntesting_min_notice = "0m"', """with anchor = "start\""""),
    "a calendar file": ('after = "24h"', "calendar = true", "'calendar' means nothing with this trigger"),
    "a move": ('after = "24h"', "again_when_moved = false", "'again_when_moved' means nothing with this trigger"),
    "a negative delay": ('id = "email-2"', 'expires_after = "-1h"', """can be negative only with anchor = "start\""""),
}


@pytest.mark.parametrize(("after", "line", "reason"), FOREIGN.values(), ids=FOREIGN.keys())
def test_what_belongs_to_meetings_is_refused_elsewhere(tmp_path: Path, after: str, line: str, reason: str) -> None:
    toml = TOML.replace('expires_after = "2d"\n', "").replace(after, f"{after}\n{line}")
    found = refusals(write(tmp_path, toml=toml))
    assert found[0].startswith(f"campaign.toml:{line_with(toml, line)}: ")
    assert reason in found[0]


@pytest.mark.parametrize("trigger", ["booking_cancelled", "no_show_reported", "call_done"])
def test_only_bookings_have_a_start(tmp_path: Path, trigger: str) -> None:
    toml = TOML + CALL.replace("booking_created", trigger).replace(', "no_show_reported"]', "]")
    found = refusals(write(tmp_path, toml=toml))
    reason = "sequence call: 'anchor' can be 'start' only with trigger = \"booking_created\""
    assert f"campaign.toml:{line_with(toml, 'anchor = ')}: {reason}" in found


@pytest.mark.parametrize("key", ["min_notice", "testing_min_notice"])
def test_notice_needs_both_its_lengths(tmp_path: Path, key: str) -> None:
    call = "\n".join(line for line in CALL.split("\n") if not line.startswith(f"{key} ="))
    (found,) = refusals(write(tmp_path, toml=TOML + call))
    assert found.startswith(
        f"campaign.toml:{line_with(TOML + call, '[sequences.call]')}: sequence call: '{key}' is missing"
    )


def test_meeting_sequence_is_read(tmp_path: Path) -> None:
    call = load_campaign(write(tmp_path, toml=TOML + CALL)).sequences[1]
    assert (call.trigger, call.anchor, call.guests) == ("booking_created", "start", True)
    assert (call.min_notice, call.testing_min_notice) == (timedelta(hours=2), timedelta(minutes=1))
    assert call.exit_on == ("paid", "no_show_reported")
    (step,) = call.steps
    assert (step.after, step.testing_after) == (timedelta(hours=-24), timedelta(seconds=-90))
    assert (step.again_when_moved, step.calendar) == (False, True)


def test_sequence_says_nothing_of_meetings_by_default(tmp_path: Path) -> None:
    nurture = load_campaign(write(tmp_path)).sequences[0]
    assert (nurture.anchor, nurture.exit_on, nurture.guests, nurture.min_notice) == ("trigger", (), False, timedelta(0))
    assert [(step.again_when_moved, step.calendar) for step in nurture.steps] == [(True, False)] * 2


@pytest.mark.parametrize("name", [*EVENTS, "paid", "call_done", "Call-Done-2"])
def test_sequence_begins_with_an_event_or_a_name_of_ones_own(tmp_path: Path, name: str) -> None:
    campaign = load_campaign(write(tmp_path, toml=TOML.replace('trigger = "signup"', f'trigger = "{name}"')))
    assert campaign.sequences[0].trigger == name
    assert campaign.trigger_names() == {name} - set(EVENTS)


def test_cancelled_booking_may_come_with_a_calendar_file(tmp_path: Path) -> None:
    toml = TOML.replace('trigger = "signup"', 'trigger = "booking_cancelled"')
    toml = toml.replace('after = "24h"', 'after = "24h"\ncalendar = true')
    assert load_campaign(write(tmp_path, toml=toml)).sequences[0].steps[1].calendar
