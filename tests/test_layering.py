"""Imports point inward: services → eventlog → journey → contracts, and services never import each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.settings import ROOT

ALLOWED = {
    "contracts": {"contracts"},
    "journey": {"journey", "contracts"},
    "eventlog": {"eventlog", "contracts"},
    "services": {"services", "eventlog", "journey", "contracts"},
    "cli": {"cli", "services", "eventlog", "journey", "contracts"},
}
SHARED = {"settings", "secret_files", "logs", "http", "ready", "health", "micro", "questions", "durations", "metrics",
          "tracing"}  # fmt: skip
"""What services have in common lives beside them, in services/ itself."""

PURE = [
    *ROOT.glob("contracts/*.py"),
    *ROOT.glob("journey/*.py"),
    *(ROOT / "services" / path for path in ("sender/decide.py", "sender/outcome.py", "sender/render.py")),
    *(ROOT / "services" / path for path in ("questions.py", "durations.py")),
    *(ROOT / "services" / path for path in ("scheduler/reconcile.py", "scheduler/questions.py", "sender/questions.py")),
    *(
        ROOT / "services" / "ingest" / f"{name}.py"
        for name in ("signup", "calcom", "calcom_body", "calcom_people", "moments", "tally", "trigger", "binding")
    ),
    *(
        ROOT / "services" / "notion_sync" / f"{name}.py"
        for name in ("analytics", "calls", "cells", "columns", "found", "hands", "projection", "queue", "row", "schema")
    ),
    ROOT / "services" / "notion_sync" / "template_rows.py",
    *(
        ROOT / "services" / "notifier" / f"{name}.py"
        for name in ("answer", "message", "rules", "signups", "standing", "target")
    ),
]


def modules() -> list[Path]:
    return [path for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_inward(path: Path) -> None:
    package, *rest = path.relative_to(ROOT).with_suffix("").parts
    for name in imports(path):
        top, *below = name.split(".")
        if top not in ALLOWED:
            continue
        assert top in ALLOWED[package], f"{package} imports {name}"
        if package == top == "services" and below:
            assert below[0] in SHARED or below[0] == rest[0], f"service {rest[0]} imports service {below[0]}"


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_code_waits_for_nothing_and_reads_no_clock(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Await | ast.AsyncFunctionDef)]
    calls = [
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    assert not {"now", "utcnow", "today", "time", "monotonic", "random", "uuid4"} & set(calls)


def test_only_the_timers_module_writes_schedules() -> None:
    """A put on that bucket without the headers silently cancels an email."""
    writers = [path for path in modules() if "Nats-Schedule-Target" in path.read_text()]
    assert [str(path.relative_to(ROOT)) for path in writers] == ["eventlog/timers.py"]


def test_only_the_contracts_spell_subjects() -> None:
    spelt = [
        f"{path.relative_to(ROOT)}: {node.value}"
        for path in modules()
        if path.parts[-2] != "contracts"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith(("events.", "email.due.", "$KV.", "parked."))
    ]
    assert spelt == []


def test_the_auditor_shares_no_code_with_what_it_judges() -> None:
    """Nor with the rest of the chaos suite, which does."""
    for path in sorted((ROOT / "chaos" / "auditor").glob("*.py")):
        for name in imports(path):
            top = name.partition(".")[0]
            assert top not in {*ALLOWED, "tests", "bench"}, f"{path.name} imports {name}"
            assert top != "chaos" or name.startswith("chaos.auditor."), f"{path.name} imports {name}"
