"""What the files and the image give to whatever is started, also where it is not started here."""

from typing import Any

import pytest

from tests.containers.docker import CLUSTER, COMPOSE, PROFILES, Stack, docker

OURS = {"ingest", "scheduler", "sender", "notion-sync", "notifier", "sandbox", "nats"}


@pytest.mark.parametrize("files", [(COMPOSE,), (COMPOSE, CLUSTER)], ids=["one", "cluster"])
def test_every_service_of_every_profile_is_hardened(files: tuple[Any, ...]) -> None:
    """Also those that are not started here, since their images may not be at hand."""
    services = Stack("config", profiles=PROFILES, files=files).config()["services"]
    assert services.keys() >= OURS | {"prepare", "init", "cli", "prometheus", "grafana"}
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["CHOWN"] if name.startswith("prepare") else []), name
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
    assert secrets["notifier"] == {"NATS_PASSWORD"}
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
