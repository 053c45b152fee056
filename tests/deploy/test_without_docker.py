"""The units and the installer, by the programs that know: systemd-analyze and shellcheck."""

import re
import shutil
from pathlib import Path

import pytest

from services.settings import ROOT
from tests.cluster import USERS
from tests.deploy.programs import program, ran

SYSTEMD = ROOT / "deploy" / "systemd"
UNITS = sorted(path.name for path in SYSTEMD.glob("*.service"))
EXPOSED_AT_MOST = 19  # tenths: docs/server.md says less than 2
SCRIPTS = [
    "deploy/install.sh",
    "deploy/make-secrets.sh",
    "deploy/nats/start.sh",
    "deploy/systemd/with-secrets",
    "deploy/systemd/dripstream-command",
]


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with what the installer puts there; programs that need packages are empty scripts."""
    root = tmp_path_factory.mktemp("root")
    done = ran(ROOT / "deploy/install.sh", "--root", root)
    assert done.returncode == 0, done.stderr
    programs = root / "opt/dripstream/current/venv/bin"
    programs.mkdir(parents=True)
    (root / "usr/bin").mkdir(parents=True)
    for path in [*(programs / name for name in ("dripstream", "nats-server", "python")), root / "usr/bin/systemctl"]:
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return root


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_hardened(unit: str, staged: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    done = ran(analyze, "security", "--no-pager", "--offline=true", f"--root={staged}",
               f"--threshold={EXPOSED_AT_MOST}", unit)  # fmt: skip
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


def test_units_are_as_systemd_wants_them(staged: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    shutil.copytree("/usr/lib/systemd/system", staged / "usr/lib/systemd/system", symlinks=True, dirs_exist_ok=True)
    ours = [path.name for path in SYSTEMD.iterdir() if path.suffix in {".service", ".timer", ".target"}]
    done = ran(analyze, "verify", "--man=no", f"--root={staged}", *ours)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_service_is_given_the_secrets_of_another() -> None:
    given = {unit: set(re.findall(r"^LoadCredential=\w+:.*/(\w+)$", (SYSTEMD / unit).read_text(), re.MULTILINE))
             for unit in UNITS}  # fmt: skip
    broker = given.pop("dripstream-nats.service")  # it has to know all of its users
    assert broker == {f"NATS_{user.upper()}_PASSWORD" for user in USERS}
    services = [unit for unit in given if given[unit]]
    assert len(services) == 6
    everything = [secret for unit in services for secret in given[unit]]
    assert len(everything) == len(set(everything))


@pytest.mark.parametrize("service", ["scheduler", "sender", "notion-sync", "notifier"])
def test_only_ingest_listens_where_the_settings_say(service: str) -> None:
    """DRIPSTREAM_HOST is in `env`, and what is there beats Environment=."""
    unit = (SYSTEMD / f"dripstream-{service}.service").read_text().splitlines()
    assert "UnsetEnvironment=DRIPSTREAM_HOST" in unit
    assert "DRIPSTREAM_HOST" not in (SYSTEMD / "dripstream-ingest.service").read_text()


def test_the_settings_of_the_broker_win_over_none_of_ours() -> None:
    """Of two, systemd takes the last."""
    unit = (SYSTEMD / "dripstream-scheduler.service").read_text()
    files = re.findall(r"^EnvironmentFile=(.+)$", unit, re.MULTILINE)
    assert files == ["-/etc/dripstream/nats.env", "/etc/dripstream/env"]


def test_streams_are_made_once_the_broker_is_back() -> None:
    init = (SYSTEMD / "dripstream-init.service").read_text().splitlines()
    assert {"Restart=on-failure", "RestartSec=30"} <= set(init)


def test_a_second_installation_changes_nothing_and_keeps_every_secret(tmp_path: Path) -> None:
    assert ran(ROOT / "deploy/install.sh", "--root", tmp_path).returncode == 0
    (tmp_path / "etc/dripstream/secrets/RESEND_API_KEY").write_text("re_example")
    (tmp_path / "etc/dripstream/env").write_text("DRIPSTREAM_PORT=9000\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = ran(ROOT / "deploy/install.sh", "--root", tmp_path)
    assert again.returncode == 0
    assert "wrote" not in again.stdout
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_secrets_are_for_root_alone_and_differ(staged: Path) -> None:
    secrets = [path for path in (staged / "etc/dripstream/secrets").iterdir() if path.stat().st_size]
    assert len({path.read_text() for path in secrets}) == len(secrets) == 9
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
    assert (staged / "etc/dripstream/secrets").stat().st_mode & 0o777 == 0o700
    assert (staged / "etc/dripstream/nats.env").stat().st_mode & 0o777 == 0o640
    assert not any(secret.read_text().strip() in (staged / "etc/dripstream/nats.env").read_text() for secret in secrets)
    assert (staged / "etc/dripstream/env").stat().st_mode & 0o777 == 0o640


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = ran(ROOT / "deploy/install.sh", "--dry-run", "--root", tmp_path)
    assert done.returncode == 0
    assert "would write" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_scripts_have_no_known_trap() -> None:
    done = ran(program("shellcheck", "shellcheck"), *SCRIPTS)
    assert done.returncode == 0, done.stdout
