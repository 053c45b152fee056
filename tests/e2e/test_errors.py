"""Every command that cannot do what it is asked says why in a line or two, and ends with an exit code of its own."""

from collections.abc import AsyncIterator

import pytest

from eventlog.server import NatsServer, free_port
from tests.e2e.processes import Answer, Machine
from tests.factories import ADA
from tests.unit.cli.test_tree import ARGUMENTS, REACHING, TREE, WITHOUT_JSON

LONG_RUNNING = {"up", "ingest", "scheduler", "sender", "notion-sync", "notifier"}
COMMANDS = sorted({*REACHING} - LONG_RUNNING - {*WITHOUT_JSON} - {"doctor", "notion check", "notion init"})
"""All but services, and but those that work without a broker, and say so."""

NOBODY = ("c" + "a" * 26, "nobody@example.com")


class Locked(NatsServer):
    """Who takes one user only."""

    def write_config(self) -> None:
        super().write_config()
        config = self.folder / "nats.conf"
        config.write_text(config.read_text() + "authorization { users = [{user: operator, password: right}] }\n")


@pytest.fixture
async def locked(here: Machine) -> AsyncIterator[Machine]:
    async with Locked(here.folder / "nats") as server:
        here.environment |= {"NATS_URL": server.url, "NATS_USER": "operator", "NATS_PASSWORD": "right"}
        assert (await here.run("init")).code == 0
        yield here


def words(name: str) -> list[str]:
    more = ["--force"] if "--force" in {opt for each in TREE[name].params for opt in each.opts} else []
    return [*name.split(), *ARGUMENTS.get(name, []), *(each for each in more if each not in ARGUMENTS.get(name, []))]


def assert_told(answer: Answer, *said: str) -> None:
    assert answer.code == 1, answer.out
    assert 0 < len(answer.err.splitlines()) <= 2, answer.err
    assert "Traceback" not in answer.err
    assert [each for each in said if each not in answer.err] == [], answer.err


@pytest.mark.parametrize("name", COMMANDS)
async def test_without_a_broker_each_command_says_what_to_start(here: Machine, name: str) -> None:
    here.environment |= {"NOTION_API_URL": f"http://127.0.0.1:{free_port()}"}
    assert_told(await here.run(*words(name)), "no NATS: NATS_URL is unset", "start one, or set NATS_URL")


async def test_a_broker_that_nobody_answers_for_is_named_without_its_password(here: Machine) -> None:
    port = free_port()
    answer = await here.run("pending", NATS_URL=f"nats://ada:a-password@127.0.0.1:{port}", within_s=60)
    assert_told(answer, str(port))
    assert "a-password" not in answer.err


@pytest.mark.parametrize("name", ["pending", "hold", "doctor"])
async def test_a_wrong_password_is_said_at_once_and_not_shown(locked: Machine, name: str) -> None:
    answer = await locked.run(*words(name), NATS_PASSWORD="not-the-one")
    assert answer.code == 1
    assert "not-the-one" not in answer.err + answer.out
    if name != "doctor":
        assert_told(answer, "user 'operator'")
    else:
        assert "does not take us" in answer.out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("contact", NOBODY[1]), "nobody of that address is known"),
        (("contact", NOBODY[0]), "nobody we know"),
        (("hold", NOBODY[1]), "nobody of that address is known"),
        (("hold", NOBODY[0]), "nobody we know"),
        (("cancel", NOBODY[1], "--step", "email-1"), "nobody of that address is known"),
        (("resume", NOBODY[0]), "nobody we know"),
        (("send-now", NOBODY[1], "--step", "email-1"), "nobody of that address is known"),
        (("send-now", f"{NOBODY[0]}.christmas-2025.nurture.once.email-1"), "nobody we know"),
        (("send-now", "not an id"), "nobody we know"),
        (("hold", "not@an@address"), "not an address"),
        (("retry", "nonsense"), "nonsense is no failure"),
        (("discard", "nonsense.7"), "nonsense.7 is no failure"),
        (("hold", "--campaign", "spring", "--all", "--force"), "there is no campaign spring"),
        (("stats", "--campaign", "spring"), "no campaign 'spring'"),
        (("trigger", "spring", "paid", ADA), "there is no campaign spring"),
        (("trigger", "christmas-2025", "payd", ADA), "no sequence of christmas-2025 knows 'payd'"),
        (("tail", "--type", "email_snet"), "there are no facts email_snet"),
        (("export", "--contact", NOBODY[0]), "nobody we know"),
        (("export", "-o", "/nowhere/facts.jsonl"), "No such file or directory"),
    ],
    ids=" ".join,
)
async def test_who_or_what_is_not_known_is_named(locked: Machine, command: tuple[str, ...], said: str) -> None:
    assert_told(await locked.run(*command), said)
