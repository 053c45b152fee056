"""Facts are of ever more kinds: whatever happened to somebody, their rows are worked out again from all of it."""

import msgspec
import pytest

from contracts.codec import decode_fact
from contracts.facts import FACTS, AnyFact
from eventlog.connection import Broker
from eventlog.outcomes import Done
from services.notion_sync.handlers import Shell
from services.sandbox.app import Sandbox
from services.settings import ROOT
from tests.factories import make_signup
from tests.integration.notion_sync.kit import ME, append, counts, sequence_rows, wake


def published(kind: type[msgspec.Struct]) -> list[AnyFact]:
    """As it was ever published, about the same person."""
    folder = ROOT / "tests" / "contracts" / "golden"
    files = sorted(folder.glob(f"{kind.__struct_config__.tag}.*.json"))
    return [msgspec.structs.replace(decode_fact(path.read_bytes()), contact=ME) for path in files]


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
async def test_any_fact_leads_to_the_right_rows(
    broker: Broker, shell: Shell, sandbox: Sandbox, kind: type[msgspec.Struct]
) -> None:
    """The signup is in the log, and what wakes the handler is something else."""
    facts = published(kind)
    assert facts
    await append(broker, make_signup(), *facts)
    for fact in facts:
        assert isinstance(await wake(shell, fact), Done)
    assert counts(sandbox) == (1, 1)
    assert sequence_rows(sandbox)[0]["Campaign"] == "Christmas 2025"
    asked = len(sandbox.requests())
    assert isinstance(await wake(shell, *facts, attempt=2), Done)
    assert len(sandbox.requests()) == asked
