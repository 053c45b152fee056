"""A chat that says no is not asked again before its time."""

import pytest

from services.notifier.answer import Closed, Doubt, NotNow
from services.notifier.message import Message
from services.sandbox.faults import Fault
from tests.integration.notifier.kit import Room


@pytest.mark.parametrize(
    ("fault", "first", "then"),
    [
        (Fault(api="discord", action="status", status=404), Closed, Closed),
        (Fault(api="discord", action="status", status=429, retry_after=600), NotNow, NotNow),
        (Fault(api="discord", action="timeout_after_accept"), Doubt, None),
    ],
)
async def test_who_was_told_no_does_not_knock_again(
    room: Room, fault: Fault, first: type[object], then: type[object] | None
) -> None:
    room.sandbox.add_fault(fault)
    poster = room.poster()
    assert isinstance(await poster.post(Message("one")), first)
    if then:
        assert isinstance(await poster.post(Message("two")), then)
        assert len(room.sandbox.requests()) == 1
