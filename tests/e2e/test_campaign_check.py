"""A campaign that could fail later is refused now, by the check and by everything that would run it."""

import json
import shutil
from pathlib import Path

import pytest

from services.settings import ROOT
from tests.e2e.processes import Machine


async def test_the_campaigns_we_ship_are_in_order(here: Machine) -> None:
    answer = await here.run("campaigns", "check")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "christmas-2025: 15 steps, 21 templates\n"


async def test_the_check_says_it_in_json_too(here: Machine) -> None:
    answer = await here.run("campaigns", "check", "--json")
    assert answer.code == 0
    assert json.loads(answer.out) == {"campaign": "christmas-2025", "steps": 15, "templates": 21}


@pytest.fixture
def broken(here: Machine) -> Path:
    """A copy that names a template nobody wrote."""
    folder = here.folder / "campaigns"
    shutil.copytree(ROOT / "campaigns", folder)
    (folder / "christmas-2025" / "templates" / "christmas_email_4.mjml").unlink()
    return folder


def problem_in(broken: Path) -> str:
    """The file as a person in that folder would type it, and the line that names the template."""
    lines = (broken / "christmas-2025" / "campaign.toml").read_text().splitlines()
    line = lines.index('template = "christmas_email_4"') + 1
    return f"campaigns/christmas-2025/campaign.toml:{line}: step email-4: template 'christmas_email_4' does not exist"


async def test_a_missing_template_is_named_with_file_and_line(here: Machine, broken: Path) -> None:
    answer = await here.run("campaigns", "check", "--campaigns-dir", str(broken))
    assert (answer.code, answer.out.strip()) == (1, problem_in(broken))


async def test_a_missing_template_is_named_in_json_too(here: Machine, broken: Path) -> None:
    answer = await here.run("campaigns", "check", "--json", DRIPSTREAM_CAMPAIGNS_DIR=str(broken))
    file, line, reason = problem_in(broken).split(":", 2)
    assert answer.code == 1
    assert json.loads(answer.out) == {"file": file, "line": int(line), "reason": reason.strip()}


@pytest.mark.parametrize("command", ["up", "demo", "scheduler"])
async def test_nothing_starts_with_a_campaign_that_could_fail(here: Machine, broken: Path, command: str) -> None:
    answer = await here.run(command, DRIPSTREAM_CAMPAIGNS_DIR=str(broken))
    assert (answer.code, answer.err) == (1, f"dripstream: {problem_in(broken)}\n")


async def test_every_problem_is_named_at_once(here: Machine, broken: Path) -> None:
    template = broken / "christmas-2025" / "templates" / "christmas_email_3.mjml"
    template.write_text(template.read_text().replace("{{ first_name }}", "{{ frist_name }}"))
    answer = await here.run("campaigns", "check", DRIPSTREAM_CAMPAIGNS_DIR=str(broken))
    assert answer.code == 1
    assert problem_in(broken) in answer.out
    assert "templates/christmas_email_3.mjml:" in answer.out
    assert "frist_name" in answer.out
