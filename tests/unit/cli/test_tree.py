"""What every command of the command line has in common: examples that can be typed, --json, --context, who and why."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.main import dripstream

RUNS_ON = "it runs until it is stopped, and DRIPSTREAM_LOG=json makes its log JSON"
GROUP = "a group of commands"
WITHOUT_JSON = {
    "": GROUP, "campaigns": GROUP, "templates": GROUP, "notion": GROUP,
    **dict.fromkeys(("up", "ingest", "scheduler", "sender", "notion-sync", "notifier", "sandbox"), RUNS_ON),
    "demo": "a show to look at",
}  # fmt: skip
WITHOUT_BROKER = {
    "": GROUP, "campaigns": GROUP, "templates": GROUP, "notion": GROUP,
    "demo": "it brings a broker of its own",
    "sandbox": "it stands in for Resend and Notion, which know no broker",
    "notifier test": "it posts to the chat alone",
    "simulate": "it shows what a campaign would do, without any server",
    "campaigns check": "it reads files",
    "schema": "it prints what the code says",
    **dict.fromkeys(("templates push", "templates pull", "templates diff"), "between files and Notion alone"),
}  # fmt: skip
CHANGES = {
    "hold", "resume", "cancel", "send-now", "pause", "retry", "discard", "trigger", "replay", "restored", "init",
    "notion rebuild",
}  # fmt: skip
"""What these do is a fact."""

CHANGES_ELSEWHERE = {
    "notion init": "databases in Notion, before there is a fact to show",
    "templates push": "rows in Notion, which keeps their history; what is sent names its version",
    "templates pull": "files, of which git keeps the history",
    "notifier test": "a message in the chat that says it is a test",
    "schema": "a file with --write",
    "export": "a file with -o",
}
ONLY_LOOKS = {
    "pending", "contact", "failures", "stats", "tail", "doctor", "simulate", "campaigns check", "templates diff",
    "notion check", "notion drift",
}  # fmt: skip

ARGUMENTS = {
    "hold": ["ada@example.com"],
    "cancel": ["ada@example.com"],
    "resume": ["ada@example.com"],
    "send-now": ["ada@example.com"],
    "contact": ["ada@example.com"],
    "pause": ["--for", "1h"],
    "retry": ["--all"],
    "discard": ["--all"],
    "restored": ["--force"],
    "replay": ["scheduler", "--force"],
    "trigger": ["christmas-2025", "paid", "ada@example.com"],
    "notion init": ["--parent", "0123456789abcdef0123456789abcdef"],
}
"""What a command has to be told before it does anything."""


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), command
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from commands(each, *path, name)


TREE = dict(commands(dripstream))
REACHING = sorted({*TREE} - {*WITHOUT_BROKER})


def options(command: click.Command) -> set[str]:
    return {name for param in command.params for name in param.opts}


def examples(command: click.Command) -> list[str]:
    """Each line to type that its help shows, without variables before it and what it is piped into."""
    _, _, shown = (command.help or "").partition("Example")
    typed = (
        re.search(r"dripstream[^|`]*", each) for each in re.findall(r"`([^`]*)`|``(.*?)``", shown) for each in each
    )
    return [re.split(r"[|>]", each[0])[0] for each in typed if each]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the files that examples name, and no setting of whoever runs the test."""
    for name in ("signup.json", "booked.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.chdir(tmp_path)
    for name in ("NATS_CONTEXT", "NATS_URL", "DRIPSTREAM_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", TREE)
def test_help_has_an_example_that_can_be_typed(name: str, desk: Path) -> None:
    shown = examples(TREE[name])
    assert [each for each in shown if each.split()[: 1 + len(name.split())] == ["dripstream", *name.split()]]
    for each in shown:
        parsed(each)


def parsed(line: str) -> None:
    """Errors: click.UsageError."""
    command, words = TREE[""], shlex.split(line)[1:]
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    command.make_context("dripstream", words, resilient_parsing=isinstance(command, click.Group))


@pytest.mark.parametrize("name", TREE)
def test_every_command_speaks_json_or_has_a_reason(name: str) -> None:
    assert ("--json" in options(TREE[name])) is (name not in WITHOUT_JSON), WITHOUT_JSON.get(name)


@pytest.mark.parametrize("name", TREE)
def test_every_command_that_reaches_the_broker_takes_a_context(name: str) -> None:
    assert ("--context" in options(TREE[name])) is (name not in WITHOUT_BROKER), WITHOUT_BROKER.get(name)


@pytest.mark.parametrize(
    "line", [*REACHING, "resume sender", "hold --campaign christmas-2025 --all", "stats --targets"]
)
def test_a_context_that_is_not_there_stops_the_command_before_it_does_anything(line: str, desk: Path) -> None:
    """So each hears the option, and none goes on with another broker."""
    words = [*line.split(), *ARGUMENTS.get(line, []), "--context", "nowhere"]
    answer = CliRunner().invoke(dripstream, words)
    assert answer.exit_code == 1
    assert "no NATS context 'nowhere'" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_what_changes_something_asks_who_and_why() -> None:
    asking = {name for name, each in TREE.items() if {"--by", "--why"} <= options(each)}
    assert asking == CHANGES
    everything = {*CHANGES, *CHANGES_ELSEWHERE, *ONLY_LOOKS, *WITHOUT_JSON}
    assert {*TREE} - everything == set(), "say what a new command changes"
