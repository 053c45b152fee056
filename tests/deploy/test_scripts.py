"""The small scripts that start things: what they refuse, and in which words."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eventlog.server import free_port
from services.settings import ROOT
from tests.cluster import PASSWORDS, USERS, Node
from tests.deploy.programs import ran
from tests.systemd.server import PARTS

START = ROOT / "deploy/nats/start.sh"
WITH_SECRETS = ROOT / "deploy/systemd/with-secrets"
HEALTHY = ROOT / "deploy/systemd/nats_healthy.py"
MAKE_SECRETS = ROOT / "deploy/make-secrets.sh"
INSTALL = ROOT / "deploy/install.sh"
EMPTY = ["", " ", "\n", " \t\n", '""', "''", '" "']


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("value", EMPTY, ids=repr)
def test_the_broker_does_not_start_with_an_empty_password(user: str, value: str, tmp_path: Path) -> None:
    name = f"NATS_{user.upper()}_PASSWORD"
    refused = ran(START, "--check", **(PASSWORDS | {name: value, "SECRETS": str(tmp_path)}))
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (1, f"dripstream: no password for {name}")


@pytest.mark.parametrize("value", EMPTY, ids=repr)
def test_the_broker_does_not_start_with_an_empty_file_of_a_password(value: str, tmp_path: Path) -> None:
    for name, password in PASSWORDS.items():
        (tmp_path / name.lower()).write_text(password)
    assert ran(START, "--check", SECRETS=str(tmp_path)).returncode == 0
    (tmp_path / "nats_sender_password").write_text(value)
    refused = ran(START, "--check", SECRETS=str(tmp_path))
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (
        1,
        "dripstream: no password for NATS_SENDER_PASSWORD",
    )


@pytest.mark.parametrize("value", ["", " ", "\n"], ids=repr)
def test_a_service_does_not_start_with_an_empty_secret(value: str, tmp_path: Path) -> None:
    (tmp_path / "NATS_PASSWORD").write_text("p123")
    (tmp_path / "SIGNUP_WEBHOOK_SECRET").write_text(value)
    refused = ran(WITH_SECRETS, "echo", "started", CREDENTIALS_DIRECTORY=str(tmp_path))
    assert (refused.returncode, refused.stdout) == (78, "")
    assert "no secret in /etc/dripstream/secrets/SIGNUP_WEBHOOK_SECRET" in refused.stderr


def test_a_service_does_not_start_where_no_credential_can_be_read(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        refused = ran(WITH_SECRETS, "echo", "started", CREDENTIALS_DIRECTORY=str(folder))
        assert (refused.returncode, refused.stdout) == (78, "")
    assert ran(WITH_SECRETS, "echo", "started").returncode != 0


def test_a_service_is_told_where_its_secrets_are_and_not_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "NATS_PASSWORD").write_text("p123")
    given = ran(WITH_SECRETS, "env", CREDENTIALS_DIRECTORY=str(tmp_path)).stdout
    assert f"NATS_PASSWORD_FILE={tmp_path}/NATS_PASSWORD" in given.splitlines()
    assert "p123" not in given


async def test_a_broker_with_jetstream_is_healthy(tmp_path: Path) -> None:
    async with Node(tmp_path) as node:
        url = f"http://127.0.0.1:{node.monitor_port}/healthz?js-enabled-only=true"
        assert ran(sys.executable, "-I", "-S", HEALTHY, "--url", url, "--within", "20").returncode == 0


def test_nobody_waits_for_a_process_that_has_ended() -> None:
    ended = subprocess.Popen(["true"])  # noqa: S607 - whichever the PATH has
    ended.wait()
    waited = ran(sys.executable, "-I", "-S", HEALTHY, "--url", f"http://127.0.0.1:{free_port()}/", "--within", "600",
                 "--pid", str(ended.pid))  # fmt: skip
    assert waited.returncode == 1
    assert "has ended" in waited.stderr


def test_what_does_not_answer_in_time_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    waited = ran(sys.executable, "-I", "-S", HEALTHY, "--url", url, "--pid", str(os.getpid()))
    assert waited.returncode == 1
    assert waited.stderr.startswith(f"{url}: ")


def test_the_installer_tells_its_options() -> None:
    helped = ran(INSTALL, "--help")
    assert helped.returncode == 0
    for option in (
        "--no-start",
        "--roll-back",
        "--uninstall",
        "--purge",
        "--dry-run",
        "--python",
        "--root",
        "REQUIREMENTS=otel",
    ):
        assert option in helped.stdout


@pytest.mark.parametrize(("options", "said"), [
    (["--frobnicate"], "unknown option --frobnicate"),
    (["--purge"], "--purge goes with --uninstall"),
    (["--root", "/nowhere", "--uninstall"], "--root goes with an installation only"),
    (["--dry-run", "--python", "/bin/false"], "is not Python 3.11 or newer"),
])  # fmt: skip
def test_the_installer_refuses_what_it_does_not_know(options: list[str], said: str) -> None:
    refused = ran(INSTALL, *options)
    assert refused.returncode == 1
    assert said in refused.stderr


def test_the_installer_refuses_packages_it_does_not_know() -> None:
    refused = ran(INSTALL, "--dry-run", REQUIREMENTS="dev")
    assert (refused.returncode, refused.stderr) == (1, "install.sh: REQUIREMENTS is base or otel, not dev\n")


def test_a_release_with_traces_is_another_release(tmp_path: Path) -> None:
    for more in ({}, {"REQUIREMENTS": "otel"}):
        assert ran(INSTALL, "--root", tmp_path, **more).returncode == 0
    assert (tmp_path / "opt/dripstream/previous").resolve() != (tmp_path / "opt/dripstream/current").resolve()
    assert len(list((tmp_path / "opt/dripstream/releases").iterdir())) == 2


def test_a_dry_run_names_the_packages_it_would_install(tmp_path: Path) -> None:
    for more, named in (({}, "base"), ({"REQUIREMENTS": "otel"}, "otel")):
        said = ran(INSTALL, "--dry-run", **more).stdout
        assert set(re.findall(r"requirements/(\w+)\.txt", said)) == {named, "build"}


@pytest.mark.parametrize(
    "differs", ["systemd/system/dripstream-sender.service", "dripstream/secrets/NATS_SENDER_PASSWORD"]
)
def test_what_was_not_started_with_is_remembered(differs: str, tmp_path: Path) -> None:
    """The next run restarts for it, also after one that was interrupted or that had --no-start."""
    marker = tmp_path / "opt/dripstream/.restart"
    assert ran(INSTALL, "--root", tmp_path).returncode == 0
    assert marker.exists()
    marker.unlink()
    assert ran(INSTALL, "--root", tmp_path).returncode == 0
    assert not marker.exists()
    (tmp_path / "etc" / differs).write_text("")
    assert ran(INSTALL, "--root", tmp_path).returncode == 0
    assert marker.exists()


@pytest.mark.parametrize(("free_mb", "allowance"), [(100_000, "68GB"), (1_000, "700MB"), (3, "100MB")])
def test_the_broker_is_allowed_what_is_free_where_the_facts_go(free_mb: int, allowance: str, tmp_path: Path) -> None:
    """Which may be a disk of its own."""
    (tmp_path / "var/lib/dripstream").mkdir(parents=True)
    disks = tmp_path / "bin/df"
    disks.parent.mkdir()
    disks.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\nprintf "Avail\\n{free_mb}M\\n"\n')
    disks.chmod(0o755)
    done = ran(INSTALL, "--root", tmp_path, PATH=f"{disks.parent}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text().split()[-1] == f"{tmp_path}/var/lib/dripstream"
    assert f"NATS_MAX_FILE_STORE={allowance}\n" in (tmp_path / "etc/dripstream/nats.env").read_text()


def test_the_folder_of_passwords_is_closed_also_where_it_was_there_before(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    secrets.chmod(0o755)
    assert ran(MAKE_SECRETS, secrets).returncode == 0
    assert secrets.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("blank", ["", "\n", "  \n"], ids=repr)
def test_an_emptied_password_is_made_anew(blank: str, tmp_path: Path) -> None:
    assert ran(INSTALL, "--root", tmp_path).returncode == 0
    secrets = tmp_path / "etc/dripstream/secrets"
    kept = (secrets / "NATS_INGEST_PASSWORD").read_text()
    for name in ("NATS_SENDER_PASSWORD", "SIGNUP_WEBHOOK_SECRET"):
        (secrets / name).write_text(blank)
    assert ran(INSTALL, "--root", tmp_path).returncode == 0
    assert (secrets / "NATS_SENDER_PASSWORD").read_text().startswith("p")
    assert (secrets / "SIGNUP_WEBHOOK_SECRET").read_text().startswith("whsec_")
    assert (secrets / "NATS_INGEST_PASSWORD").read_text() == kept


def test_a_checkout_that_its_owner_keeps_to_himself_becomes_a_release_that_services_can_read(tmp_path: Path) -> None:
    checkout, root = tmp_path / "checkout", tmp_path / "root"
    checkout.mkdir()
    assert ran("cp", "-r", *(ROOT / part for part in PARTS), checkout).returncode == 0
    assert ran("chmod", "-R", "go=", checkout).returncode == 0
    assert ran(checkout / "deploy/install.sh", "--root", root).returncode == 0
    release = root / "opt/dripstream/current"
    assert all(path.stat().st_mode & 0o004 for path in release.rglob("*"))
    assert (release / "deploy/systemd/with-secrets").stat().st_mode & 0o001
