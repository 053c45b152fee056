"""`sudo dripstream` on a server: which settings it takes, and from where it runs."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.settings import ROOT
from tests.deploy.programs import ran

COMMAND = ROOT / "deploy/systemd/dripstream-command"
NATS_ENV = """NATS_LISTEN=127.0.0.1:4222
NATS_STORE='"/var/lib/dripstream/nats"'
NATS_MAX_FILE_STORE=7GB"""
"""Without a line end, as an editor may leave it."""


@dataclass
class Installed:
    """The command under a folder, for somebody who seems to be root; `dripstream` says what it was given."""

    folder: Path

    def __post_init__(self) -> None:
        self.program("opt/dripstream/current/venv/bin/dripstream", 'echo "in=$PWD"\nenv')
        self.program("bin/id", "echo 0")
        self.program("bin/setpriv", 'while case $1 in --*) ;; *) false ;; esac; do shift; done\nexec "$@"')
        self.write("etc/dripstream/secrets/NATS_OPERATOR_PASSWORD", "p123\n")
        self.write("etc/dripstream/env", "DRIPSTREAM_PORT='9000'\n")
        self.write("etc/dripstream/nats.env", NATS_ENV)
        text = COMMAND.read_text().replace("/opt/dripstream", f"{self.folder}/opt/dripstream")
        self.write("dripstream", text.replace("/etc/dripstream", f"{self.folder}/etc/dripstream"))

    def write(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def program(self, name: str, content: str) -> None:
        self.write(name, f"#!/bin/sh\n{content}\n").chmod(0o755)

    def given(self) -> dict[str, str]:
        """From a folder with a `.env` of somebody else's."""
        here = self.write("elsewhere/.env", "DRIPSTREAM_PORT=666\n").parent
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        said = ran("sh", "-c", f"cd {here} && exec sh {self.folder}/dripstream pending", PATH=path)
        assert said.returncode == 0, said.stderr
        return dict(line.split("=", 1) for line in said.stdout.splitlines())


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_it_runs_in_a_folder_of_ours_wherever_root_stands(installed: Installed) -> None:
    assert installed.given()["in"] == f"{installed.folder}/opt/dripstream/current"


def test_it_has_the_settings_of_the_services_and_is_the_operator(installed: Installed) -> None:
    given = installed.given()
    assert (given["DRIPSTREAM_PORT"], given["NATS_USER"], given["NATS_PASSWORD"]) == ("9000", "operator", "p123")


def test_it_knows_what_the_broker_may_store_and_nothing_else_of_its_settings(installed: Installed) -> None:
    given = installed.given()
    assert (given["NATS_MAX_FILE_STORE"], given["NATS_STORE"]) == ("7GB", '"/var/lib/dripstream/nats"')
    assert "NATS_LISTEN" not in given


def test_a_setting_of_ours_wins_over_one_of_the_broker(installed: Installed) -> None:
    installed.write("etc/dripstream/env", "NATS_MAX_FILE_STORE=5GB\n")
    assert installed.given()["NATS_MAX_FILE_STORE"] == "5GB"


def test_it_works_where_the_broker_is_elsewhere(installed: Installed) -> None:
    (installed.folder / "etc/dripstream/nats.env").unlink()
    assert "NATS_MAX_FILE_STORE" not in installed.given()
