"""push, pull and diff between files and a strict stand-in for Notion."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli import templates as commands
from cli.template_pairs import properties_of
from cli.template_rows import TRIES, _patiently, rows_of
from eventlog.server import free_port
from services.notion_sync.answers import Refusal
from services.sandbox.faults import Fault, Match
from tests.factories import CAMPAIGN
from tests.integration.templates.kit import ONE, Office, states, told

Said = pytest.CaptureFixture[str]
TEMPLATES = 21


async def test_every_template_goes_to_notion_and_comes_back_byte_for_byte(office: Office, capsys: Said) -> None:
    before = office.files()
    assert await office.push() == 0
    assert Counter(states(capsys).values()) == {"created": TEMPLATES}
    for file in office.folder.glob("[!_]*.mjml"):
        file.write_bytes(before["noshow_1.mjml"])
    assert await office.pull(force=True) == 0
    assert Counter(states(capsys).values()) == {"overwritten": TEMPLATES - 1, "as it is": 1}
    assert office.files() == before


async def test_a_long_body_of_emoji_survives_the_pieces_of_a_cell(office: Office) -> None:
    body = "<mj-section><mj-column><mj-text>a" + "\U0001f384\n " * 5_000 + "</mj-text></mj-column></mj-section>\n\n"
    text = "  Hi {{ first_name }},\n\n\tbye\n"
    file = office.folder / f"{ONE}.mjml"
    file.write_bytes(f"---\nsubject: s\npreheader: p\n---\n{body}".encode())
    (office.folder / f"{ONE}.txt").write_bytes(text.encode())
    before = office.files()
    await office.push()
    file.write_bytes(file.read_bytes() + b"\n")
    (office.folder / f"{ONE}.txt").unlink()
    await office.pull(force=True)
    assert office.files() == before


async def test_what_is_the_same_costs_no_write(office: Office, capsys: Said) -> None:
    await office.push()
    before, _ = len(office.writes()), capsys.readouterr()
    assert await office.push() == 0
    assert len(office.writes()) == before
    assert set(states(capsys).values()) == {"as it is"}
    assert await office.pull() == 0
    assert await office.diff() == 0


async def test_new_rows_are_published_with_a_readable_text(office: Office) -> None:
    await office.push()
    row = office.row()
    assert (row["Campaign"], row["Status"]) == (CAMPAIGN, "Published")
    assert row["Subject Line"].endswith("{{ assessment_score }} out of 100")
    assert "Hi {{ first_name }}," in row["Email Body Plain Text"]
    assert "<p>" not in row["Email Body Plain Text"]


async def test_a_row_that_differs_is_overwritten_only_when_told_to(office: Office, capsys: Said) -> None:
    await office.push()
    await office.edit(Subject_Line="Edited")
    capsys.readouterr()
    assert await office.push() == 1
    said = told(capsys)
    assert (said[ONE]["state"], office.row()["Subject Line"]) == ("left", "Edited")
    assert await office.push(force=True) == 0
    assert office.row()["Subject Line"] != "Edited"


async def test_a_file_that_differs_is_overwritten_only_when_told_to(office: Office, capsys: Said) -> None:
    await office.push()
    await office.edit(Subject_Line="Edited", Email_Body_Plain_Text="Hi {{ first_name }}, by hand")
    before = office.files()
    assert await office.pull() == 1
    assert office.files() == before
    assert await office.pull(force=True) == 0
    assert b"subject: Edited\n" in office.files()[f"{ONE}.mjml"]
    assert office.files()[f"{ONE}.txt"] == b"Hi {{ first_name }}, by hand"
    assert await office.diff() == 0


async def test_a_dry_run_shows_and_changes_nothing(office: Office, capsys: Said) -> None:
    assert await office.push(dry_run=True) == 0
    assert (set(states(capsys).values()), office.rows()) == ({"would be created"}, [])
    await office.push()
    await office.edit(Subject_Line="Edited")
    before, writes = office.files(), len(office.writes())
    capsys.readouterr()
    assert await office.push(dry_run=True) == 0
    there = told(capsys)[ONE]
    assert await office.pull(dry_run=True) == 0
    here = told(capsys)[ONE]
    assert there["state"] == "would be overwritten in Notion"
    assert "-subject: Edited" in there["diff"]
    assert here["state"] == "would be overwritten"
    assert "+subject: Edited" in here["diff"]
    assert (office.files(), len(office.writes())) == (before, writes)


async def test_a_difference_is_shown_line_by_line(office: Office, capsys: Said) -> None:
    await office.push()
    await office.edit(Preheader="Look\x1b[31m here")
    await office.trash("noshow_1")
    await office.add("noshow_9", Subject_Line="s", Preheader="p", Email_Body_HTML="<p>x</p>")
    capsys.readouterr()
    assert await office.diff() == 1
    said = told(capsys)
    assert said[ONE]["state"] == "differs"
    assert said[ONE]["diff"][:2] == [
        f"--- {CAMPAIGN}/{ONE}.mjml (file)",
        f"+++ {CAMPAIGN}/{ONE}.mjml (Notion)",
    ]
    assert "+preheader: Look [31m here" in said[ONE]["diff"]
    assert [said[name]["state"] for name in ("noshow_1", "noshow_9", "noshow_2")] == [
        "only in files",
        "only in Notion",
        "as it is",
    ]


async def test_only_what_passes_the_checks_is_pulled(office: Office, capsys: Said) -> None:
    await office.push()
    await office.edit("noshow_1", Email_Body_HTML="<p>Hi {{ frist_name }}</p>")
    await office.edit("noshow_2", Subject_Line="Good")
    before = office.files()
    capsys.readouterr()
    assert await office.pull(force=True) == 1
    said = told(capsys)
    assert said["noshow_1"]["state"] == "refused"
    assert said["noshow_1"]["reasons"] == [
        "line 1 of the body: nobody supplies the variable 'frist_name'; did you mean 'first_name'?"
    ]
    after = office.files()
    assert after["noshow_1.mjml"] == before["noshow_1.mjml"]
    assert b"subject: Good" in after["noshow_2.mjml"]


def everything(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ["_layout", "../../../evil", "a/b", "a b", ""])
async def test_no_row_can_write_beside_its_own_file(office: Office, capsys: Said, name: str, tmp_path: Path) -> None:
    await office.add(name, Subject_Line="s", Preheader="p", Email_Body_HTML="<p>x</p>")
    before = everything(tmp_path)
    layout = office.files()["_layout.mjml"]
    assert await office.pull(force=True) == 1
    assert told(capsys)[name]["state"] == "refused"
    assert everything(tmp_path) == before
    assert office.files()["_layout.mjml"] == layout


async def test_a_draft_is_not_pulled(office: Office, capsys: Said) -> None:
    await office.push()
    await office.edit(status="Draft", Subject_Line="Not yet")
    before = office.files()
    capsys.readouterr()
    assert await office.pull(force=True) == 0
    assert (told(capsys)[ONE]["state"], office.files()) == ("draft", before)


async def test_plain_html_of_a_person_is_pulled_as_an_email_and_is_the_same_afterwards(office: Office) -> None:
    await office.push()
    await office.edit(Email_Body_HTML="<p>Hi {{ first_name }}</p>\n")
    await office.pull(force=True)
    assert b"<mj-section><mj-column><mj-text><p>Hi" in office.files()[f"{ONE}.mjml"]
    assert await office.diff() == 0


async def test_a_preview_of_an_older_body_is_never_taken_for_a_text_by_hand(office: Office) -> None:
    await office.push()
    await office.edit(Email_Body_HTML="<p>Hi {{ first_name }}, all new</p>\n")
    await office.pull(force=True)
    assert f"{ONE}.txt" not in office.files()
    assert "all new" not in office.row()["Email Body Plain Text"]
    assert await office.push() == 0
    assert "Hi {{ first_name }}, all new" in office.row()["Email Body Plain Text"]
    assert await office.diff() == 0


async def test_two_rows_of_one_name_are_left_to_a_person(office: Office, capsys: Said) -> None:
    await office.push()
    await office.add(Subject_Line="s", Preheader="p", Email_Body_HTML="<p>x</p>")
    before = office.files()
    capsys.readouterr()
    assert await office.push(force=True) == 1
    said = told(capsys)[ONE]
    assert (said["state"], said["reasons"]) == ("refused", ["2 rows have this name in Notion: keep one"])
    assert await office.pull(force=True) == 1
    assert office.files() == before


async def test_an_interrupted_push_goes_on_without_doubling_a_row(office: Office, capsys: Said) -> None:
    """Notion took the row and never said so."""
    sixth = Match("POST", "/v1/pages", contains='"content":"christmas_email_3"')
    office.sandbox.add_fault(Fault("notion", "timeout_after_accept", sixth))
    with pytest.raises(ValueError, match="did not say whether it made the last row"):
        await office.push()
    assert len(office.rows()) == 6
    assert await office.push() == 0
    assert len(office.rows()) == TEMPLATES
    assert len({row["Template ID"] for row in office.rows()}) == TEMPLATES


async def test_a_row_that_turned_up_meanwhile_is_not_made_again(office: Office) -> None:
    await office.push()
    wanted = properties_of(office.campaigns())
    async with rows_of(office.settings) as rows:
        assert not await commands._create((CAMPAIGN, ONE), wanted[CAMPAIGN, ONE], rows)
    assert len(office.rows()) == TEMPLATES


async def test_notion_that_says_not_now_is_asked_again(office: Office, capsys: Said) -> None:
    office.sandbox.add_fault(Fault("notion", "status", Match("POST", "/v1/pages"), status=429, retry_after=1))
    assert await office.push() == 0
    assert "trying again in 1 s" in capsys.readouterr().err
    assert len(office.rows()) == TEMPLATES


async def test_notion_that_is_not_there_is_said_at_once(office: Office) -> None:
    settings = office.settings.model_copy(update={"notion_api_url": "http://127.0.0.1:1"})
    with pytest.raises(ValueError, match=r"^Notion: ConnectError"):
        await commands.diff(settings, None, as_json=True)


async def test_a_name_notion_cannot_hold_is_refused_before_anything_is_written(office: Office) -> None:
    (office.folder / f"{ONE}.mjml").rename(office.folder / "an email.mjml")
    toml = office.folder.parent / "campaign.toml"
    toml.write_text(toml.read_text().replace(f'"{ONE}"', '"an email"'))
    with pytest.raises(ValueError, match=r"nothing was written. christmas-2025/an email: a name has letters"):
        await office.push()
    assert office.rows() == []


async def test_columns_that_do_not_fit_are_named(office: Office) -> None:
    await office.notion.data_sources.update(office.source, properties={"Preheader": {"name": "Teaser"}})
    with pytest.raises(ValueError, match="Email Templates does not fit: column 'Preheader' is missing"):
        await office.push()


async def test_a_database_that_is_not_set_is_named(office: Office) -> None:
    settings = office.settings.model_copy(update={"notion_email_templates_db_id": None})
    with pytest.raises(ValueError, match=r"^NOTION_EMAIL_TEMPLATES_DB_ID is unset: "):
        await commands.diff(settings, None, as_json=False)


async def test_without_a_token_and_a_sandbox_it_says_what_to_do(office: Office) -> None:
    nowhere = {"notion_token": None, "notion_api_url": None, "sandbox_port": free_port()}
    with pytest.raises(ValueError, match="NOTION_TOKEN is unset, and no sandbox answers"):
        await commands.diff(office.settings.model_copy(update=nowhere), None, as_json=False)


async def test_an_unknown_campaign_is_named_with_those_there_are(office: Office) -> None:
    with pytest.raises(ValueError, match="there is no campaign summer; there are: christmas-2025"):
        await commands.push(office.settings, "summer", force=False, dry_run=False, as_json=False)


async def test_a_rate_limit_is_waited_for_however_often_it_comes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """notion_sync may be at work, and shares it with the command."""
    monkeypatch.setattr("services.notion_sync.answers.Refusal.delay_s", lambda *_: 0.01)
    monkeypatch.setattr("services.notion_sync.turns.Turns._refuse_while_held", lambda _: None)
    match = Match("POST", "/v1/pages")
    office.sandbox.add_fault(Fault("notion", "status", match, status=429, retry_after=1, times=TRIES + 7))
    assert await office.push() == 0
    assert len(office.rows()) == TEMPLATES


async def test_a_long_wait_is_waited_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notion is left in peace until then, which is no answer of its own and no trouble either."""
    held = [Refusal("busy", "left in peace", after_s=0.5) for _ in range(TRIES)]
    answers = [Refusal("busy", "rate_limited", status=429, after_s=300.0), *held]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def call() -> str:
        if answers:
            raise answers.pop(0)
        return "done"

    monkeypatch.setattr("cli.template_rows.asyncio", SimpleNamespace(sleep=sleep))
    assert await _patiently(call) == "done"
    assert slept == [300.0] + [0.5] * TRIES
