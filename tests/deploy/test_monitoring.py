"""What Prometheus is given, by its own tool."""

import shutil
import subprocess

import pytest

from services.settings import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
QUESTIONS = [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")]


@pytest.mark.parametrize("what", QUESTIONS, ids=" ".join)
def test_promtool_agrees(what: tuple[str, ...]) -> None:
    """The configuration with its rules is one it takes; the rules fire when they should, and not otherwise."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on the PATH: it comes with Prometheus")
    done = subprocess.run(  # noqa: S603 - our own files
        [promtool, *what], cwd=MONITORING, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
