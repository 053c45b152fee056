"""Programs of the system that tests need, and how to get them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from services.settings import ROOT


def program(name: str, package: str) -> str:
    """Where it is; without it the test is skipped, and says how to get it (tests/conftest.py: CI wants to know)."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def ran(*command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "SYSTEMD_COLORS": "0", **more}
    return subprocess.run(  # noqa: S603 - programs of the system, on our own files
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Its own authority, with its key."""
    chain, key = folder / "fullchain.pem", folder / "privkey.pem"
    made = ran(program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}",
               "-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out", chain)  # fmt: skip
    assert made.returncode == 0, made.stderr
    return chain, key
