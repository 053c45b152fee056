"""Three nodes and two of each service: from a signup to an email, also while a node and one of each is gone."""

from dataclasses import replace
from pathlib import Path

from tests.containers.conftest import SLOW, site_of
from tests.containers.docker import CLUSTER, COMPOSE, Stack, docker, stack
from tests.containers.test_dev_stack import each_email_came_once, is_mailed, is_signed_up, is_told, told
from tests.e2e.people import MARIA, TOM

TWICE = ("ingest", "scheduler", "sender", "notion-sync", "notifier")


async def test_signups_become_emails_with_a_node_and_one_of_each_worker_gone(image: str, tmp_path: Path) -> None:
    with stack(name="cluster", files=(COMPOSE, CLUSTER), settings=SLOW) as cluster:
        cluster.up()
        assert {service: len(running(cluster, service)) for service in TWICE} == dict.fromkeys(TWICE, 2)
        (sender, *_) = running(cluster, "sender")
        assert reaches(sender, "nats", 4222)
        assert not any(reaches(sender, node, 6222) for node in ("nats", "nats-route", "nats-2-route"))
        async with site_of(cluster, tmp_path) as site:
            await is_signed_up(site, MARIA)
            await is_mailed(site, MARIA)
            await is_told(site, MARIA)
            cluster.says("notifier", MARIA.contact)  # killed before it has noted that, another tells it once more
            gone = [running(cluster, each)[0] for each in ("nats-2", "scheduler", "sender", "notion-sync", "notifier")]
            assert docker("kill", *gone).code == 0
            late, later = (replace(person, email=f"late-{person.email}") for person in (TOM, MARIA))
            await is_signed_up(site, late)
            await is_signed_up(site, later)
            await each_email_came_once(site, MARIA, late, later)
            await is_told(site, later)
            assert await told(site) == {MARIA.contact: 1, later.contact: 1}


def running(of: Stack, service: str) -> list[str]:
    """The ids of its containers."""
    return [each["ID"] for each in of.containers() if (each["Service"], each["State"]) == (service, "running")]


def reaches(container: str, host: str, port: int) -> bool:
    connect = f"import socket; socket.create_connection(({host!r}, {port}), 30)"
    return docker("exec", container, "python", "-c", connect).code == 0
