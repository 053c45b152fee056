"""Labels come from closed lists; words are for people."""

from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from contracts.facts import EmailAttemptFailed, EmailFact, EmailFailed, EmailSkipped, EmailUnknown
from eventlog import deliveries, metrics, trace
from eventlog.outcomes import Done, Item, Park, Pause, Retry
from services.sender.outcome import CLOSED, RETRYABLE_MAYBE, RETRYABLE_NO
from tests.factories import ADA, NOW, make_email_id


def test_the_words_and_details_of_an_end_become_no_label() -> None:
    """They may be anything, and may name somebody."""
    before, here = counted(), deliveries.Deliveries("words")
    for outcome in (
        Done("ada@example.com", label="sent"),
        Retry(1, "ada@example.com", label="broker"),
        Park("<script>", "ada@example.com", label="undecodable"),
        Pause(1, "ada@example.com", label="key"),
    ):
        here.settled([_item(1, None)], outcome, 0.0)
    assert counted() - before == {
        ("words", "done", "sent"),
        ("words", "retry", "broker"),
        ("words", "park", "undecodable"),
        ("words", "pause", "key"),
    }


def test_the_line_says_the_words_and_leaves_out_the_details() -> None:
    parked = Park("unknown campaign", "a detail", label="unknown_campaign")
    with capture_logs() as said:
        deliveries.Deliveries("x").settled([_item(1, None)], parked, 0.0)
    assert [(line["event"], line["reason"]) for line in said] == [("park", "unknown campaign")]
    assert "a detail" not in str(said)


def counted() -> set[tuple[str, ...]]:
    samples = next(iter(deliveries.DELIVERIES.collect())).samples
    return {tuple(each.labels[name] for name in ("service", "outcome", "reason")) for each in samples if each.value}


@pytest.mark.parametrize("kind", sorted(CLOSED | RETRYABLE_NO | RETRYABLE_MAYBE))
def test_every_answer_the_sender_knows_has_a_label(kind: str) -> None:
    assert kind in metrics.REASONS


ABOUT: dict[str, Any] = {"contact": "c", "at": NOW, "email_id": make_email_id(email=ADA)}


@pytest.mark.parametrize(
    ("fact", "label"),
    [
        (EmailSkipped(**ABOUT, reason="expired"), "expired"),
        (EmailFailed(**ABOUT, reason="validation_error"), "validation_error"),
        (EmailFailed(**ABOUT, reason="ada@example.com is no address"), "other"),
        (EmailFailed(**ABOUT, reason="parked: undecodable"), "parked"),
        (EmailUnknown(**ABOUT, reason="expired while an attempt was unconfirmed"), "in_doubt"),
        (EmailAttemptFailed(**ABOUT, attempt=1, retry_at=NOW, reason="not rendered: no such variable"), "not_rendered"),
    ],
)
def test_why_an_email_ended_is_one_of_a_closed_list(fact: EmailFact, label: str) -> None:
    assert metrics.reason_of(fact) == label


def test_messages_handled_together_are_a_line_each_in_their_own_traces() -> None:
    """Above all where the newest of them, whose trace the handler works in, goes back to another webhook."""
    traces = [trace.fresh(), trace.fresh()]
    items = [_item(number, each) for number, each in enumerate(traces)]
    with capture_logs() as said:
        deliveries.Deliveries("scheduler").settled(items, Done("armed 1, purged 0", label="in_line"), 0.0)
    assert [(line["event"], line["contact"], line["event_id"], line["trace_id"]) for line in said] == [
        ("done", "c1", "x.0", traces[0].trace_id),
        ("done", "c1", "x.1", traces[1].trace_id),
    ]


def test_a_message_without_a_trace_has_one_of_its_own_from_its_handler_to_its_line() -> None:
    """Those stored before there were any, and those a person published by hand."""
    item, here = _item(1, None), deliveries.Deliveries("scheduler")
    with here.handling([item]):
        inside = trace.current()
    with capture_logs() as said:
        here.settled([item], Done("armed 1, purged 0", label="in_line"), 0.0)
    assert inside
    assert [line["trace_id"] for line in said] == [inside.trace_id]


def test_a_handler_may_end_in_a_way_of_its_own() -> None:
    """As the sender does with the wake-up of a campaign that is not loaded."""

    class LeftAlone(Done):
        pass

    with capture_logs() as said:
        deliveries.Deliveries("sender").settled(
            [_item(1, None)], LeftAlone("campaign x is not loaded here", label="campaign_not_loaded"), 0.0
        )
    assert [line["event"] for line in said] == ["done"]


def _item(number: int, belongs: trace.Trace | None) -> Item[object]:
    subject = f"events.c1.signup_received.x.{number}"
    msg = Msg(Client(), subject, data=b"", headers={trace.TRACEPARENT: belongs.header} if belongs else None)
    return Item(None, subject, number + 1, 1, msg)
