"""The NATS integration tests on the image that compose.yml pins, in the place of the embedded nats-server.

A pytest plugin: `pytest -p tests.containers.broker_image tests/integration`, or `make test-containers`. The report says
how many were left out: those that use no broker, and those that stop or start one of their own.
"""

import os
import re

import httpx
import pytest
from testcontainers.community.nats import NatsContainer

from services.settings import ROOT
from tests.containers.docker import TREE, docker

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # its image may not be at hand; we end what we start
NAME = f"dripstream-test-broker-{TREE}"
PATIENCE_S = 600
PINNED = re.search(r"image: (nats:\S+)", (ROOT / "deploy" / "compose.yml").read_text())


class BrokerImage:
    """One container for the whole run: tests delete what they make."""

    def __init__(self, image: str) -> None:
        self.image = image
        self.container = NatsContainer(image, ready_timeout_secs=PATIENCE_S).with_name(NAME).with_tmpfs_mount("/data")
        self.container.with_command("--jetstream --store_dir /data --http_port 8222")

    def start(self) -> None:
        docker("rm", "--force", "--volumes", NAME)  # of a run that was killed
        self.container.start()
        os.environ["NATS_URL"] = self.container.nats_uri()

    def pytest_report_header(self) -> str:
        return f"broker: {self.image} in a container"

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if _on_given_broker(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A run that never spoke to the container has shown nothing of it."""
        address = self.container.nats_management_uri().replace("nats://", "http://")
        status = httpx.get(f"{address}/varz", timeout=PATIENCE_S).raise_for_status().json()
        print(f"\n{self.image} is nats-server {status['version']}: {status['total_connections']} connections")
        if not status["total_connections"]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _on_given_broker(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return "bare_broker" in fixtures and "nats_server" not in fixtures


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before any conftest is read: theirs takes NATS_URL."""
    if not PINNED:
        raise pytest.UsageError("deploy/compose.yml pins no image of nats")
    broker = BrokerImage(PINNED[1])
    early_config.add_cleanup(broker.container.stop)  # also where no test is ever reached
    broker.start()
    early_config.pluginmanager.register(broker, "broker-image")
