"""A text part written by hand, and templates whose sources stand in no file."""

from pathlib import Path

import msgspec
import pytest

from journey.campaign import Campaign, load_campaign, template_from
from journey.front_matter import written
from journey.templates import Rendered, Sources, Template, render
from journey.text_part import preview
from services.settings import ROOT
from tests.unit.journey.campaign_folder import HELLO, refusals, write
from tests.unit.journey.test_plan import campaign

BY_HAND = "Hi {{ first_name }},\n{% if money_score == 'N/A' %}\n{% endif %}\n\n  see you at {{ business_name }}.\n"
GOOD = Sources("s", "p", "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>\n")


def with_text(folder: Path, text: str, name: str = "hello") -> Path:
    root = write(folder)
    (root / "templates" / f"{name}.txt").write_bytes(text.encode())
    return root


def rendered(folder: Path, text: str, **values: object) -> Rendered:
    made = load_campaign(with_text(folder, text))
    return render(made.templates["hello"], made.variables_for(values))


def test_text_beside_a_template_is_the_text_part(tmp_path: Path) -> None:
    got = rendered(tmp_path, BY_HAND, first_name="Ada", business_name="Ada & <Co>")
    assert got.text == "Hi Ada,\n\n  see you at Ada & <Co>.\n"
    assert "Ada of Ada &amp; &lt;Co&gt;" in got.html


def test_text_part_is_of_its_own_template_only(tmp_path: Path) -> None:
    made = load_campaign(with_text(tmp_path, BY_HAND))
    assert [made.templates[name].sources.text for name in ("hello", "bye")] == [BY_HAND, ""]
    assert made.templates["hello"].version != made.templates["bye"].version
    assert "money_score" in made.templates["hello"].variables


REFUSED = {
    "an unknown variable": ("Hi\n{{ frist_name }}", "hello.txt:2: nobody supplies the variable 'frist_name'; did you"),
    "a tag that loads": ("\n\n{% include 'x' %}", "hello.txt:3: "),
    "what fails for somebody": ("{% if money_score > 50 %}x{% endif %}", "hello.txt:1: "),
    "a control character": ("a\nb\x1b[31m", "hello.txt:2: holds a control character"),
    "nothing": (" \n", "hello.txt:1: is empty"),
    "too much": ("x" * 50_001, "hello.txt:1: is longer than 50,000 bytes"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_text_part_is_refused_with_line_and_reason(tmp_path: Path, text: str, reason: str) -> None:
    [found] = refusals(with_text(tmp_path, text))
    assert found.startswith(reason)


def test_text_part_of_no_template_is_refused(tmp_path: Path) -> None:
    assert refusals(with_text(tmp_path, "x", name="helo")) == [
        "helo.txt:1: there is no helo.mjml whose text part it could be"
    ]


@pytest.mark.parametrize("name", sorted(campaign().templates))
def test_sources_make_the_same_template_as_their_file(name: str) -> None:
    in_file = campaign().templates[name]
    file = ROOT / "campaigns" / campaign().id / "templates" / f"{name}.mjml"
    assert template_from(campaign(), name, in_file.sources) == in_file
    assert written(in_file.sources).encode() == file.read_bytes()


@pytest.mark.parametrize("name", sorted(campaign().templates))
def test_a_preview_can_be_taken_as_a_text_by_hand(name: str) -> None:
    in_file = campaign().templates[name]
    text = preview(in_file.html)
    assert "<" not in text
    assert isinstance(template_from(campaign(), name, msgspec.structs.replace(in_file.sources, text=text)), Template)


@pytest.fixture(scope="module")
def spring(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return load_campaign(write(tmp_path_factory.mktemp("campaigns"), hello=HELLO))


def reasons(spring: Campaign, **changes: str) -> tuple[str, ...]:
    found = template_from(spring, "hello", msgspec.structs.replace(GOOD, **changes))
    assert not isinstance(found, Template)
    return found


def test_every_reason_says_where(spring: Campaign) -> None:
    body = GOOD.body.replace("x<", "\n{{ nobody }}<")
    assert reasons(spring, subject="{{ x }}", preheader="y" * 151, body=body, text="\n\n{{ z }}") == (
        "subject: nobody supplies the variable 'x'",
        "the preheader is 151 characters long; 150 are allowed",
        "line 2 of the body: nobody supplies the variable 'nobody'",
        "line 3 of the plain text: nobody supplies the variable 'z'",
    )


def test_what_is_missing_is_said(spring: Campaign) -> None:
    assert reasons(spring, subject="", preheader="", body=" \n") == (
        "the subject is missing",
        "the preheader is missing",
        "the body is empty",
    )


@pytest.mark.parametrize("part", ["subject", "preheader", "body", "text"])
def test_what_is_too_long_is_not_even_read(spring: Campaign, part: str) -> None:
    assert reasons(spring, **{part: "{{" * 30_000}) == (f"the {part} is longer than 50,000 bytes",)
