"""docs/quick-start.md, once `make demo` has set everything up: its commands in its order."""

from services.settings import ROOT
from tests.e2e import pages
from tests.e2e.pages import BLOCK, Block
from tests.e2e.processes import Machine
from tests.e2e.site import started

BLOCKS = [Block(*found) for found in BLOCK.findall((ROOT / "docs" / "quick-start.md").read_text())]

pytestmark = pages.TYPED


async def test_it_starts_signs_somebody_up_and_shows_what_comes(here: Machine) -> None:
    demo, start, sign_up = BLOCKS
    assert (demo.text, start.text.splitlines()[0]) == ("make demo\n", "$ .venv/bin/dripstream up")
    pages.like_a_checkout(here)
    async with started(here) as site:
        said = [line.split()[0] for line in site.machine.programs[0].out.splitlines() if line]
        assert said == [line.split()[0] for line in start.text.splitlines()[1:] if line]
        code, said_then = pages.types(here, sign_up.text)
        assert code == 0
        assert said_then.startswith("HTTP/1.1 202 Accepted")
        assert "ada@example.com  contact cwx6ilzkxkx46bubquefliqu3nm" in said_then
        await site.has_sent(1)
