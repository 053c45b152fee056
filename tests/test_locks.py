"""What is installed by hash is the same everywhere: a lock that was forgotten lacks what the code imports."""

import re

import pytest

from services.settings import ROOT

LOCKS = ROOT / "requirements"


def locked(name: str) -> dict[str, str]:
    """By package: its version and hashes, as they stand."""
    blocks = re.split(r"^(?=[a-z0-9])", (LOCKS / name).read_text(), flags=re.MULTILINE)
    return {each.partition("==")[0]: each.partition("    #")[0] for each in blocks if "==" in each}


@pytest.mark.parametrize("name", ["dev.txt", "otel.txt"])
def test_every_lock_has_what_production_runs_with(name: str) -> None:
    base, other = locked("base.txt"), locked(name)
    assert len(base) > 30
    assert {package for package in base if base[package] != other.get(package)} == set()


def test_the_lock_for_traces_has_what_sends_them() -> None:
    assert {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"} <= locked("otel.txt").keys()
