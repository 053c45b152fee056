"""docs/campaigns.md, followed from nothing to emails: its files are written, its commands run, its output compared."""

import re
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from tests.e2e import pages
from tests.e2e.pages import Block, same
from tests.e2e.processes import Machine, machine
from tests.e2e.site import Site, started
from tests.waiting import eventually

pytestmark = pages.TYPED

CAMPAIGN = "my-campaigns/spring-2026/campaign.toml"
SLIP = "frist_name"
START_UP = "/dripstream up "
GUIDE = pages.section("campaigns.md", "In ten minutes")
AROUND_A_CALL = pages.section("campaigns.md", "Around a call")


class Reader:
    """Somebody with a checkout and this page, who types what it says."""

    def __init__(self, here: Machine) -> None:
        self.here = here
        pages.like_a_checkout(here)

    def types(self, commands: str) -> tuple[int, str]:
        return pages.types(self.here, commands)

    def writes(self, block: Block) -> None:
        file = self.here.folder / block.title.removeprefix("more of ")
        before = file.read_text() + "\n" if block.title.startswith("more of ") else ""
        file.write_text(before + block.text)

    def mends_the_slip(self) -> None:
        [file] = [each for each in self.here.folder.glob("my-campaigns/*/templates/*") if SLIP in each.read_text()]
        file.write_text(file.read_text().replace(SLIP, "first_name"))


@pytest.fixture
def reader(here: Machine) -> Reader:
    """Has written everything of the guide, its slip of the pen included."""
    found = Reader(here)
    folder = next(block for block in GUIDE if block.text.startswith("mkdir"))
    assert found.types(folder.text) == (0, "")
    for block in GUIDE:
        if block.title:
            found.writes(block)
    return found


def prompted(blocks: list[Block]) -> list[tuple[str, str]]:
    """Commands with a `$` before them, and what is shown below each."""
    found = [block.text for block in blocks if block.text.startswith("$ ")]
    return [(text.partition("\n")[0].removeprefix("$ "), text.partition("\n")[2]) for text in found]


def followed_by_output(blocks: list[Block], word: str) -> tuple[str, str]:
    [(command, output)] = [
        (block.text, after.text) for block, after in pairwise(blocks) if word in block.text and after.language == "text"
    ]
    return command, output


def test_the_check_finds_the_slip_and_then_nothing(reader: Reader) -> None:
    (command, refused), (again, fine) = prompted(GUIDE)
    code, said = reader.types(command)
    assert (code, same(said, refused)) == (1, True), said
    reader.mends_the_slip()
    code, said = reader.types(again)
    assert (code, same(said, fine)) == (0, True), said


def test_on_paper_it_is_what_the_page_shows(reader: Reader) -> None:
    reader.mends_the_slip()
    command, shown = followed_by_output(GUIDE, "simulate")
    code, said = reader.types(command)
    assert (code, same(said, shown)) == (0, True), said
    written = sorted(file.name for file in (reader.here.folder / "out").iterdir())
    assert [name for name in written if name.endswith(".html")], written


def test_with_a_call_it_is_what_the_page_shows(reader: Reader) -> None:
    reader.mends_the_slip()
    for block in AROUND_A_CALL:
        if block.title:
            reader.writes(block)
    signup, _ = followed_by_output(GUIDE, "simulate")
    assert reader.types(signup)[0] == 0
    command, shown = followed_by_output(AROUND_A_CALL, "simulate")
    code, said = reader.types(command)
    assert (code, same(said, shown)) == (0, True), said


@pytest.fixture
async def live(reader: Reader) -> AsyncIterator[Site]:
    """`dripstream up` as the page starts it: its variables, its campaign, a data folder of its own."""
    reader.mends_the_slip()
    signup, _ = followed_by_output(GUIDE, "simulate")
    reader.types(signup)
    [start] = [block.text for block in GUIDE if START_UP in block.text]
    told = dict(re.findall(r"([A-Z_]+)=(\S+)", start))
    with machine(reader.here.folder, **told) as made:
        made.data = made.folder / start.split("--data-dir ")[1].strip()
        made.environment["DRIPSTREAM_DATA_DIR"] = str(made.data)
        async with started(made) as site:
            yield site


async def test_started_for_real_both_emails_come(live: Site) -> None:
    [commands] = [block.text for block in GUIDE if "/webhook/signup/spring-2026" in block.text]
    code, said = pages.types(live.machine, commands)
    assert code == 0, said
    assert '"status":"accepted"' in said
    await live.has_sent(1)

    async def both() -> bool:
        return await live.count() == 2

    await eventually(both, timeout=40)


def test_the_page_has_the_blocks_that_are_looked_for() -> None:
    titles = [block.title for block in [*GUIDE, *AROUND_A_CALL] if block.title]
    assert titles[0] == CAMPAIGN
    assert len(titles) == 6
