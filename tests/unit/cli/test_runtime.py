"""Starting while the broker is not quite there."""

from typing import Any

import pytest

from cli import runtime
from cli.runtime import _when_it_answers
from eventlog import topology
from eventlog.connection import Unavailable
from services.settings import Settings


class Require:
    """Answers after so many refusals."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    async def __call__(self, *_: Any, **__: Any) -> list[Any]:
        self.refusals -= 1
        if self.refusals >= 0:
            raise Unavailable("choosing a leader")
        return []


async def test_a_service_started_while_a_cluster_chooses_a_leader_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "RESTART_S", 0.01)
    monkeypatch.setattr(topology, "require", Require(3))
    assert await _when_it_answers(None, Settings.load()) == []  # type: ignore[arg-type]


async def test_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "RESTART_S", 0.01)
    monkeypatch.setattr(runtime, "CONNECT_S", 0.1)
    monkeypatch.setattr(topology, "require", Require(1_000_000))
    with pytest.raises(Unavailable):
        await _when_it_answers(None, Settings.load())  # type: ignore[arg-type]
