"""Notion is away for a whole journey: nobody's email waits for it, and afterwards it shows everything."""

import msgspec

from contracts.facts import EmailSent
from tests.e2e.people import AIKO, MARIA
from tests.e2e.processes import Machine
from tests.e2e.site import CONTACTS, SEQUENCES, Row, Site, broker_of, each_email_was_sent_once, history, started
from tests.waiting import eventually

ON_TIME_S = 60
BACK_S = 90
"""It is asked again every half minute at most, and a row that was tried in vain every minute."""


def said(up: Site, event: str) -> list[Row]:
    lines = [msgspec.json.decode(line) for line in up.machine.programs[0].err.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event and line.get("service") == "notion_sync"]


async def has_said(up: Site, event: str) -> None:
    async def found() -> bool:
        return bool(said(up, event))

    await eventually(found, timeout=60)


async def test_no_email_waits_for_notion_and_its_rows_are_right_once_it_is_back(fast: Machine) -> None:
    async with started(fast) as up, broker_of(fast) as broker:
        await up.lift_limits()
        await up.add_fault(api="notion", action="status", status=503, times=100_000)
        for person in (MARIA, AIKO):
            assert await up.sign_up(person)
        await up.has_sent(14)
        for person in (MARIA, AIKO):
            sent = [fact for fact in await history(broker, person) if isinstance(fact, EmailSent)]
            late = [(fact.at - fact.due).total_seconds() for fact in sent if fact.due]
            assert len(late) == 7
            assert max(late) <= ON_TIME_S
        await has_said(up, "lag")
        assert (await up.rows(SEQUENCES), await up.rows(CONTACTS)) == ([], [])

        (await up.sandbox.delete("/_control/faults")).raise_for_status()
        await up.has_finished(MARIA, AIKO, timeout=BACK_S)
        await each_email_was_sent_once(up, broker, MARIA, AIKO)
        await has_said(up, "caught_up")
        (told, *_) = said(up, "lag")
        assert told["behind"] >= 2
        assert told["oldest_s"] >= 15
        assert "service_restarts" not in fast.programs[0].err
