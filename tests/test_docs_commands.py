"""Every command that a page shows can be typed: the command line, make, the installer and compose know its words."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from cli.main import dripstream
from services.settings import ROOT, known_variables
from tests.test_docs import EACH_PAGE, FENCED

SHELLS = ("sh", "bash", "text", "")
ENDS = {"|", "||", "&&", "&", ";", ">", ">>", "<", "<<", "2>"}
OURS = ("dripstream", ".venv/bin/dripstream")
IN_CONTAINERS = re.compile(r"docker compose (?:-f \S+ )+(?:--profile \S+ )*run --rm cli ")
SHORTENED = re.compile(r"\b[A-Z]+\b|…|\.\.\.|<")
"""In a sentence a word may stand for what is to be put there."""


def blocks(page: Path) -> Iterator[str]:
    for match in FENCED.finditer(page.read_text()):
        first, _, rest = match[0].strip().partition("\n")
        if first.strip("`~ ") in SHELLS:
            yield rest.rpartition("\n")[0]


def typed(page: Path) -> list[str]:
    """The lines of its blocks that somebody types, put together where they go on; output has no prompt."""
    found: list[str] = []
    for block in blocks(page):
        text = re.sub(r"<<'EOF'\n.*?^ *EOF$", "", block, flags=re.MULTILINE | re.DOTALL).replace("\\\n", " ")
        prompted = re.findall(r"^ *\$ (.+)$", text, re.MULTILINE)
        found += prompted or [line.strip() for line in text.splitlines()]
    return [IN_CONTAINERS.sub("dripstream ", line) for line in found]


def in_sentences(page: Path) -> list[str]:
    return [
        " ".join(each.split())
        for each in re.findall(r"`((?:dripstream|make) [^`]+)`", FENCED.sub("", page.read_text()))
    ]


def words(line: str) -> list[list[str]]:
    """The commands of a line, each as its words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word in ENDS:
                commands.append([])
            else:
                commands[-1].append(word)
    except ValueError:  # a quotation that goes on in the next line: it is no command of ours
        return []
    return [command for command in commands if command]


def of_ours(line: str) -> Iterator[tuple[set[str], list[str]]]:
    """What each command of ours in the line is told by its environment, and its words after `dripstream`."""
    for command in words(line):
        told = {word.partition("=")[0] for word in command if re.match(r"[A-Z_]+=", word)}
        rest = [word for word in command if not re.match(r"[A-Z_]+=", word) and word not in ("sudo", "$(")]
        if rest and rest[0] in OURS:
            yield told, rest[1:]


def parsed(args: list[str]) -> None:
    """As the command line itself reads it, without running it. Errors: click.UsageError."""
    command: click.Command = dripstream
    context = click.Context(command, info_name="dripstream")
    while isinstance(command, click.Group) and args and not args[0].startswith("-"):
        name, found, args = command.resolve_command(context, args)
        assert name
        assert found
        command = found
        context = click.Context(command, info_name=name, parent=context)
    if not {"--help", "-h", "--version"} & set(args):
        command.make_context(context.info_name, list(args), parent=context.parent)


@EACH_PAGE
def test_the_command_line_takes_what_a_page_types(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in typed(page):
        for told, args in of_ours(line):
            for word in args:
                if word.endswith(".json"):
                    Path(word).touch()
                elif word.startswith("my-"):
                    Path(word).mkdir(exist_ok=True)
            assert told <= known_variables() | {"OTEL_EXPORTER_OTLP_ENDPOINT"}, line
            accepted(args, line)


@EACH_PAGE
def test_the_command_line_knows_what_a_page_speaks_of(page: Path) -> None:
    for line in in_sentences(page):
        for _, args in of_ours(line):
            if SHORTENED.search(" ".join(args)) or args == ["…"]:
                known_words(args, line)
            else:
                accepted(args, line, in_a_sentence=True)


def accepted(args: list[str], line: str, *, in_a_sentence: bool = False) -> None:
    unfinished = (click.MissingParameter, click.BadOptionUsage) if in_a_sentence else ()
    try:
        parsed(args)
    except unfinished:
        return
    except click.UsageError as error:
        pytest.fail(f"{line}: {error.format_message()}")


def known_words(args: list[str], line: str) -> None:
    """Of a form with places to fill in: its command, and its options."""
    command: click.Command = dripstream
    for word in args:
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        assert SHORTENED.search(word) or word in command.commands, line
        command = command.commands.get(word, command)
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in args if word.startswith("-")} <= options, line


def leaves(command: click.Command, *path: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from leaves(below, *path, name)
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield " ".join(["dripstream", *path])


def test_the_page_of_commands_has_every_command_and_no_other() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    rows = re.findall(r"^\| `(dripstream(?: [a-z-]+)+)[^`]*`", page, re.MULTILINE)
    assert sorted(rows) == sorted(leaves(dripstream))


@cache
def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@EACH_PAGE
def test_make_knows_every_target_of_a_page(page: Path) -> None:
    named = [word for line in [*typed(page), *in_sentences(page)] for each in words(line) for word in _targets(each)]
    assert set(named) <= targets()


def _targets(command: list[str]) -> list[str]:
    command = [word for word in command if "=" not in word]
    return command[1:] if command[:1] == ["make"] else []


@EACH_PAGE
def test_the_installer_knows_every_option_of_a_page(page: Path) -> None:
    installer = (ROOT / "deploy" / "install.sh").read_text()
    known = set(re.findall(r"^ *(--[a-z-]+)\)", installer, re.MULTILINE))
    options = re.findall(r"install\.sh((?: --[a-z-]+)+)", page.read_text())
    assert {each for some in options for each in some.split()} <= known


@EACH_PAGE
def test_compose_knows_every_file_and_profile_of_a_page(page: Path) -> None:
    lines = [line for line in page.read_text().splitlines() if "docker compose" in line]
    files = {file for line in lines for file in re.findall(r"-f (deploy/\S+\.yml)", line)}
    assert [file for file in files if not (ROOT / file).exists()] == []
    compose = (ROOT / "deploy" / "compose.yml").read_text()
    known = {name.strip() for some in re.findall(r"profiles: \[(.+?)\]", compose) for name in some.split(",")}
    assert {name for line in lines for name in re.findall(r"--profile (\w+)", line)} <= known


@pytest.mark.parametrize(
    ("typed_line", "problem"),
    [
        ("dripstream sned ada@example.com", "No such command"),
        ("dripstream pending --jsn", "No such option"),
        ("sudo dripstream failures --all | head", "No such option"),
        ("dripstream retry --all --reason", "requires an argument"),
        ("dripstream pause postman --for 2h", "postman"),
        ("cd x && dripstream contact", "Missing argument"),
    ],
)
def test_what_cannot_be_typed_is_noticed(typed_line: str, problem: str) -> None:
    [(_, args)] = of_ours(typed_line)
    with pytest.raises(click.UsageError) as refused:
        parsed(args)
    assert problem in refused.value.format_message()


def test_commands_are_found_where_pages_have_them() -> None:
    """A block that no longer looks like one would not be looked at, and nobody would notice."""
    found = [
        args[0] for page in (ROOT / "docs").rglob("*.md") for line in typed(page) for _, args in of_ours(line) if args
    ]
    assert len(found) > 40
    assert {"campaigns", "hold", "simulate", "up", "pending", "init"} <= set(found)
