"""What a person typed is data in a chat too: it calls nobody, links nowhere and fits."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.message import LIMITS, Message, body, plain
from services.notifier.target import Kind
from services.sandbox.chat_api import Execute, Mentions, discord_calls, slack_calls

KINDS: list[Kind] = ["discord", "slack"]
HOSTILE = [
    "@everyone", "@here come", "<@123456>", "<@&99>", "<!channel>", "<!here|here>", "<!subteam^S1>", "<@U123>",
    "[free](https://evil.example)", "<https://evil.example|bank>", "https://evil.example", "**bold**", "``` code",
    "a & b <c>", "line\nbreak: Score: 1", "\u202eevil", "\\*", "x" * 10_000,
]  # fmt: skip


def text(message: Message, kind: Kind) -> str:
    made = body(message, kind)
    return str(made["content" if kind == "discord" else "text"])


def calls(written: str, kind: Kind) -> tuple[str, ...]:
    """Even where nobody forbids mentions."""
    return discord_calls(Execute(content=written)) if kind == "discord" else slack_calls(written)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_text_stays_text(kind: Kind, value: str) -> None:
    written = text(Message(value, (("Name", value), ("Score", "7"))), kind)
    assert "https://" not in written
    assert calls(written, kind) == ()
    assert len(written.splitlines()) == 3
    assert written.endswith("\nScore: 7")


def test_discord_is_told_to_call_nobody_and_show_no_previews() -> None:
    made = body(Message("Hello"), "discord")
    assert made == {"content": "**Hello**", "allowed_mentions": {"parse": []}, "flags": 4}


def test_slack_is_told_to_show_no_previews() -> None:
    assert body(Message("A & B"), "slack") == {"text": "*A &amp; B*", "unfurl_links": False, "unfurl_media": False}


def test_the_stand_in_reads_mentions_where_they_are_not_forbidden() -> None:
    """Or the tests above could not fail."""
    assert discord_calls(Execute(content="@everyone <@1> <@&2>")) == ("@everyone", "<@&2>", "<@1>")
    assert discord_calls(Execute(content="@everyone", allowed_mentions=Mentions(parse=[]))) == ()
    assert slack_calls("<!channel> <@U12>") == ("<!channel>", "<@U12>")


def test_our_own_link_is_a_link() -> None:
    assert text(Message("T", (), "https://www.notion.so/abc"), "slack") == "*T*\n<https://www.notion.so/abc>"


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_left_out_in_whole_lines(kind: Kind) -> None:
    written = text(Message("T", tuple((f"L{n}", "<" * 300) for n in range(50))), kind)
    assert len(written) <= LIMITS[kind]
    assert written.endswith("\n…")
    assert re.fullmatch(r"L\d+: (\\<|&lt;)+", written.splitlines()[-2])


@given(st.lists(st.tuples(st.just("Label"), st.text()), max_size=30), st.text(), st.sampled_from(KINDS))
def test_any_message_fits_and_calls_nobody(lines: list[tuple[str, str]], title: str, kind: Kind) -> None:
    written = text(Message(title, tuple(lines)), kind)
    assert len(written.encode("utf-16-le")) // 2 <= LIMITS[kind]
    assert calls(written, kind) == ()


@given(st.text())
def test_any_value_is_one_visible_line(value: str) -> None:
    assert len(plain(value).splitlines()) <= 1
    assert len(plain(value)) <= 700
