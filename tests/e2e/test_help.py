"""Every command explains itself."""

import re
from collections.abc import Iterator

import click
import pytest

from cli.main import dripstream
from tests.e2e.processes import Machine


def commands(group: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, *path, name)


ALL = list(commands(dripstream))


@pytest.mark.parametrize("command", ALL, ids=lambda command: " ".join(command) or "dripstream")
async def test_help_explains_a_command(here: Machine, command: tuple[str, ...]) -> None:
    answer = await here.run(*command, "--help")
    assert (answer.code, answer.err) == (0, "")
    text = " ".join(answer.out.split())
    assert f"Usage: {' '.join(['dripstream', *command])}" in text
    about = re.split(r"\[ARGS\]\.\.\.|SERVICE|\[OPTIONS\]", text.partition("╭")[0])[-1]
    assert "Example:" in about or re.search(r"\w[^.]{10,}\.", about)


async def test_the_version_is_said(here: Machine) -> None:
    answer = await here.run("--version")
    assert answer.code == 0
    assert re.search(r"\d+\.\d+", answer.out)


async def test_an_unknown_command_is_refused_with_the_usage(here: Machine) -> None:
    answer = await here.run("sned")
    assert answer.code == 2
    assert "No such command 'sned'" in answer.err
