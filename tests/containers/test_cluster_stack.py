"""Three nodes and two of each service: from a signup to an email, also while a node is gone."""

from dataclasses import replace
from pathlib import Path

from tests.containers.conftest import SLOW, site_of
from tests.containers.docker import CLUSTER, COMPOSE, stack
from tests.containers.test_dev_stack import is_signed_up
from tests.e2e.people import MARIA, TOM
from tests.e2e.test_bookings import has_mails

TWICE = ("ingest", "scheduler", "sender", "notion-sync")


async def test_a_signup_becomes_emails_with_a_node_and_one_of_each_service_gone(image: str, tmp_path: Path) -> None:
    with stack(name="cluster", files=(COMPOSE, CLUSTER), settings=SLOW) as cluster:
        cluster.up()
        found = [each["Service"] for each in cluster.containers() if each["State"] == "running"]
        assert {name: found.count(name) for name in TWICE} == dict.fromkeys(TWICE, 2)
        async with site_of(cluster, tmp_path) as site:
            await is_signed_up(site, MARIA)
            await has_mails(site, MARIA.email, 1)
            cluster.do("kill", "nats-2")
            cluster.do("kill", *[each for each in TWICE if each != "ingest"], "--signal", "SIGTERM")
            cluster.do("up", "-d", "--no-build", "--no-recreate", "--no-deps", *TWICE)
            late = replace(TOM, email="late@example.com")
            await is_signed_up(site, late)
            for person in (MARIA, late):
                await has_mails(site, person.email, 7)
                keys = sorted(str(mail.idempotency_key) for mail in await site.mails(person))
                assert keys == [person.email_id(f"email-{number}") for number in range(1, 8)]
