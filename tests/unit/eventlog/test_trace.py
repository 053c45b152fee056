"""Trace contexts as others write them, and as ours travel. The good and bad forms are those of the W3C document."""

import asyncio

import pytest

from eventlog import trace
from eventlog.trace import Trace

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE_ID}-{SPAN_ID}-01"


@pytest.mark.parametrize(
    ("header", "flags"),
    [(GOOD, 1), (GOOD[:-2] + "00", 0), ("cc" + GOOD[2:], 1), ("cc" + GOOD[2:] + "-what-the-future-will-be", 1)],
)
def test_a_trace_context_of_any_version_is_read(header: str, flags: int) -> None:
    assert trace.parse(header) == Trace(TRACE_ID, SPAN_ID, flags)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        GOOD.upper(),
        GOOD + "-more",
        GOOD + "\n",
        "ff" + GOOD[2:],
        GOOD.replace(TRACE_ID, "0" * 32),
        GOOD.replace(SPAN_ID, "0" * 16),
        GOOD.replace(TRACE_ID, TRACE_ID[1:]),
        GOOD.replace("-", "_"),
        "cc" + GOOD[2:] + "-" + "x" * 1000,
        "\u0664" + GOOD[1:],
    ],
)
def test_what_is_no_trace_context_is_none(header: str | None) -> None:
    assert trace.parse(header) is None


def test_ours_is_one_that_others_read() -> None:
    made = trace.fresh()
    assert trace.parse(made.header) == made
    assert trace.fresh().trace_id != made.trace_id


def test_what_is_stored_belongs_to_what_led_to_it() -> None:
    here = trace.fresh()
    with trace.within(here):
        assert trace.injected({"a": "b"}) == {"a": "b", "traceparent": here.header}
    assert trace.current() is None


def test_what_nothing_led_to_begins_a_trace() -> None:
    first, second = (trace.carried(trace.injected(None)).trace_id for _ in range(2))
    assert first != second


def test_a_message_from_before_there_were_traces_gets_one() -> None:
    assert trace.parse(trace.carried(None).header)


async def test_work_side_by_side_keeps_to_its_own_trace() -> None:
    async def work(mine: Trace) -> bool:
        with trace.within(mine):
            await asyncio.sleep(0)
            return trace.current() is mine

    assert all(await asyncio.gather(*(work(trace.fresh()) for _ in range(8))))


def test_without_a_recorder_a_span_changes_nothing() -> None:
    with trace.span("handle", "consumer"):
        assert trace.current() is None
