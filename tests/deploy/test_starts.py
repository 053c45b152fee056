"""A broker with much to read is waited for, whatever starts it."""

import re

from services.settings import ROOT

DEPLOY = ROOT / "deploy"


def test_in_a_container_the_broker_has_as_long_to_read_its_store_as_under_systemd() -> None:
    """`up` starts nothing that waits for an unhealthy broker, and the next `up` begins with it again."""
    unit = (DEPLOY / "systemd/dripstream-nats.service").read_text()
    services = re.split(r"\n(?=  [\w-]+:)", (DEPLOY / "compose.yml").read_text())
    (broker,) = [each for each in services if each.startswith("  nats:\n") and "image:" in each]
    assert _seconds(r"start_period: (\d+)s", broker) >= _seconds(r"--within (\d+)", unit)


def _seconds(pattern: str, text: str) -> int:
    (found,) = re.findall(pattern, text)
    return int(found)
