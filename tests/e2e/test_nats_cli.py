"""docs/nats-cli.md, run as it stands: every command of the page, in its order, in one terminal."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.names import SERVICES
from eventlog import topology
from eventlog.connection import connect
from eventlog.parked import ParkingLot
from services.settings import ROOT
from tests.cluster import PASSWORDS, Node, as_user
from tests.e2e.people import PEOPLE
from tests.e2e.processes import DRIPSTREAM, Machine, machine
from tests.e2e.site import SIGNUP, started
from tests.waiting import eventually, is_idle

NATS = shutil.which("nats")
PAGE = ROOT / "docs" / "nats-cli.md"
UNREADABLE = "events.cnobody.signup_received.christmas-2025.x"
TIMED_OUT = 124
PAGE_S = 180
PROMISED = (
    *("context add", "context select", "kv ls", "kv get", "kv watch", "stream view", "sub", "req"),
    *("consumer report", "consumer info", "consumer pause", "consumer resume", "micro ls", "micro info", "micro stats"),
    *("stream backup", "account backup", "server check"),
)

pytestmark = pytest.mark.skipif(NATS is None, reason="nats is not installed: .ci/run builds it with Go")


@dataclass(frozen=True)
class Recipe:
    """Commands, and the output the page shows below them."""

    number: int
    commands: str
    shown: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.number:02}-{self.commands.split(chr(10))[0][:60]}"


@dataclass(frozen=True)
class Ran:
    """What came of a recipe."""

    code: int
    said: str


def recipes() -> list[Recipe]:
    blocks = re.findall(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [
        Recipe(number, commands, tuple(line for line in shown.splitlines() if line.strip(". ")))
        for number, (commands, shown) in enumerate(blocks)
    ]


@pytest.fixture(scope="module")
async def ran(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Ran]]:
    """One person who has got the first email of seven, one message nobody can read, and then the whole page.

    On the configuration we ship, as its user `operator`.
    """
    folder = tmp_path_factory.mktemp("page")
    async with Node(folder / "nats") as node:
        url = f"nats://127.0.0.1:{node.port}"
        with machine(folder, NATS_URL=url, **as_user("operator")) as made:
            chat = f"http://127.0.0.1:{made.sandbox_port}/discord/api/webhooks/12/t0ken"
            async with started(made, NOTIFY_WEBHOOK_URL=chat) as site:
                answer = await site.webhooks.post(SIGNUP, json={**PEOPLE[0].form(), "email": "ada@example.com"})
                answer.raise_for_status()
                await site.has_sent(1)
                async with connect(node.url, name="test", patience_s=20) as broker:
                    await broker.nc.publish(UNREADABLE, b'{"type": "signup_received"}')
                    for durable in topology.DURABLES:
                        await eventually(lambda each=durable: is_idle(broker, each), timeout=30)  # type: ignore[misc]
                    assert await ParkingLot(broker).all()
                yield await in_a_terminal(made)
        assert "Violation" not in node.log_file.read_text()


async def in_a_terminal(made: Machine) -> list[Ran]:
    """`script` brings the terminal that some commands insist on; each recipe leaves its output and exit code."""
    found = recipes()
    steps = [f"{{\n{each.commands}\n}} ; code=$?\nprintf '\\n<<< %s %s\\n' {each.number} $code\n" for each in found]
    page = made.folder / "page.sh"
    page.write_text("stty cols 250 rows 50\n" + "".join(steps))
    environment = {
        **{name: value for name, value in made.environment.items() if name not in as_user("operator")},
        "PATH": f"{Path(str(NATS)).parent}:{DRIPSTREAM.parent}:{os.environ['PATH']}",
        "XDG_CONFIG_HOME": str(made.folder / "config"),
        "NATS_OPERATOR_PASSWORD": PASSWORDS["NATS_OPERATOR_PASSWORD"],
    }
    process = await asyncio.create_subprocess_exec(
        "script", "-qec", f"bash {page}", "/dev/null", cwd=made.folder, env=environment,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(PAGE_S):
        said, _ = await process.communicate()
    parts = re.split(r"\n<<< (\d+) (\d+)\n", said.decode().replace("\r", ""))
    assert [int(each) for each in parts[1::3]] == [each.number for each in found], said.decode()[-2000:]
    return [Ran(int(code), text) for text, code in zip(parts[0::3], parts[2::3], strict=False)]


@pytest.mark.parametrize("recipe", recipes(), ids=str)
def test_a_recipe_of_the_page_works_and_says_what_the_page_shows(recipe: Recipe, ran: list[Ran]) -> None:
    code, said = ran[recipe.number].code, ran[recipe.number].said
    allowed = {0, TIMED_OUT} if "timeout" in recipe.commands else {0}
    assert code in allowed, said
    assert "nats: error" not in said
    lines = [plain(line) for line in said.splitlines()]
    for shown in recipe.shown:
        assert any(fits(shown, line) for line in lines), f"the page shows {shown!r}; it was:\n{said}"


def fits(shown: str, line: str) -> bool:
    if shown.endswith("..."):
        return line.startswith(plain(shown.removesuffix("...")))
    return line == plain(shown)


def plain(line: str) -> str:
    """Without what differs from run to run: ids, times, numbers, and how wide a table is."""
    line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)
    line = re.sub(r"\bc[a-z2-7]{26}\b", "<contact>", line)
    line = re.sub(r"\b[A-Za-z0-9]{22}\b", "<id>", line)
    line = re.sub(r"\b(?:[0-9][0-9.]*(?:ns|µs|ms|s|m|h|d))+\b", "<time>", line)
    line = re.sub(r"[0-9][0-9.,]*", "0", line)
    return " ".join(re.sub(r"[│╭╮╰╯─]+", " ", line).split())


def test_every_service_is_listed(ran: list[Ran]) -> None:
    [listing] = [ran[each.number].said for each in recipes() if each.commands == "nats micro ls\n"]
    assert [name for name in SERVICES if f"dripstream-{name} " not in listing] == []


def test_the_page_has_recipes_for_everything_it_promises() -> None:
    """A block that no longer looks like one would not be run, and nobody would notice."""
    text = PAGE.read_text()
    assert len(recipes()) == text.count("```sh") == 21
    shown = "".join(each.commands for each in recipes())
    for command in PROMISED:
        assert f"nats {command}" in shown


@pytest.mark.parametrize(
    ("shown", "line", "same"),
    [
        ("│ a │ 2 │", "│ a     │ 13 │ ", True),
        ("until 15:44:24 (59m59s)", "until 02:01:00 (1h0m0s)", True),
        ('{"total":6,...', '{"total":7,"more":true}', True),
        ("OK EVENTS_scheduler", "CRITICAL EVENTS_scheduler", False),
        ("email-1 sent", "email-1 pending", False),
    ],
)  # fmt: skip
def test_lines_are_the_same_but_for_what_differs_from_run_to_run(shown: str, line: str, same: bool) -> None:
    assert fits(shown, plain(line)) is same
