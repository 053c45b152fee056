"""Pages of docs as somebody follows them: their blocks in order, typed in a shell, beside what they show."""

import re
import shutil
import subprocess
from dataclasses import dataclass

import pytest

from services.settings import ROOT
from tests.e2e.processes import DRIPSTREAM, Machine

BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"\n]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 60
MISSING = [name for name in ("bash", "curl", "openssl") if shutil.which(name) is None]
TYPED = pytest.mark.skipif(bool(MISSING), reason=f"{''.join(MISSING[:1])} is not installed: pages are typed with it")


@dataclass(frozen=True)
class Block:
    """As the page has it; `title` is the file that it is."""

    language: str
    title: str
    text: str


def section(page: str, name: str) -> list[Block]:
    text = (ROOT / "docs" / page).read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]
    return [Block(*found) for found in BLOCK.findall(text)]


def like_a_checkout(here: Machine) -> None:
    """Where pages call `.venv/bin/dripstream`."""
    (here.folder / ".venv").mkdir()
    (here.folder / ".venv" / "bin").symlink_to(DRIPSTREAM.parent)
    (here.folder / "campaigns").symlink_to(ROOT / "campaigns")


def types(here: Machine, commands: str) -> tuple[int, str]:
    """The exit code, and what was said. Ports are those of this machine."""
    commands = commands.replace(":8000", f":{here.port}").replace(":8025", f":{here.sandbox_port}")
    done = subprocess.run(  # noqa: S603 - what our own page says
        ["/bin/bash", "-c", commands], cwd=here.folder, env={**here.environment, "COLUMNS": "120"},
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def same(said: str, shown: str) -> bool:
    """But for blanks, and where a line was broken to fit the page."""
    return "".join(said.split()) == "".join(shown.split())
