"""Lines for machines: JSON, each by itself, of nothing but ASCII."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from services import logs


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    before = structlog.get_config()
    logs.configure("json", file=tmp_path / "log")
    yield tmp_path / "log"
    structlog.configure(**before)


@pytest.mark.parametrize("text", ["plain", "Zoë", "\u2028next line", "\x9b31m red", '"\\', "\x1b[2J", "\udcff"])
def test_what_is_said_comes_back_from_one_line_of_ascii(log_file: Path, text: str) -> None:
    structlog.get_logger().info("done", what=text, number=1, nothing=None)
    written = log_file.read_bytes()
    assert written.isascii()
    (line,) = written.decode().splitlines()
    assert line.isprintable()
    found = json.loads(line)
    assert (found["event"], found["what"], found["number"], found["nothing"]) == ("done", text, 1, None)
