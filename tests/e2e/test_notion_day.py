"""A day with Notion, as a new user would try it: set up, lose every row, rename a column, keep somebody waiting."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.notion_sync.schema import ANALYTICS, BUSINESSX, EMAIL_SEQUENCE, QUEUE, ROWS
from tests.e2e.people import MARIA, PEOPLE, Person, subjects_for
from tests.e2e.processes import Machine
from tests.e2e.site import Row, Site, started
from tests.waiting import eventually

PARENT = "0123456789abcdef0123456789abcdef"
STEP_S = 4.0


@pytest.fixture
async def office(here: Machine) -> AsyncIterator[Site]:
    """`up` with all databases, as `notion init` prints them, in time that is compressed."""
    here.environment |= {"TESTING_MODE": "true", "NOTION_POLL_S": "0.3", "NOTION_RATE_LIMIT": "500"}
    async with started(here):
        answer = await here.run("notion", "init", "--parent", PARENT)
        assert answer.code == 0, answer.err
        assert await here.programs[0].stop() == 0
    (here.folder / ".env").write_text(f"{answer.out}DRIPSTREAM_SPEEDUP={60 / STEP_S}\n")
    async with started(here) as running:
        await running.lift_limits()
        yield running


async def by_hand(site: Site, path: str, **json: Any) -> None:
    """What a person does on the sandbox's page."""
    (await site.sandbox.post(f"/_control/notion/{path}", json=json)).raise_for_status()


async def database_ids(site: Site) -> dict[str, str]:
    lines = (site.machine.folder / ".env").read_text().split()
    found = dict(line.split("=") for line in lines)
    return {
        EMAIL_SEQUENCE: found["NOTION_EMAIL_SEQUENCE_DB_ID"],
        BUSINESSX: found["NOTION_BUSINESSX_DB_ID"],
        ANALYTICS: found["NOTION_EMAIL_ANALYTICS_DB_ID"],
        QUEUE: found["NOTION_EMAIL_QUEUE_DB_ID"],
    }


async def tables(site: Site) -> dict[str, list[Row]]:
    """Every table whose rows are ours, without ids; a person is called by their address."""
    people = {row["id"]: row["Email"] for row in await site.rows(BUSINESSX)}

    def plain(row: Row) -> Row:
        cells = {name: value for name, value in row.items() if name != "id"}
        return cells | ({"Customer": [people[page] for page in row["Customer"]]} if "Customer" in row else {})

    found = {each: [plain(row) for row in await site.rows(each)] for each in ROWS}
    return {each: sorted(rows, key=lambda row: str((row.get("Key"), row.get("Email")))) for each, rows in found.items()}


async def has_shown(site: Site, people: tuple[Person, ...]) -> None:
    """Every email is sent, and every table says so."""

    async def shown() -> bool:
        states = [row["Status"] for row in await site.rows(QUEUE)]
        heard = [row for row in await site.rows(ANALYTICS) if row["Event Type"] == "sent"]
        return states == ["sent"] * 7 * len(people) and len(heard) == 7 * len(people)

    await site.has_finished(*people, timeout=90)
    await eventually(shown, timeout=30)


async def test_every_row_that_was_deleted_comes_back_equal_in_every_field(office: Site) -> None:
    assert (await office.machine.run("notion", "check")).code == 0
    for person in PEOPLE:
        await office.sign_up(person)
    await has_shown(office, PEOPLE)
    before = await tables(office)
    assert [len(before[each]) for each in (EMAIL_SEQUENCE, BUSINESSX, QUEUE)] == [3, 3, 21]
    intact = await office.machine.run("notion", "drift")
    assert intact.code == 0, intact.out + intact.err

    for id_ in (await database_ids(office)).values():
        await by_hand(office, f"databases/{id_}/clear", trash=False)
    assert await tables(office) == {each: [] for each in ROWS}
    assert (await office.machine.run("notion", "drift")).code == 1
    rebuilt = await office.machine.run("notion", "rebuild", "--recreate", within_s=120)
    assert rebuilt.code == 0, rebuilt.out + rebuilt.err
    assert await tables(office) == before
    assert (await office.machine.run("notion", "drift")).code == 0
    assert await office.count() == 21


async def test_a_renamed_column_is_named_and_goes_on_being_written(office: Site) -> None:
    sequences = (await database_ids(office))[EMAIL_SEQUENCE]
    await by_hand(office, f"databases/{sequences}/columns", rename={"Segment": "Group"})
    checked = await office.machine.run("notion", "check")
    assert checked.code == 0
    assert "Group" in checked.out
    await office.sign_up(MARIA)
    await office.has_rows(MARIA)
    [row] = await office.rows(EMAIL_SEQUENCE)
    assert row["Group"] == MARIA.segment


async def test_who_is_held_in_notion_gets_nothing_until_the_tick_is_taken_off(office: Site) -> None:
    await office.sign_up(MARIA)
    await office.has_sent(1)
    await office.has_rows(MARIA)
    [page] = await office.rows(BUSINESSX)
    await by_hand(office, f"pages/{page['id']}", cells={"Hold": True})

    async def statuses() -> dict[int, str]:
        return {row["Email Number"]: row["Status"] for row in await office.rows(QUEUE)}

    async def held() -> bool:
        return set((await statuses()).values()) <= {"sent", "held"} and "held" in (await statuses()).values()

    await eventually(held)
    sent = await office.count()
    [first] = [row for row in await office.rows(QUEUE) if row["Email Number"] == sent + 1]
    due = datetime.fromisoformat(str(first["Scheduled Time"]))

    async def two_steps_later() -> bool:
        return (datetime.now(UTC) - due).total_seconds() > STEP_S

    await eventually(two_steps_later, timeout=4 * STEP_S)
    assert await office.count() == sent

    await by_hand(office, f"pages/{page['id']}", cells={"Hold": False})
    await office.has_finished(MARIA, timeout=90)
    mails = sorted(await office.mails(MARIA), key=lambda mail: str(mail.tag("step")))
    assert [mail.subject for mail in mails] == subjects_for(MARIA)
    assert len(await office.mails(MARIA)) == 7
