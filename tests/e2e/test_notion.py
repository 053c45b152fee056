"""`dripstream notion init` and `check`, as somebody setting up Notion meets them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eventlog.connection import Broker
from services.notion_sync.databases import variable
from services.notion_sync.remade import remade
from services.notion_sync.schema import DATABASES, EMAIL_SEQUENCE, QUEUE
from services.notion_sync.setup import ORDER
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.options import UNLIMITED, SandboxOptions
from services.sandbox.seed import BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID
from tests.e2e.processes import Answer, Machine
from tests.e2e.site import Site
from tests.waiting import eventually

PARENT = "0123456789abcdef0123456789abcdef"
LINK = f"https://www.notion.so/acme/Our-Emails-{PARENT}?pvs=4"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(options=UNLIMITED) as running:
        yield running


@pytest.fixture
def there(here: Machine, sandbox: Sandbox) -> Machine:
    """A machine whose Notion is elsewhere, and that has no broker."""
    here.environment |= {"NOTION_TOKEN": "ntn_test", "NOTION_API_URL": sandbox.url, "NOTION_RATE_LIMIT": "1000"}
    return here


def variables(answer: Answer) -> dict[str, str]:
    return dict(line.split("=") for line in answer.out.splitlines())


async def test_init_prints_the_variables_and_nothing_else_and_check_then_finds_all_right(there: Machine) -> None:
    answer = await there.run("notion", "init", "--parent", LINK)
    assert answer.code == 0
    found = variables(answer)
    assert list(found) == [variable(each) for each in ORDER]
    assert [line for line in answer.err.splitlines() if line.endswith(": made")] == [f"{each}: made" for each in ORDER]
    (there.folder / ".env").write_text(answer.out)

    again = await there.run("notion", "init", "--parent", PARENT.upper())
    assert (again.code, variables(again)) == (0, found)
    checked = await there.run("notion", "check")
    assert checked.code == 0
    assert checked.out.count("right; the token may write") == len(DATABASES)
    assert "no broker is reachable" in checked.err


async def test_init_for_programs_is_a_document_per_database(there: Machine) -> None:
    answer = await there.run("notion", "init", "--parent", LINK, "--json")
    documents = [json.loads(line) for line in answer.out.splitlines()]
    assert [(each["database"], each["variable"], each["state"]) for each in documents] == [
        (each, variable(each), "made") for each in ORDER
    ]


async def test_init_says_when_another_database_was_meant_until_now(there: Machine) -> None:
    answer = await there.run("notion", "init", "--parent", LINK, NOTION_BUSINESSX_DB_ID=BUSINESSX_DB_ID)
    assert answer.code == 0
    [line] = [line for line in answer.err.splitlines() if BUSINESSX_DB_ID in line]
    assert line.startswith("BusinessX Canada: NOTION_BUSINESSX_DB_ID names another database until now")


@pytest.mark.parametrize(
    ("parent", "options", "words"),
    [
        ("our emails", UNLIMITED, "no id of a Notion page"),
        (LINK, SandboxOptions(notion_missing_parents=(PARENT,)), "share it with the integration"),
        (LINK, SandboxOptions(notion_read_only=True), "capabilities"),
        (BUSINESSX_DB_ID, UNLIMITED, "a page, and not a database"),
    ],
    ids=["no id", "not shared", "read only", "a database"],
)
async def test_init_says_in_one_line_what_to_do(
    there: Machine, sandbox: Sandbox, parent: str, options: SandboxOptions, words: str
) -> None:
    sandbox.options = options
    answer = await there.run("notion", "init", "--parent", parent)
    assert (answer.code, answer.out) == (1, "")
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith("dripstream: ")
    assert words in answer.err


async def test_check_names_each_trouble_and_what_is_off_and_fails(there: Machine, sandbox: Sandbox) -> None:
    made = variables(await there.run("notion", "init", "--parent", LINK))
    made.pop(variable(EMAIL_SEQUENCE))
    sandbox.person.delete_columns(made[variable(QUEUE)], ["Sent At"])
    sandbox.person.rename_columns(made[variable(QUEUE)], {"Key": "[bold]Schlüssel[/]"})
    answer = await there.run("notion", "check", environment=made)
    assert answer.code == 1
    assert "column 'Sent At' is missing" in answer.out
    assert "Email Sequence: off, as NOTION_EMAIL_SEQUENCE_DB_ID is unset" in answer.out

    documents = {each["database"]: each for each in await check_json(there, made)}
    assert documents[EMAIL_SEQUENCE]["state"] == "off"
    queue = documents[QUEUE]
    assert (queue["state"], queue["may_update"], queue["may_insert"]) == ("wrong", True, True)
    assert queue["problems"] == ["column 'Key' is missing", "column 'Sent At' is missing"]
    states = {each["name"]: each["state"] for each in queue["columns"]}
    assert {name for name, state in states.items() if state != "ok"} == {"Key", "Sent At"}


async def check_json(machine: Machine, environment: dict[str, str]) -> list[dict[str, Any]]:
    answer = await machine.run("notion", "check", "--json", environment=environment)
    return [json.loads(line) for line in answer.out.splitlines()]


async def test_without_a_token_the_sandbox_on_its_port_is_meant(here: Machine) -> None:
    async with Sandbox(port=here.sandbox_port, options=UNLIMITED) as sandbox:
        answer = await here.run("notion", "init", "--parent", LINK)
        assert answer.code == 0
        assert set(sandbox.notion_rows()) == set(DATABASES)


async def test_without_a_token_a_stand_in_elsewhere_may_be_named(here: Machine, sandbox: Sandbox) -> None:
    answer = await here.run("notion", "init", "--parent", LINK, NOTION_API_URL=sandbox.url)
    assert (answer.code, len(variables(answer))) == (0, len(DATABASES))


@pytest.mark.parametrize("command", [("init", "--parent", LINK), ("check",)], ids=["init", "check"])
async def test_without_a_token_and_a_sandbox_it_says_which_to_set_or_start(
    here: Machine, command: tuple[str, ...]
) -> None:
    answer = await here.run("notion", *command)
    assert (answer.code, answer.out) == (1, "")
    assert "NOTION_TOKEN is unset" in answer.err
    assert "dripstream up" in answer.err


async def test_a_token_that_is_not_valid_is_said(there: Machine, sandbox: Sandbox) -> None:
    sandbox.add_fault(Fault("notion", "status", status=401))
    answer = await there.run("notion", "init", "--parent", LINK)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "dripstream: NOTION_TOKEN is not valid: take the secret of the integration again\n"


async def test_a_create_that_may_have_been_accepted_asks_for_patience(there: Machine, sandbox: Sandbox) -> None:
    sandbox.add_fault(Fault("notion", "timeout_after_accept", Match("POST", "/v1/databases", QUEUE)))
    answer = await there.run("notion", "init", "--parent", LINK)
    assert (answer.code, len(variables(answer))) == (1, len(DATABASES) - 1)
    assert "Notion did not say whether it made Email Queue" in answer.err
    assert (await there.run("notion", "init", "--parent", LINK)).code == 0
    assert list(sandbox.notion_rows()).count(QUEUE) == 1


async def test_beside_a_running_product_check_knows_renamed_columns(up: Site, broker_of_up: Broker) -> None:
    async def remembered() -> bool:
        return bool(await remade(broker_of_up).ids(EMAIL_SEQUENCE))

    await eventually(remembered)
    columns = f"/_control/notion/databases/{EMAIL_SEQUENCE_DB_ID}/columns"
    (await up.sandbox.post(columns, json={"rename": {"Segment": "[b]Gruppe"}})).raise_for_status()
    answer = await up.machine.run("notion", "check")
    assert (answer.code, answer.err) == (0, "")
    [line] = [line for line in answer.out.splitlines() if "Gruppe" in line]
    assert line.split()[:2] == ["Segment", "[b]Gruppe"]
    assert "renamed from 'Segment'" in line
