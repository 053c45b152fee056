"""What runs has no more rights than it needs, whatever the files say."""

import json
from typing import Any

import pytest

from tests.containers.docker import CLUSTER, COMPOSE, Stack, docker

PROFILES = ("dev", "notify", "monitoring", "cli")
OURS = {"ingest", "scheduler", "sender", "notion-sync", "sandbox", "nats"}


@pytest.fixture(scope="module")
def inspected(dev: Stack) -> dict[str, dict[str, Any]]:
    running = dev.running()
    assert running.keys() == OURS
    return {name: json.loads(docker("inspect", id_).out)[0] for name, id_ in running.items()}


def test_every_container_runs_without_rights_on_a_root_it_cannot_write(inspected: dict[str, dict[str, Any]]) -> None:
    for name, found in inspected.items():
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["PidsLimit"] == 256, name
        assert found["Config"]["User"] == "10001:10001", name
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}, name


def test_nothing_is_published_beyond_this_machine(inspected: dict[str, dict[str, Any]]) -> None:
    bindings = [
        (name, binding["HostIp"])
        for name, found in inspected.items()
        for each in (found["HostConfig"]["PortBindings"] or {}).values()
        for binding in each
    ]
    assert {name for name, _ in bindings} == {"ingest", "nats", "sandbox"}
    assert {address for _, address in bindings} == {"127.0.0.1"}


def test_every_container_is_told_to_stop_long_before_it_is_killed(inspected: dict[str, dict[str, Any]]) -> None:
    grace = {name: found["Config"]["StopTimeout"] for name, found in inspected.items()}
    assert {name for name, seconds in grace.items() if seconds >= 60} == OURS - {"sandbox"}


@pytest.mark.parametrize("files", [(COMPOSE,), (COMPOSE, CLUSTER)], ids=["one", "cluster"])
def test_every_service_of_every_profile_is_hardened(files: tuple[Any, ...]) -> None:
    """Also those that are not started here, since their images may not be at hand."""
    services = Stack("config", profiles=PROFILES, files=files).config()["services"]
    assert services.keys() >= OURS | {"prepare", "init", "cli", "notifier", "prometheus", "grafana"}
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] in {"unless-stopped", "no"}, name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name
        assert "latest" not in service["image"], name


def test_a_service_is_given_no_secret_of_another() -> None:
    services = Stack("config", profiles=PROFILES).config()["services"]
    secrets = {
        name: {
            key for key in service.get("environment", {}) if key.endswith(("_SECRET", "_KEY", "_TOKEN", "_PASSWORD"))
        }
        for name, service in services.items()
    }
    assert secrets["scheduler"] == {"NATS_PASSWORD"}
    assert secrets["sender"] == {"NATS_PASSWORD", "RESEND_API_KEY"}
    assert secrets["notion-sync"] == {"NATS_PASSWORD", "NOTION_TOKEN"}
    assert secrets["ingest"] == {"NATS_PASSWORD"} | {
        f"{each}_WEBHOOK_SECRET" for each in ("SIGNUP", "CALCOM", "RESEND")
    }


def test_the_image_runs_alone_on_a_read_only_root_as_nobody(image: str) -> None:
    hardened = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "none")  # noqa: S108
    assert docker("run", "--rm", *hardened, image, "campaigns", "check").code == 0
    assert docker("run", "--rm", *hardened, "--entrypoint", "id", image, "-u").out.strip() == "10001"


def test_the_image_holds_no_history_no_tests_and_no_settings(image: str) -> None:
    found = docker("run", "--rm", "--entrypoint", "find", image, "/app", "-maxdepth", "1").out.split()
    names = {path.removeprefix("/app").strip("/") for path in found}
    names = {name for name in names if name and not name.endswith(".dist-info")}
    assert names == {"bin", "campaigns", "cli", "contracts", "eventlog", "healthcheck.py", "journey", "services"}
