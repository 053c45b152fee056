"""Templates and campaign files that mean harm are refused with file and line, or stopped, and soon."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey.liquid_rules import check, evaluate
from journey.masking import mask, pieces_of
from tests.fuzz import attacks
from tests.fuzz.profile import examples

Verdicts = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def verdicts() -> Verdicts:
    """What became of every attack. They are tried outside this process: what goes wrong there cannot take it along."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.trial"], capture_output=True, text=True, timeout=900, check=True
    )
    return {each["name"]: each for each in map(json.loads, run.stdout.splitlines())}


@pytest.mark.parametrize("name", attacks.AT_LOAD)
def test_a_hostile_template_is_refused_with_file_and_line(verdicts: Verdicts, name: str) -> None:
    found = verdicts[name]
    assert found["verdict"] == "refused", found
    assert "hello.mjml:" in found["said"]


@pytest.mark.parametrize("name", [*attacks.CONDITIONS, *attacks.FILES])
def test_a_hostile_campaign_file_is_refused_with_file_and_line(verdicts: Verdicts, name: str) -> None:
    found = verdicts[name]
    assert found["verdict"] == "refused", found
    assert "campaign.toml:" in found["said"]


@pytest.mark.parametrize("name", attacks.WHEN_RENDERED)
def test_what_only_shows_when_rendered_is_stopped_and_named(verdicts: Verdicts, name: str) -> None:
    found = verdicts[name]
    assert found["verdict"] == "stopped", found
    assert found["said"].startswith("template hello: ")


@pytest.mark.parametrize("name", attacks.WITHIN_LIMITS)
def test_the_worst_that_is_allowed_ends(verdicts: Verdicts, name: str) -> None:
    """Within half a minute and a gigabyte, or the process would have been killed; docs/architecture.md has figures."""
    assert verdicts[name]["verdict"] == "rendered", verdicts[name]


PIECES = "{{ }} {% %} { } % first_name | upcase if endif for endfor assign raw endraw comment endcomment (1..9) - : ,"
PIECES += " ' \" < > times 9 . [0] liquid0000x echo case when else break # = in x"
some = st.sampled_from([*PIECES.split(" "), " ", "\n", "\r", "\x00", "assign x = ", "a in first_name"])
texts = st.lists(some, max_size=30).map("".join)
tags = st.lists(some, max_size=6).map(" ".join)
templates = st.lists(
    texts | tags.map(lambda inner: f"{{{{ {inner} }}}}") | tags.map(lambda inner: f"{{% {inner} %}}"), max_size=6
).map("".join)


@settings(max_examples=examples(500), deadline=None)
@given(templates)
def test_any_template_is_refused_or_keeps_values_data(source: str) -> None:
    if check(source, {"first_name"}).findings:
        return
    try:
        got = evaluate(source, {"first_name": "<b>&'\""}, html=True)
    except Exception:  # noqa: BLE001 - what comes out of the engine is a RenderError to who asked
        return
    assert "<b>" not in got
    assert "<B>" not in got


@given(templates)
def test_liquid_is_hidden_and_put_back(source: str) -> None:
    masked = mask(source)
    closed = [each for each in pieces_of(source) if each.end is not None]
    assert masked.pieces == tuple(source[start:end] for start, end in closed)
    assert not list(pieces_of(masked.text)) or None in {each.end for each in pieces_of(source)}
    if "\n" not in source and "liquid" not in source:
        assert masked.restored(masked.text) == source


def test_more_than_ten_thousand_pieces_are_put_back_too() -> None:
    source = "".join(f"{{{{ v{n} }}}}" for n in range(12_000))
    masked = mask(source)
    assert masked.restored(masked.text) == source
    assert masked.missing_from(masked.text[: -len("liquid11999x")]) == [1]
