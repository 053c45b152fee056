"""The campaign file: what it means, and everything that is refused in it, with its line."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.facts import Assessment
from journey.campaign import Campaign, CampaignError, load_campaign, load_campaigns
from journey.toml_table import lines_of
from journey.variables import MEETING, SUPPLIED
from tests.unit.journey.campaign_folder import TOML, line_with, refusals, write


@pytest.fixture(scope="module")
def spring(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return load_campaign(write(tmp_path_factory.mktemp("campaigns")))


def test_steps_are_read_with_their_delays(spring: Campaign) -> None:
    first, second = spring.sequences[0].steps
    assert (first.after, first.testing_after, first.expires_after) == (timedelta(0), timedelta(0), timedelta(hours=72))
    assert (second.after, second.testing_after) == (timedelta(hours=24), timedelta(seconds=90))
    assert second.expires_after == timedelta(days=2)


def test_step_template_depends_on_segment(spring: Campaign) -> None:
    step = spring.step("nurture", "email-2")
    assert step is not None
    assert (step.template_for("CRITICAL"), step.template_for("OTHERS")) == ("hello", "bye")
    assert spring.template_for(step, {"red_systems": 3}).name == "hello"


@pytest.mark.parametrize("policy", ["shift", "send", "skip"])
def test_a_late_policy_is_read_and_shift_where_none_is_said(spring: Campaign, tmp_path: Path, policy: str) -> None:
    assert spring.on_resume == "shift"
    assert load_campaign(write(tmp_path, toml=f'on_resume = "{policy}"\n{TOML}')).on_resume == policy


def test_unknown_steps_are_not_found(spring: Campaign) -> None:
    assert spring.sequence("nope") is None
    assert spring.step("nope", "email-1") is None
    assert spring.step("nurture", "email-9") is None


def test_first_segment_that_holds_wins(spring: Campaign) -> None:
    assert spring.segment_of({"red_systems": 2}) == "CRITICAL"
    assert spring.segment_of({"red_systems": 1}) == "OTHERS"


raw = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.dictionaries(st.sampled_from(sorted(SUPPLIED)) | st.text(), raw))
def test_everybody_has_one_segment_and_all_variables(spring: Campaign, values: dict[str, object]) -> None:
    assert spring.segment_of(values) in {"CRITICAL", "OTHERS"}
    shown = spring.variables_for(values)
    assert {*spring.variables, "segment", "booking_url"} <= shown.keys()


def test_values_are_formatted_for_people(spring: Campaign) -> None:
    shown = spring.variables_for(
        {"first_name": " Ada\n", "assessment_score": 61.0, "money_score": 58.46, "revenue_leak_total": 14_700.0}
    )
    assert shown["first_name"] == "Ada"
    assert (shown["assessment_score"], shown["money_score"]) == (61, 58.5)
    assert shown["revenue_leak_total"] == "$14,700"


def test_absent_values_fall_back_and_say_so(spring: Campaign) -> None:
    shown = spring.variables_for({"revenue_leak_total": None, "business_name": "  "})
    assert (shown["business_name"], shown["has_business_name"]) == ("your business", False)
    assert (shown["revenue_leak_total"], shown["has_revenue_leak_total"]) == ("N/A", False)
    assert shown["first_name"] == ""


def test_form_that_says_not_available_itself_counts_as_absent(spring: Campaign) -> None:
    assert spring.variables_for({"business_name": "your business"})["has_business_name"] is False


def test_leak_of_nothing_is_not_worth_a_word(spring: Campaign) -> None:
    shown = spring.variables_for({"revenue_leak_total": 0.0})
    assert (shown["revenue_leak_total"], shown["has_revenue_leak_total"]) == ("$0", False)


def test_long_text_is_bounded(spring: Campaign) -> None:
    assert len(str(spring.variables_for({"first_name": "x" * 10_000})["first_name"])) == 200


def test_supplied_variables_are_those_of_the_facts() -> None:
    assert set(SUPPLIED) == {"first_name", "business_name", *Assessment.__struct_fields__, *MEETING}
    optional = {
        name for name, default in zip(Assessment.__struct_fields__[1:], Assessment.__struct_defaults__, strict=True)
        if default is None
    }  # fmt: skip
    assert {name for name, what in SUPPLIED.items() if what.optional} == optional | {"business_name", *MEETING}


REFUSED = {
    "a late policy we do not know": (
        'reply_to = "hello@example.com"',
        'reply_to = "hello@example.com"\non_resume = "shfit"',
        "'on_resume' must be one of shift, send, skip, not 'shfit'",
    ),
    "a typo in a key": ('reply_to = "', 'replyto = "', "unknown key 'replyto'; did you mean 'reply_to'?"),
    "an unknown step key": ('testing_after = "0m"', 'testing_aftr = "0m"', "did you mean 'testing_after'?"),
    "a missing testing delay": ('testing_after = "0m"\n', "", "'testing_after' is missing"),
    "an unknown unit": ('after = "24h"', 'after = "24x"', "step email-2: 'after' must be a delay"),
    "a negative delay": ('after = "24h"', 'after = "-1h"', "not '-1h'"),
    "a number as delay": ('after = "24h"', "after = 24", "'after' must be a text"),
    "a delay of a century": ('after = "24h"', 'after = "99999d"', "must be a delay"),
    "an empty lifetime": ('"2d"', '"0d"', "'expires_after' must be longer than nothing"),
    "a missing template": ('template = "hello"', 'template = "foo"', "step email-1: template 'foo' does not exist"),
    "a template outside": ('template = "hello"', 'template = "../hello"', "does not exist"),
    "a missing variant template": ('OTHERS = "bye"', 'OTHERS = "foo"', "step email-2: template 'foo' does not exist"),
    "a variant for nobody": ('OTHERS = "bye"', 'OTHERS = "bye", X = "bye"', "step email-2: there is no segment 'X'"),
    "a segment left out": (', OTHERS = "bye"', "", "step email-2: no template for segment OTHERS"),
    "no template": ('template = "hello"', "", "'template' is missing"),
    "a step id that is no token": ('id = "email-1"', 'id = "email.1"', "step 'email.1' is no id"),
    "a step id twice": ('id = "email-2"', 'id = "email-1"', "step email-1: is there twice"),
    "a trigger that is no name": ('trigger = "signup"', 'trigger = "full moon"', "'full moon' is no name"),
    "a trigger with a typo": ('trigger = "signup"', 'trigger = "sign_up"', "did you mean 'signup'?"),
    "a fact that triggers nothing": ('trigger = "signup"', 'trigger = "meeting_ended"', "not an event that counts"),
    "a segment of meetings": ('"red_systems >= 2"', "\"meeting_day == 'x'\"", "nobody supplies the variable 'm"),
    "a segment twice": ('name = "OTHERS"', 'name = "CRITICAL"', "segment CRITICAL: is there twice"),
    "a condition that does not parse": ('"red_systems >= 2"', '"red_systems >="', "segment CRITICAL: "),
    "a condition on nothing known": ('"red_systems >= 2"', '"rde_systems > 2"', "did you mean 'red_systems'?"),
    "a condition on a text": ('"red_systems >= 2"', '"first_name > 2"', "not supported between 'int' and 'str'"),
    "a condition that is a template": ('"red_systems >= 2"', '"true %}{% if true"', "must be one expression"),
    "a condition with a range": ('"red_systems >= 2"', '"(1..9) contains red_systems"', "range"),
    "a condition with a filter": ('"red_systems >= 2"', '"red_systems | plus: 1"', "segment CRITICAL: "),
    "a segment without condition": ('when = "red_systems >= 2"\n', "", "'when' is missing"),
    "a last segment with condition": ('name = "OTHERS"', 'name = "OTHERS"\nwhen = "true"', "takes everybody else"),
    "an unknown variable": ("first_name = {}", "frist_name = {}", "did you mean 'first_name'?"),
    "an unknown format": ('format = "money"', 'format = "euro"', "must be one of number, money"),
    "no fallback for what may be missing": ('{ fallback = "your business" }', "{}", "needs a 'fallback'"),
    "a constant named like a variable": ("booking_url", "red_systems", "is the name of a variable"),
    "a constant no template can name": ('booking_url = "', '"booking url" = "', "is not a name templates can use"),
    "an empty constant": ('"https://cal.com/example"', '""', "must be a text that is not empty"),
    "a blank name": ('name = "Spring"', 'name = " "', "'name' must be a text that is not empty"),
    "a bad sender": ("<hello@mail.example.com>", "<hello@mail>", "'from' is not an address"),
    "a sender that injects": ("Business X <", "Business\\nBcc: <", "'from' is not an address"),
    "two reply addresses": ('"hello@example.com"', '"a@example.com, b@example.com"', "'reply_to' is not an address"),
    "a table where a text belongs": ('name = "Spring"', "name = {}", "'name' must be a text"),
    "steps that are no array": ("[constants]", '[sequences.x]\nsteps = "y"\n[constants]', "[[sequences.x.steps]]"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_file_is_refused_with_line_and_reason(tmp_path: Path, old: str, new: str, reason: str) -> None:
    toml = TOML.replace(old, new, 1)
    found = refusals(write(tmp_path, toml=toml))
    assert any(reason in each for each in found), found
    pairs = enumerate(zip(toml.split("\n"), TOML.split("\n"), strict=False), 1)
    changed = next(number for number, (now, before) in pairs if now != before)
    line = next(int(each.split(":")[1]) for each in found if reason in each)
    # what is missing is reported at the head of its table
    assert line == changed or ((not new or "\n" in new) and abs(line - changed) <= 4), (line, changed)


def test_refusal_reads_like_a_compiler_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    toml = TOML.replace('template = "hello"', 'template = "foo"')
    with pytest.raises(CampaignError) as caught:
        load_campaign(write(Path("campaigns"), toml=toml))
    line = line_with(toml, '"foo"')
    assert str(caught.value) == f"campaigns/spring/campaign.toml:{line}: step email-1: template 'foo' does not exist"


@pytest.mark.parametrize("key", ["name", "from", "reply_to"])
def test_missing_top_level_key_is_refused(tmp_path: Path, key: str) -> None:
    toml = "\n".join(line for line in TOML.split("\n") if not line.startswith(f"{key} =") or "OTHERS" in line)
    toml = toml if key != "name" else toml.replace("[[segments]]\nwhen", '[[segments]]\nname = "CRITICAL"\nwhen')
    toml = toml if key != "name" else toml.replace("[[segments]]\n[var", '[[segments]]\nname = "OTHERS"\n[var')
    assert refusals(write(tmp_path, toml=toml)) == [f"campaign.toml:1: {key!r} is missing"]


def test_all_problems_are_found_at_once(tmp_path: Path) -> None:
    toml = TOML.replace('"24h"', '"24x"').replace('"Spring"', '""').replace('= "hello"\n', '= "foo"\n')
    hello = "---\nsubject: {{ nobody }}\npreheader: x\n---\n<mj-text>{{ first_name | reverse }}</mj-text>\n<oops/>"
    found = refusals(write(tmp_path, toml=toml, hello=hello))
    assert [each.split(" ")[0] for each in found] == [
        *(f"campaign.toml:{line_with(toml, part)}:" for part in ('name = ""', '"foo"', '"24x"')),
        *("hello.mjml:2:", "hello.mjml:5:", "hello.mjml:6:"),
    ]


def test_invalid_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    toml = TOML.replace('after = "24h"', "after = 24h")
    (found,) = refusals(write(tmp_path, toml=toml))
    assert found.startswith(f"campaign.toml:{line_with(toml, '24h')}: not TOML: ")


def test_sequence_twice_is_refused(tmp_path: Path) -> None:
    toml = TOML + '[sequences.nurture]\ntrigger = "signup"\n'
    (found,) = refusals(write(tmp_path, toml=toml))
    assert found.startswith(f"campaign.toml:{toml.count(chr(10)) - 1}: not TOML: ")
    assert "nurture" in found


def test_sequence_id_must_be_a_token(tmp_path: Path) -> None:
    toml = TOML.replace("sequences.nurture", 'sequences."a b"')
    (found,) = refusals(write(tmp_path, toml=toml))
    line = line_with(toml, 'trigger = "signup"') - 1
    assert found.startswith(f"campaign.toml:{line}: sequence 'a b' is no id")


def test_campaign_id_must_be_a_token(tmp_path: Path) -> None:
    (found,) = refusals(write(tmp_path, name="spring.2026"))
    assert found.startswith("campaign.toml:1: the folder's name 'spring.2026' is no id")


def test_campaign_without_sequences_is_refused(tmp_path: Path) -> None:
    (found,) = refusals(write(tmp_path, toml=TOML[: TOML.index("[sequences")]))
    assert "no sequence is defined" in found


def test_sequence_without_steps_is_refused(tmp_path: Path) -> None:
    (found,) = refusals(write(tmp_path, toml=TOML[: TOML.index("[[sequences")]))
    assert "sequence nurture: has no steps" in found


def test_campaign_without_segments_has_one_for_all(tmp_path: Path) -> None:
    start, end = TOML.index("[[segments"), TOML.index("[variables")
    toml = (TOML[:start] + TOML[end:]).replace('{ CRITICAL = "hello", OTHERS = "bye" }', '"bye"')
    assert load_campaign(write(tmp_path, toml=toml)).segment_of({}) == "ALL"


def test_delays_need_no_order(tmp_path: Path) -> None:
    assert load_campaign(write(tmp_path, toml=TOML.replace('"0h"', '"90d"'))).id == "spring"


@pytest.mark.parametrize("raw_bytes", [None, b"name = '\xff'"], ids=["absent", "not UTF-8"])
def test_unreadable_file_is_refused(tmp_path: Path, raw_bytes: bytes | None) -> None:
    (tmp_path / "spring").mkdir()
    if raw_bytes is not None:
        (tmp_path / "spring" / "campaign.toml").write_bytes(raw_bytes)
    (found,) = refusals(tmp_path / "spring")
    assert found.startswith("campaign.toml:1: cannot be read")


def test_all_campaigns_are_loaded_by_id(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, name="summer")
    (tmp_path / ".git").mkdir()
    assert set(load_campaigns(tmp_path)) == {"spring", "summer"}


def test_problems_of_all_campaigns_are_collected(tmp_path: Path) -> None:
    for name in ("spring", "summer"):
        write(tmp_path, name=name, toml=TOML.replace('"24h"', '"24x"'))
    with pytest.raises(CampaignError) as caught:
        load_campaigns(tmp_path)
    assert [Path(each.file).parent.name for each in caught.value.problems] == ["spring", "summer"]


def test_missing_folder_of_campaigns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="is not a folder"):
        load_campaigns(tmp_path / "nowhere")


def test_lines_are_found_through_every_form_of_toml() -> None:
    toml = (
        'a = 1\n\n# c\n[t]\nb.c = """\nd = 2\n"""\n[[x.y]]\nk = [\n 1,\n 2]\n[[x.y]]\nl = { m = 1 }\n[x.y.z]\nn = 1\n'
    )
    lines = lines_of(toml)
    assert {keys: lines[keys] for keys in [("a",), ("t",), ("t", "b", "c"), ("x", "y", 0, "k")]} == {
        ("a",): 1,
        ("t",): 4,
        ("t", "b", "c"): 5,
        ("x", "y", 0, "k"): 9,
    }
    assert lines["x", "y", 1, "l", "m"] == 13
    assert lines["x", "y", 1, "z", "n"] == 15
    assert ("t", "d") not in lines
