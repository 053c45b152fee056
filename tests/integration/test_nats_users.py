"""What each user of the configuration we ship must not do, tried on a real server, and refused."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from contracts import subjects
from contracts.codec import Undecodable, encode
from contracts.subjects import fact_subject
from eventlog import topology
from eventlog.access import Access
from eventlog.connection import Broker, Denied, connect
from eventlog.log import EventLog
from tests.cluster import PASSWORDS, SHIPPED, USERS, Node
from tests.factories import make_email_sent, make_signup
from tests.integration.nats_rights import ANSWERS, FACTS, OPERATIONS, SERVICES, STREAMS, every_tag, may, must_not
from tests.waiting import SOON_S, eventually


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    async with Node(tmp_path_factory.mktemp("users")) as made:
        async with connect(made.url, name="init", patience_s=20) as broker:
            await topology.init(broker)
        yield made


@asynccontextmanager
async def as_user(node: Node, user: str) -> AsyncIterator[Broker]:
    access = Access(user=user, password=PASSWORDS[f"NATS_{user.upper()}_PASSWORD"])
    async with connect(f"nats://127.0.0.1:{node.port}", name=user, patience_s=20, access=access) as broker:
        yield broker


def refusals(node: Node, user: str) -> set[str]:
    """What the server says it has refused this user so far."""
    pattern = rf'user:{user}" - (?:Publish|Subscription) Violation - Subject "([^"]+)"'
    return set(re.findall(pattern, node.log_file.read_text()))


async def all_refused(node: Node, user: str, wanted: Iterable[str]) -> None:
    left = set(wanted)

    async def are_refused() -> bool:
        left.difference_update(refusals(node, user))
        return not left

    with contextlib.suppress(AssertionError, TimeoutError):  # what is left says more
        await eventually(are_refused)
    assert sorted(left) == []


@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_is_refused_what_is_not_its_own(node: Node, user: str) -> None:
    wanted = list(must_not(user))
    before = await state(node)
    assert len(wanted) > 150
    async with as_user(node, user) as broker:
        for subject in wanted:
            await broker.nc.publish(subject, b"{}")
        await all_refused(node, user, wanted)
    assert await state(node) == before


async def state(node: Node) -> dict[str, object]:
    """What every stream holds, and which consumers there are."""
    async with as_user(node, "operator") as broker:
        infos = [await broker.js.stream_info(name) for name in STREAMS]
    return {str(each.config.name): (each.state.last_seq, each.state.consumer_count) for each in infos}


async def test_a_fact_under_the_subject_of_another_kind_is_believed_by_nobody(node: Node) -> None:
    """Else whoever may state any kind could state all: the server does not read what is in a message."""
    forged = make_email_sent(email="forged@example.com")
    async with as_user(node, "ingest") as ingest, as_user(node, "operator") as operator:
        stored = await ingest.publish(f"events.{forged.contact}.signup_received.x", encode(forged), last_sequence=0)
        assert stored.sequence
        with pytest.raises(Undecodable, match="a fact email_sent under the subject of another kind"):
            await EventLog(operator).history(forged.contact)


async def test_an_answer_goes_wherever_it_is_asked_to_and_is_never_taken_for_a_request(node: Node) -> None:
    """The first half is what docs/nats-security.md says cannot be stopped."""
    before = await state(node)
    requests = ("STREAM.PURGE.EVENTS", "STREAM.DELETE.KV_pages", "CONSUMER.DELETE.EVENTS.scheduler")
    async with as_user(node, "ingest") as broker:
        for request in requests:
            await broker.nc.publish("$JS.API.INFO", reply=f"$JS.API.{request}")
        await broker.nc.publish("$JS.API.INFO", reply="parked.by.an.answer")
        await broker.nc.flush()

    async def is_stored() -> bool:  # and so the others have been looked at
        return (await state(node))["PARKED"] != before["PARKED"]

    await eventually(is_stored)
    after = await state(node)
    assert {name: after[name] for name in STREAMS if name != "PARKED"} == {
        name: before[name] for name in STREAMS if name != "PARKED"
    }


async def test_who_reads_raw_what_it_wrote_can_forge_a_fact(node: Node) -> None:
    """What docs/nats-security.md admits; should a newer server refuse it, the page can say so."""
    forged = make_email_sent(email="raw@example.com")
    async with as_user(node, "notion_sync") as broker:
        await broker.publish("$KV.templates.raw", encode(forged))
        await broker.nc.publish(
            "$JS.API.DIRECT.GET.KV_templates", b'{"last_by_subj": "$KV.templates.raw"}', reply=fact_subject(forged)
        )
        await eventually(lambda: is_told(broker, forged.contact))


async def is_told(broker: Broker, contact: str) -> bool:
    return bool(await EventLog(broker).history(contact))


@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_hears_no_other_nor_any_fact(node: Node, user: str) -> None:
    foreign = [f"_INBOX_{other}.>" for other in USERS if other != user]
    wanted = [*foreign, "_INBOX.>", ">", "events.>", "email.due.>", "parked.>", "$KV.>", "$JS.>", "$SYS.>"]
    wanted += [f"dripstream.{asked}" for asked in set().union(*ANSWERS.values()) - ANSWERS.get(user, set())]
    wanted += [f"$SRV.PING.dripstream-{other.replace('_', '-')}" for other in SERVICES if other != user]
    wanted += ["dripstream.*", "$SRV.>"]
    async with as_user(node, user) as broker:
        for subject in wanted:
            await broker.nc.subscribe(subject)
        await all_refused(node, user, wanted)


@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_may_state_the_facts_of_its_table_and_see_how_all_stands(node: Node, user: str) -> None:
    """So that the table of what is refused is about rights, and not about a user that may do nothing."""
    async with as_user(node, user) as broker:
        before = refusals(node, user)
        for tag in FACTS[user]:
            about = "operations" if tag in OPERATIONS else "nobody"
            key = f"{user}.1"
            stored = await broker.publish(f"events.{about}.{tag}.{key}", b"{}", last_sequence=0)
            assert stored.sequence or stored.duplicate
        await topology.require(broker)
        assert refusals(node, user) == before


@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_may_do_what_the_tables_say(node: Node, user: str) -> None:
    """As far as rights go: what it asks here has no meaning, and the server does nothing of it."""
    async with as_user(node, user) as broker:
        before = refusals(node, user)
        for subject in may(user):
            await broker.nc.publish(subject, b"nonsense")
        await broker.ping()
        assert refusals(node, user) == before
        assert {check.state for check in await topology.require(broker)} == {"as wanted"}


async def test_the_operator_is_refused_what_is_not_ours(node: Node) -> None:
    """Also answering in the place of a service, and hearing what is answered to one."""
    inboxes = [f"_INBOX_{each}" for each in SERVICES]
    said = [*(f"{inbox}.x.1" for inbox in inboxes), "another.subject", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING"]
    heard = [*(f"{inbox}.>" for inbox in inboxes), ">", "$SYS.>", "another.>", "$JS.API.>"]
    async with as_user(node, "operator") as broker:
        for subject in said:
            await broker.nc.publish(subject, b"{}")
        for subject in heard:
            await broker.nc.subscribe(subject)
        await all_refused(node, "operator", [*said, *heard])


async def test_nobody_gets_in_without_the_password_of_a_user(node: Node) -> None:
    url = f"nats://127.0.0.1:{node.port}"
    for access in (Access(), Access(user="operator", password="guessed"), Access(user="root", password="root")):
        with pytest.raises(Denied, match="does not let") as refused:
            async with connect(url, name="stranger", patience_s=20, access=access):
                pass
        assert "guessed" not in str(refused.value)


async def test_what_is_refused_is_said_at_once_with_who_what_and_what_to_do(node: Node) -> None:
    """Otherwise it looks like a broker that does not answer."""
    async with as_user(node, "ingest") as impatient, asyncio.timeout(SOON_S):
        broker = replace(impatient, timeout_s=600.0)
        with pytest.raises(Denied, match=r"user 'ingest' publish to events\.\w+\.email_sent.*docs/nats-security\.md"):
            await EventLog(broker).append(make_email_sent())
        with pytest.raises(Denied, match=r"publish to \$JS\.API\.DIRECT\.GET\.EVENTS"):
            await EventLog(broker).history("cx")
        with pytest.raises(Denied, match=r"publish to \$JS\.API\.STREAM\.PURGE\.EVENTS"):
            await broker.js.purge_stream(subjects.EVENTS)
        assert not (await EventLog(broker).append(make_signup("still@example.com"))).duplicate


async def test_an_inbox_that_the_user_may_not_hear_is_said_at_once(node: Node) -> None:
    access = Access(user="ingest", password=PASSWORDS["NATS_INGEST_PASSWORD"], inbox="_INBOX_sender")
    url = f"nats://127.0.0.1:{node.port}"
    async with connect(url, name="ingest", patience_s=20, access=access) as broker, asyncio.timeout(SOON_S):
        for _ in range(2):
            with pytest.raises(Denied, match=r"_INBOX_sender\.>: set NATS_INBOX_PREFIX"):
                await replace(broker, timeout_s=600.0).request("INFO")


async def test_the_operator_may_ask_services_and_they_may_answer_once(node: Node) -> None:
    async with as_user(node, "operator") as operator, as_user(node, "scheduler") as scheduler:
        answering = await scheduler.nc.subscribe("dripstream.pending", cb=_answer_twice)
        await scheduler.ping()  # after the subscription, which `flush` would overtake
        heard = await operator.nc.subscribe(operator.nc.new_inbox())
        await operator.nc.publish("dripstream.pending", b"", reply=heard.subject)
        assert (await heard.next_msg(timeout=SOON_S)).data == b"first"
        await all_refused(node, "scheduler", [heard.subject])
        await answering.unsubscribe()


async def _answer_twice(msg: object) -> None:
    await msg.respond(b"first")  # type: ignore[attr-defined]
    await msg.respond(b"second")  # type: ignore[attr-defined]


async def test_the_operator_does_what_every_command_needs(node: Node) -> None:
    async with as_user(node, "operator") as broker:
        before = refusals(node, "operator")
        await topology.init(broker, apply=True)
        await broker.publish("events.nobody.triggered.1", encode(make_signup()), last_sequence=0)
        await topology.rewind(broker, topology.SCHEDULER)
        assert refusals(node, "operator") == before


def test_every_fact_may_be_stated_by_somebody() -> None:
    """A new kind of fact needs a line in users.conf; the operator may state all."""
    by_people = {tag for tag in every_tag() if tag.startswith("operator_")}
    assert every_tag() - set().union(*FACTS.values()) - by_people == set()


def test_no_password_is_in_the_configuration() -> None:
    users = re.findall(r"user: (\w+)\n\s+password: (\S+)\n", (SHIPPED / "users.conf").read_text())
    assert users == [(user, f"$NATS_{user.upper()}_PASSWORD") for user in USERS]
