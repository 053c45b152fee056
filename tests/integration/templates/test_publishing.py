"""From Notion to the sender: what is published is used, what does not pass the checks is not, whatever else happens."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from contracts import subjects
from eventlog.connection import Broker
from eventlog.templates import PublishedTemplate, Templates, key_of
from services.notion_sync.answers import Refusal
from services.notion_sync.api import Notion
from services.notion_sync.databases import databases
from services.notion_sync.found import Found
from services.notion_sync.remade import remade
from services.notion_sync.schema import Database
from services.notion_sync.templates import TemplatesShell, keep_templates, sync_templates
from services.sandbox.faults import Fault, Match
from tests.factories import CAMPAIGN
from tests.integration.templates.kit import ONE, Office
from tests.waiting import SOON_S, eventually

KEY = key_of(CAMPAIGN, ONE)
Logs = list[Any]


@pytest.fixture
async def shell(office: Office, broker: Broker) -> AsyncIterator[TemplatesShell]:
    notion = Notion.of(office.settings, databases(office.settings), remade(broker))
    yield TemplatesShell(notion, Templates(broker), office.campaigns())
    await notion.close()


async def published(shell: TemplatesShell, key: str = KEY) -> PublishedTemplate:
    entry = (await shell.store.all())[key]
    assert entry
    return entry.value


async def refusals(shell: TemplatesShell) -> Logs:
    with capture_logs() as logs:
        await sync_templates(shell)
    return [line for line in logs if line["event"] == "template_refused"]


async def test_what_is_pushed_is_published_with_the_version_of_the_file(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    await sync_templates(shell)
    files = office.campaigns()[CAMPAIGN].templates
    known = await shell.store.all()
    assert {key: entry.value.version for key, entry in known.items() if entry} == {
        key_of(CAMPAIGN, name): template.version for name, template in files.items()
    }
    assert (await published(shell)).page_id == await office.page()


async def test_a_second_look_writes_nothing(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    await sync_templates(shell)
    before = await shell.store.last_sequence()
    await sync_templates(shell)
    await sync_templates(dataclasses.replace(shell, judged={}))
    assert await shell.store.last_sequence() == before


async def test_an_edit_is_published(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    await sync_templates(shell)
    old = await published(shell)
    await office.edit(Subject_Line="New for {{ first_name }}")
    await sync_templates(shell)
    new = await published(shell)
    assert new.fields["subject"] == "New for {{ first_name }}"
    assert new.version != old.version
    assert new.text == ""


BAD: dict[str, tuple[dict[str, str], str]] = {
    "an unknown variable": (
        {"Email_Body_HTML": "<p>Hi\n{{ frist_name }}</p>"},
        "line 2 of the body: nobody supplies the variable 'frist_name'; did you mean 'first_name'?",
    ),
    "a script": (
        {"Email_Body_HTML": "<p>Hi</p><script>steal()</script>"},
        "line 1 of the body: the element <script> is not allowed",
    ),
    "a script link": (
        {"Email_Body_HTML": '\n\n<a href="javascript:alert(1)">x</a>'},
        "line 3 of the body: <a href>: 'javascript:alert(1)' does not begin with https://host/, mailto:, tel:, such a "
        "constant or a url",
    ),
    "a long subject": ({"Subject_Line": "x" * 300}, "the subject is 300 characters long; 150 are allowed"),
    "no subject": ({"Subject_Line": " "}, "the subject is missing"),
    "no body": ({"Email_Body_HTML": "\n"}, "the body is empty"),
    "a subject of two lines": ({"Subject_Line": "a\nb"}, "the subject holds a line break or another control character"),
    "an unknown variable in the text": (
        {"Email_Body_Plain_Text": "Hi\n\n{{ nobody }}"},
        "line 3 of the plain text: nobody supplies the variable 'nobody'",
    ),
}


@pytest.mark.parametrize(("edit", "reason"), BAD.values(), ids=BAD.keys())
async def test_a_bad_edit_is_refused_by_name_once_and_the_last_good_one_stays(
    office: Office, shell: TemplatesShell, edit: dict[str, str], reason: str
) -> None:
    await office.push()
    await sync_templates(shell)
    good = await published(shell)
    await office.edit(**edit)
    await office.edit("noshow_1", Subject_Line="Good")
    assert await refusals(shell) == [
        {
            "event": "template_refused",
            "log_level": "error",
            "campaign": CAMPAIGN,
            "template": ONE,
            "reasons": [reason],
        }
    ]
    assert await published(shell) == good
    assert (await published(shell, key_of(CAMPAIGN, "noshow_1"))).fields["subject"] == "Good"
    assert await refusals(shell) == []


async def test_a_long_list_of_reasons_is_cut(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    await office.edit(Email_Body_HTML="\n".join(f'<p onclick="{"x" * 50}">{{{{ x{n} }}}}</p>' for n in range(100)))
    [refused] = await refusals(shell)
    assert len(refused["reasons"]) == 10
    assert max(map(len, refused["reasons"])) <= 200


@pytest.mark.parametrize("how", ["draft", "trash"])
async def test_what_is_published_no_more_gives_way_to_the_file(office: Office, shell: TemplatesShell, how: str) -> None:
    await office.push()
    await office.edit(Subject_Line="Only in Notion")
    await sync_templates(shell)
    await (office.edit(status="Draft") if how == "draft" else office.trash())
    await sync_templates(shell)
    assert (await published(shell)).withdrawn
    before = await shell.store.last_sequence()
    await sync_templates(shell)
    assert await shell.store.last_sequence() == before


async def test_what_comes_back_is_published_again(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    await sync_templates(shell)
    first = await published(shell)
    await office.edit(status="Draft")
    await sync_templates(shell)
    await office.edit(status="Published")
    await sync_templates(shell)
    again = await published(shell)
    assert (again.body, again.version, again.withdrawn) == (first.body, first.version, False)


async def test_nothing_is_withdrawn_when_notion_answers_in_part(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    for n in range(100):
        await office.add(f"other-{n}", campaign="elsewhere")
    await sync_templates(shell)
    office.sandbox.add_fault(Fault("notion", "status", Match("POST", "*/query", contains="start_cursor"), status=503))
    with pytest.raises(Refusal):
        await sync_templates(shell)
    assert not [key for key, entry in (await shell.store.all()).items() if entry and entry.value.withdrawn]


@pytest.mark.parametrize("column", ["Status", "Campaign", "Email Body HTML"])
async def test_a_deleted_column_changes_nothing_for_the_sender(
    office: Office, shell: TemplatesShell, column: str
) -> None:
    await office.push()
    await sync_templates(shell)
    before = await shell.store.last_sequence()
    await office.notion.data_sources.update(office.source, properties={column: None})
    for _ in range(2):
        with pytest.raises(Refusal, match="database does not fit"):
            await sync_templates(shell)
    assert await shell.store.last_sequence() == before


async def test_rows_that_name_nothing_of_ours_are_said_once_and_left(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    await office.add("noshow_9", Subject_Line="s", Preheader="p", Email_Body_HTML="<p>x</p>")
    await office.add(campaign="summer", Subject_Line="s", Preheader="p", Email_Body_HTML="<p>x</p>")
    said = await refusals(shell)
    assert sorted((line["campaign"], line["template"], *line["reasons"]) for line in said) == [
        (CAMPAIGN, "noshow_9", "the campaign has no template of this name"),
        ("summer", ONE, "there is no campaign of this name"),
    ]
    assert await refusals(shell) == []
    assert len(await shell.store.all()) == 21


async def test_two_published_rows_of_one_name_are_refused(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    await sync_templates(shell)
    good = await published(shell)
    await office.add(Subject_Line="s", Preheader="p", Email_Body_HTML="<p>x</p>")
    [refused] = await refusals(shell)
    assert refused["reasons"] == ["2 rows are published under this name: keep one"]
    assert await published(shell) == good


async def test_a_draft_beside_the_published_row_changes_nothing(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    await office.add(status="Draft", Subject_Line="s", Preheader="p", Email_Body_HTML="<p>x</p>")
    assert await refusals(shell) == []
    assert (await published(shell)).page_id == await office.page()


async def test_a_preview_of_an_older_body_is_not_sent_as_the_text(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    await office.edit(Email_Body_HTML="<p>All new</p>")
    await sync_templates(shell)
    assert (await published(shell)).text == ""
    await office.edit(Email_Body_Plain_Text="By hand, {{ first_name }}")
    await sync_templates(shell)
    assert (await published(shell)).text == "By hand, {{ first_name }}"


async def test_what_other_campaigns_published_is_left_alone_by_an_older_deployment(
    office: Office, shell: TemplatesShell
) -> None:
    await shell.store.put("summer.hello", PublishedTemplate(at=datetime.now(UTC), body="x"), over=0)
    await sync_templates(shell)
    assert not (await published(shell, "summer.hello")).withdrawn


async def test_what_nobody_can_read_is_published_anew(office: Office, shell: TemplatesShell, broker: Broker) -> None:
    await office.push()
    await broker.publish(subjects.kv_subject(subjects.TEMPLATES, KEY), b"not JSON")
    assert (await shell.store.all())[KEY] is None
    await sync_templates(shell)
    assert (await published(shell)).version == office.campaigns()[CAMPAIGN].templates[ONE].version


async def test_two_at_once_write_each_template_once(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    other = dataclasses.replace(shell, judged={})
    await asyncio.gather(sync_templates(shell), sync_templates(other))
    assert await shell.store.last_sequence() == 21


async def test_trouble_at_notion_does_not_end_the_looking(office: Office, shell: TemplatesShell) -> None:
    await office.push()
    office.sandbox.add_fault(Fault("notion", "status", Match("POST", "*/query"), status=429, retry_after=1))
    with capture_logs() as logs:
        looking = asyncio.create_task(keep_templates(shell, every_s=0.05))
        try:
            await eventually(lambda: _is_there(shell))
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
    assert "look_postponed" in {line["event"] for line in logs}


async def _is_there(shell: TemplatesShell) -> bool:
    return KEY in await shell.store.all()


class Deaf:
    """Loses a cancellation, as `asyncio.wait_for` of Python 3.11 can."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def rows(self, _: Database) -> AsyncIterator[Found]:
        self.asked.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        for none in list[Found]():
            yield none

    async def look_again(self, _: Database) -> None:
        raise AssertionError("there were no rows")


async def test_a_cancellation_that_gets_lost_ends_the_looking_all_the_same(shell: TemplatesShell) -> None:
    deaf = Deaf()
    looking = asyncio.create_task(keep_templates(dataclasses.replace(shell, notion=deaf), every_s=3_600))
    await deaf.asked.wait()
    looking.cancel()
    async with asyncio.timeout(SOON_S):
        await asyncio.gather(looking, return_exceptions=True)
