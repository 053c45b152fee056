"""A user of the broker without a password is anybody: nothing of ours starts a server or a service with one."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog.access import Access
from eventlog.connection import Denied, connect
from eventlog.server import find_binary, free_port
from services.settings import ROOT
from tests.cluster import PASSWORDS, USERS
from tests.waiting import eventually

DEPLOY = ROOT / "deploy"
EMPTY = ["", " ", "\t", "''", '""', "'' "]
UNFIT = ['"" # x', "# all a comment", "a # b", "$OTHER", "7seven", "two words", "two\nlines"]


class Start:
    """deploy/nats/start.sh with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        shutil.copytree(DEPLOY / "nats", folder / "nats")
        self.secrets = folder / "secrets"
        self.secrets.mkdir()
        self.environment = {
            "PATH": f"{find_binary().parent}:{os.environ['PATH']}",
            "SECRETS": str(self.secrets),
            "NATS_NAME": "n1",
            "NATS_LISTEN": f"127.0.0.1:{self.port}",
            "NATS_MONITOR": f"127.0.0.1:{free_port()}",
            "NATS_STORE": f'"{folder / "store"}"',
            "NATS_MAX_FILE_STORE": "1GB",
            **PASSWORDS,
        }

    @property
    def command(self) -> list[str]:
        return ["/bin/sh", str(self.folder / "nats" / "start.sh")]

    def by_file(self, name: str, content: str) -> None:
        del self.environment[name]
        (self.secrets / name.lower()).write_text(content)

    def refusal(self, *args: str) -> str:
        """What it says, having started nothing."""
        done = subprocess.run(  # noqa: S603 - our own script
            [*self.command, *args], env=self.environment, capture_output=True, text=True, check=False, timeout=20
        )
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return Start(tmp_path)


@pytest.fixture
def running(start: Start) -> Iterator[Start]:
    """Two passwords from files, the others from the environment."""
    for user in ("SENDER", "OPERATOR"):
        start.by_file(f"NATS_{user}_PASSWORD", f"{PASSWORDS[f'NATS_{user}_PASSWORD']}\n")
    server = subprocess.Popen(start.command, env=start.environment)  # noqa: S603 - our own script
    try:
        yield start
    finally:
        server.terminate()
        server.wait(20)


async def lets_in(start: Start, user: str, password: str) -> bool:
    access = Access(user=user, password=password)
    try:
        async with connect(f"nats://127.0.0.1:{start.port}", name="test", patience_s=20, access=access):
            return True
    except Denied:
        return False


async def test_it_starts_the_server_with_each_password_and_nobody_gets_in_without(running: Start) -> None:
    for user in USERS:
        await eventually(lambda who=user: lets_in(running, who, PASSWORDS[f"NATS_{who.upper()}_PASSWORD"]))  # type: ignore[misc]
        assert not await lets_in(running, user, "")


@pytest.mark.parametrize("args", [[], ["--check"]], ids=["start", "check"])
@pytest.mark.parametrize("password", EMPTY)
def test_an_empty_password_is_refused_with_the_name_of_its_variable(
    start: Start, password: str, args: list[str]
) -> None:
    start.environment["NATS_SENDER_PASSWORD"] = password
    start.by_file("NATS_OPERATOR_PASSWORD", f"{password}\n")
    said = start.refusal(*args)
    assert "no password for NATS_SENDER_PASSWORD NATS_OPERATOR_PASSWORD\n" in said
    assert "make-secrets.sh" in said


@pytest.mark.parametrize("password", UNFIT)
def test_one_that_the_server_could_read_as_another_is_refused_and_not_repeated(start: Start, password: str) -> None:
    start.environment["NATS_SENDER_PASSWORD"] = password
    said = start.refusal()
    assert said.endswith("choose another for NATS_SENDER_PASSWORD\n")
    assert password not in said


def test_one_that_is_not_there_at_all_is_refused(start: Start) -> None:
    del start.environment["NATS_INGEST_PASSWORD"]
    assert "no password for NATS_INGEST_PASSWORD\n" in start.refusal()


def test_nothing_else_of_ours_starts_the_server() -> None:
    """Neither a unit nor a container, which would go around the look at the passwords."""
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and path.name != "start.sh"]
    starts = [path.name for path in files if re.search(r"nats-server\s+--?(c|config|js)\b", path.read_text())]
    assert starts == []
    for compose in ("compose.yml", "compose.cluster.yml"):
        services = re.split(r"\n(?=  [\w-]+:)", (DEPLOY / compose).read_text())
        brokers = [each for each in services if "image: nats:" in each]
        assert all("/etc/dripstream/start.sh" in each for each in brokers)
    assert "start.sh" in (DEPLOY / "systemd" / "dripstream-nats.service").read_text()


@pytest.mark.parametrize("password", ["", "\n", " \n"])
def test_a_unit_without_its_password_is_refused_with_the_file_to_fill(tmp_path: Path, password: str) -> None:
    (tmp_path / "NATS_PASSWORD").write_text(password)
    environment = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(tmp_path)}
    command = [str(DEPLOY / "systemd" / "with-secrets"), "echo", "started"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert "NATS_PASSWORD" in done.stderr


def test_an_emptied_password_is_made_anew_and_the_others_are_kept(tmp_path: Path) -> None:
    def make() -> dict[str, str]:
        subprocess.run(["sh", DEPLOY / "make-secrets.sh", tmp_path / "secrets"], check=True)  # noqa: S603, S607
        return {path.name: path.read_text().strip() for path in (tmp_path / "secrets" / "nats").iterdir()}

    first = make()
    (tmp_path / "secrets" / "nats" / "nats_sender_password").write_text("")
    second = make()
    emptied = {name for name in first if first[name] != second[name]}
    assert emptied == {"nats_sender_password"}
    assert len(second["nats_sender_password"]) > 40
    assert (tmp_path / "secrets" / "sender" / "nats_password").read_text().strip() == second["nats_sender_password"]
