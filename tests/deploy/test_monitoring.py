"""What Prometheus is given, by its own tool, and what Grafana is given."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.settings import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
GRAFANA = MONITORING / "grafana"
QUESTIONS = [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")]


def run_promtool(*what: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on the PATH: it comes with Prometheus")
    done = subprocess.run(  # noqa: S603 - our own files
        [promtool, *what], cwd=MONITORING, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("what", QUESTIONS, ids=" ".join)
def test_promtool_agrees(what: tuple[str, ...]) -> None:
    """The configuration with its rules is one it takes; the rules fire when they should, and not otherwise."""
    run_promtool(*what)


def panels(kind: str) -> list[dict[str, Any]]:
    board = json.loads((GRAFANA / "dashboards" / "dripstream.json").read_text())
    found: list[dict[str, Any]] = [panel for panel in board["panels"] if panel["type"] == kind]
    assert found
    return found


def test_what_says_whether_all_is_well_shows_nothing_older_than_now() -> None:
    """Asked over the last hours, the last value of a service that is gone stays green for as long."""
    assert [
        panel["title"] for panel in panels("stat") if not all(each.get("instant") for each in panel["targets"])
    ] == []


@pytest.mark.parametrize(
    ("up", "down"),
    [
        ({"ingest": 1, "scheduler": 1, "sender": 1, "notion-sync": 1}, 0),
        ({"ingest": 1, "scheduler": 1, "sender": 1, "notion-sync": 1, "notifier": 0}, 1),
        ({"ingest": 0, "scheduler": 1, "sender": 1}, 2),
        ({}, 4),
    ],
    ids=["all", "notifier does not answer", "ingest does not answer and notion-sync is gone", "none"],
)
def test_the_dashboard_counts_who_does_not_answer_and_who_is_gone(
    up: dict[str, int], down: int, tmp_path: Path
) -> None:
    """A container that is stopped loses its name, and so its series: that is not to look like a service that is up."""
    (asked,) = (panel["targets"][0]["expr"] for panel in panels("stat") if panel["title"] == "Services down")
    given = [{"series": f'up{{job="{job}",instance="a"}}', "values": f"{value}x9"} for job, value in up.items()]
    answer = {"expr": asked, "eval_time": "5m", "exp_samples": [{"labels": "{}", "value": down}]}
    case = {"interval": "1m", "input_series": given, "promql_expr_test": [answer]}
    file = tmp_path / "services_down.yml"
    file.write_text(json.dumps({"rule_files": [], "tests": [case]}))
    run_promtool("test", "rules", str(file))


def test_the_dashboard_asks_the_data_source_that_grafana_is_given() -> None:
    given = set(re.findall(r"uid: (\S+)", (GRAFANA / "provisioning/datasources/prometheus.yml").read_text()))
    charts = [panel for kind in ("stat", "timeseries", "table") for panel in panels(kind)]
    asked = {each["datasource"]["uid"] for panel in charts for each in (panel, *panel["targets"])}
    assert asked == given


def test_each_folder_of_provisioning_is_mounted_by_itself() -> None:
    """Over all of them at once it would hide those that Grafana has beside, and each start would complain of it."""
    mounted = re.findall(
        r"- \./monitoring/grafana/provisioning/?(\S*):/etc/grafana/provisioning/?(\S*):ro",
        (ROOT / "deploy" / "compose.yml").read_text(),
    )
    ours = sorted(folder.name for folder in (GRAFANA / "provisioning").iterdir())
    assert sorted(mounted) == [(name, name) for name in ours]
