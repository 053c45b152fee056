from datetime import UTC, datetime

import pytest

from contracts.facts import EmailAttemptFailed, EmailFailed, EmailSent, EmailUnknown
from eventlog.claims import Claim
from journey.plan import Pace
from services.sender.outcome import Accepted, Answer, Close, Outcome, Record, Refused, Wait, closed_for, outcome
from tests.factories import NOW, at, make_email_id

CLAIM = Claim(
    email_id=make_email_id(),
    body="{}",
    template="christmas_email_1",
    template_version="v1",
    subject="Hello",
    attempt=2,
    attempt_at=NOW,
)


def result(answer: Answer) -> Outcome:
    return outcome(CLAIM, answer, Pace(), NOW, at(seconds=1))


def test_an_accepted_email_is_sent_and_settled() -> None:
    record = result(Accepted("re_9"))
    assert isinstance(record, Record)
    assert isinstance(record.fact, EmailSent)
    assert (record.fact.provider_id, record.fact.subject, record.final) == ("re_9", "Hello", True)


@pytest.mark.parametrize("kind", ["rate_limit_exceeded", "resource_locked"])
def test_a_clear_not_now_is_an_attempt_that_was_not_accepted(kind: str) -> None:
    record = result(Refused(429, kind, retry_after_s=400))
    assert isinstance(record, Record)
    assert isinstance(record.fact, EmailAttemptFailed)
    assert (record.fact.accepted, record.fact.attempt, record.final) == ("no", 2, False)
    assert record.fact.retry_at == at(seconds=401)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, "application_error"),
        (500, "internal_server_error"),
        (503, "service_unavailable"),
        (502, "something_new"),
        (0, "HttpClientError"),
    ],
)
def test_what_may_have_been_accepted_says_so(status: int, kind: str) -> None:
    record = result(Refused(status, kind))
    assert isinstance(record, Record)
    assert isinstance(record.fact, EmailAttemptFailed)
    assert record.fact.accepted == "maybe"
    assert record.fact.retry_at == at(seconds=301)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "daily_quota_exceeded"),
        (429, "monthly_quota_exceeded"),
        (401, "missing_api_key"),
        (401, "restricted_api_key"),
        (403, "invalid_api_key"),
        (403, "suspended_api_key"),
    ],
)
def test_quota_and_key_trouble_closes_the_sender_not_the_email(status: int, kind: str) -> None:
    close = result(Refused(status, kind))
    assert isinstance(close, Close)
    assert (close.fact.reason, close.fact.accepted) == (kind, "no")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (422, "missing_required_field"),
        (400, "validation_error"),
        (403, "validation_error"),
        (422, "invalid_from_address"),
        (400, "invalid_idempotency_key"),
        (404, "not_found"),
    ],
)
def test_what_will_never_be_accepted_fails_the_email(status: int, kind: str) -> None:
    record = result(Refused(status, kind, "to: ada@example.com is wrong"))
    assert isinstance(record, Record)
    assert isinstance(record.fact, EmailFailed)
    assert record.final
    assert "example.com" not in record.fact.reason + record.fact.detail


def test_the_same_email_being_sent_right_now_is_waited_for() -> None:
    assert result(Refused(409, "concurrent_idempotent_requests")) == Wait(3.0)


def test_the_same_key_with_another_body_is_a_doubt() -> None:
    record = result(Refused(409, "invalid_idempotent_request"))
    assert isinstance(record, Record)
    assert isinstance(record.fact, EmailUnknown)


def test_a_closed_provider_is_asked_again_when_it_may_have_opened() -> None:
    """A daily quota at midnight UTC, a key every few minutes, a monthly quota every hour."""
    evening = datetime(2026, 12, 1, 23, 58, tzinfo=UTC)
    assert 120 < closed_for(Refused(429, "daily_quota_exceeded"), evening) < 180
    assert closed_for(Refused(403, "invalid_api_key"), evening) == 300
    assert closed_for(Refused(429, "monthly_quota_exceeded"), evening) == 3600
