"""Labels come from closed lists, and those know every word the code can end with."""

import ast
from collections.abc import Iterator
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from contracts.facts import EmailAttemptFailed, EmailFact, EmailFailed, EmailSkipped, EmailUnknown
from eventlog import deliveries, metrics, trace
from eventlog.outcomes import Done, Item, Park, Pause, Retry
from services.sender.outcome import CLOSED, RETRYABLE_MAYBE, RETRYABLE_NO
from services.settings import ROOT
from tests.factories import ADA, NOW, make_email_id

ENDS = {
    "Done": 0, "_NotWanted": 0, "_LeftAlone": 0, "_settle": 2, "Retry": 1, "NotNow": 1, "Pause": 1, "Park": 0,
    "Unavailable": 0,
}  # fmt: skip
"""What makes an outcome, and at which place it says why."""


def words() -> Iterator[str]:
    """What is said as a text, up to the first part that is worked out."""
    folders = ("eventlog", "services/scheduler", "services/sender", "services/notion_sync", "services/notifier")
    for path in (path for folder in folders for path in (ROOT / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if isinstance(node, ast.Call) and name in ENDS and len(node.args) > ENDS[name]:
                said = node.args[ENDS[name]]
                first = said.values[0] if isinstance(said, ast.JoinedStr) else said
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


NOT_OUTCOMES = {"left as it is", "noted", "the page it points to is not there yet", "somebody is writing it"}
"""Those of a rebuild, which is no consumer."""


@pytest.mark.parametrize("said", sorted(set(words()) - NOT_OUTCOMES))
def test_every_way_to_end_has_a_label(said: str) -> None:
    assert deliveries.reason_of(Done(said)) != "other"


def test_the_words_are_found() -> None:
    assert {"armed ", "undecodable", "stopping", "not connected to NATS", "already "} <= set(words())


@pytest.mark.parametrize("kind", sorted(CLOSED))
def test_every_reason_to_pause_has_a_label(kind: str) -> None:
    assert deliveries.reason_of(Pause(1, kind)) in {"quota", "key"}


@pytest.mark.parametrize("outcome", [Retry(1, "ada@example.com"), Park("<script>"), Done("anything")])
def test_free_text_never_becomes_a_label(outcome: Retry | Park | Done) -> None:
    assert deliveries.reason_of(outcome) == "other"


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
        deliveries.Deliveries("scheduler").settled(items, Done("armed 1, purged 0"), 0.0)
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
        here.settled([item], Done("armed 1, purged 0"), 0.0)
    assert inside
    assert [line["trace_id"] for line in said] == [inside.trace_id]


def test_a_handler_may_end_in_a_way_of_its_own() -> None:
    """As the sender does with the wake-up of a campaign that is not loaded."""

    class LeftAlone(Done):
        pass

    with capture_logs() as said:
        deliveries.Deliveries("sender").settled([_item(1, None)], LeftAlone("campaign x is not loaded here"), 0.0)
    assert [line["event"] for line in said] == ["done"]


def _item(number: int, belongs: trace.Trace | None) -> Item[object]:
    subject = f"events.c1.signup_received.x.{number}"
    msg = Msg(Client(), subject, data=b"", headers={trace.TRACEPARENT: belongs.header} if belongs else None)
    return Item(None, subject, number + 1, 1, msg)
