"""What is worth an alert."""

from datetime import timedelta

import pytest

from contracts.subjects import Timer
from eventlog.lag import Lag
from eventlog.pause import Paused
from eventlog.pulling import Pulling
from services.notifier import rules
from services.notifier.rules import Limits
from tests.factories import NOW, at, make_email_id

LIMITS = Limits(late=timedelta(minutes=15), lag=timedelta(minutes=10), no_signups=timedelta(hours=24))


def timer(minutes_late: int, step: str = "email-1") -> Timer:
    return Timer.at(make_email_id(step), at(minutes=-minutes_late))


def test_emails_are_late_after_the_limit_and_the_oldest_is_named() -> None:
    found = rules.emails_late([timer(15), timer(20, "email-2"), timer(16), timer(-5)], NOW, LIMITS)
    assert found
    assert found.text.startswith("2 emails late, the oldest by 20 min (christmas-2025/nurture/email-2, contact c")
    assert rules.emails_late([timer(15), timer(-600)], NOW, LIMITS) is None


def test_parked_messages_are_counted_by_consumer_and_more_of_them_is_news() -> None:
    subjects = ["parked.sender.email.due.x.1", "parked.sender.email.due.y.2", "parked.notion_sync.events.x.3"]
    advisory = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.EVENTS.scheduler"
    found = rules.messages_parked(rules.by_consumer([*subjects, advisory]), 9)
    assert found
    assert (found.text, found.level) == ("4 messages parked: 1 of notion_sync, 1 of scheduler, 2 of sender", 9)
    assert rules.messages_parked({}, 9) is None


def test_a_pause_says_until_when_and_why() -> None:
    found = rules.service_paused("sender", Paused(NOW, "daily_quota_exceeded"))
    assert found
    assert found.text == f"sender is paused until {NOW:%Y-%m-%d %H:%M} UTC: daily_quota_exceeded"
    assert rules.service_paused("sender", None) is None


def test_a_service_lags_by_the_age_of_the_oldest_fact() -> None:
    assert rules.service_lags("notion-sync", Lag(5_000, 599), LIMITS) is None
    found = rules.service_lags("notion-sync", Lag(1, 7_300), LIMITS)
    assert found
    assert found.text == "notion-sync is behind by 1 fact, the oldest 2 h 1 min old"


@pytest.mark.parametrize(
    ("pulling", "down"),
    [
        (Pulling(0, None), True),
        (Pulling(0, at(minutes=-3)), True),
        (Pulling(0, at(minutes=-1)), False),
        (Pulling(1, None), False),
        (Pulling(2, at(minutes=-3)), False),
    ],
)
def test_a_service_is_down_when_nobody_asks_and_nothing_is_handed_out(pulling: Pulling, down: bool) -> None:
    assert (rules.service_down("sender", pulling, NOW, LIMITS) is not None) is down


def test_no_signups_is_off_unless_wanted() -> None:
    off = Limits(late=LIMITS.late, lag=LIMITS.lag)
    assert rules.no_signups(at(days=-30), NOW, off) is None
    assert rules.no_signups(at(hours=-24), NOW, LIMITS) is None
    found = rules.no_signups(at(hours=-25), NOW, LIMITS)
    assert found
    assert found.text.startswith("no signup for 1 day 1 h, since ")
