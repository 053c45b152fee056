"""What each user of the configuration we ship must not do, tried on a real server, and refused."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

import pytest

from contracts import subjects
from contracts.base import Fact
from contracts.codec import encode
from eventlog import topology
from eventlog.access import Access
from eventlog.connection import Broker, Denied, connect
from eventlog.log import EventLog
from tests.cluster import PASSWORDS, SHIPPED, USERS, Node
from tests.factories import make_email_sent, make_signup
from tests.waiting import eventually

SERVICES = [user for user in USERS if user != "operator"]
STREAMS = [str(config.name) for config in topology.streams()]
CONSUMERS = {"scheduler": "EVENTS", "notion_sync": "EVENTS", "notifier": "EVENTS", "sender": "KV_timers"}

FACTS = {
    "ingest": {
        "signup_received", "triggered", "booking_created", "booking_rescheduled", "booking_requested",
        "booking_cancelled", "booking_rejected", "meeting_ended", "no_show_reported", "no_show_withdrawn",
        "email_accepted", "email_delivered", "email_delayed", "email_opened", "email_clicked", "email_bounced",
        "email_complained", "email_suppressed", "email_undeliverable", "webhooks_counted",
    },
    "scheduler": {"handling_failed"},
    "sender": {
        "email_sent", "email_skipped", "email_failed", "email_attempt_failed", "email_unknown", "handling_failed",
        "service_paused", "service_resumed",
    },
    "notion_sync": {
        "operator_held", "operator_resumed", "operator_cancelled", "contact_corrected", "row_incomplete",
        "handling_failed",
    },
    "notifier": {"handling_failed"},
}  # fmt: skip
"""Which facts a service states; all others belong to others, or to people."""

PAUSES = ("service_paused", "service_resumed")
OPERATIONS = ("webhooks_counted", *PAUSES)
"""These are about nobody, and the sender tells of its own pauses only."""

BUCKETS = {
    "ingest": set[str](),
    "scheduler": {"timers"},
    "sender": {"timers", "sends"},
    "notion_sync": {"pages", "templates"},
    "notifier": {"alerts"},
}
READS = {
    "ingest": set[str](),
    "scheduler": {"DIRECT EVENTS", "DIRECT KV_timers", "EVENTS", "KV_timers"},
    "sender": {"DIRECT EVENTS", "DIRECT KV_templates", "KV_sends", "KV_timers"},
    "notion_sync": {"DIRECT EVENTS", "DIRECT KV_templates", "EVENTS", "KV_pages", "KV_templates"},
    "notifier": {"EVENTS", "KV_alerts", "KV_pages", "KV_timers"},
}
ANSWERS = {"scheduler": {"pending", "contact"}, "sender": {"pause", "resume"}}
"""Which questions of `nats micro` a service hears."""

REMOVES = {"scheduler": {"KV_timers"}, "sender": {"KV_timers"}}


def every_tag() -> set[str]:
    found, left = set[str](), [Fact]
    while left:
        each = left.pop()
        left += each.__subclasses__()
        found |= {str(each.__struct_config__.tag)} if each.__struct_config__.tag else set()
    return found


def must_not(user: str) -> Iterator[str]:
    """The subjects this user must not publish to: everything of ours that is not in the tables above."""
    contact = "cwx6ilzkxkx46bubquefliqu3nm"
    for tag in sorted(every_tag() - FACTS[user]):
        yield f"events.{contact}.{tag}.1"
        yield f"events.operations.{tag}.1"
    yield from (f"events.{contact}.{tag}.1" for tag in OPERATIONS)
    yield from (f"events.operations.{tag}.{other}.1" for tag in PAUSES for other in USERS if other != "sender")
    for bucket in {"timers", "sends", "pages", "templates", "alerts", "another"} - BUCKETS[user]:
        yield f"$KV.{bucket}.key"
    yield from (f"parked.{other}.events.x.1" for other in USERS if other != user or other == "ingest")
    yield from ("email.due.x", "dripstream.pending", "dripstream.pause", "$SRV.PING", "another.subject")
    yield from must_not_ask(user)


def must_not_ask(user: str) -> Iterator[str]:
    for stream in [*STREAMS, "KV_alerts", "ANOTHER"]:
        yield from (f"$JS.API.STREAM.{call}.{stream}" for call in ("CREATE", "UPDATE", "DELETE", "SNAPSHOT", "RESTORE"))
        if stream not in READS[user]:
            yield f"$JS.API.STREAM.MSG.GET.{stream}"
        if f"DIRECT {stream}" not in READS[user]:
            yield f"$JS.API.DIRECT.GET.{stream}"
            yield f"$JS.API.DIRECT.GET.{stream}.events.x"
        if stream not in REMOVES.get(user, set()):
            yield from (f"$JS.API.STREAM.{call}.{stream}" for call in ("PURGE", "MSG.DELETE"))
        yield f"$JS.API.CONSUMER.CREATE.{stream}"
        yield f"$JS.API.CONSUMER.CREATE.{stream}.spy.>"
        yield f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.spy"
    for other, stream in CONSUMERS.items():
        if other == user:
            continue
        calls = ("DELETE", "PAUSE", "MSG.NEXT", "RESET")
        yield from (f"$JS.API.CONSUMER.{call}.{stream}.{other}" for call in calls)
        yield f"$JS.API.CONSUMER.CREATE.{stream}.{other}.events.>"
        yield f"$JS.API.CONSUMER.CREATE.{stream}.{other}"
        yield f"$JS.ACK.{stream}.{other}.1.1.1.1.1"
    yield from (f"$JS.API.CONSUMER.CREATE.EVENTS.notifier.{each}" for each in ("events.>", "events.*.triggered.>"))
    yield from ("$JS.API.STREAM.LIST", "$JS.API.STREAM.NAMES", "$JS.API.ACCOUNT.PURGE.x", "$SYS.REQ.SERVER.PING")


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    async with Node(tmp_path_factory.mktemp("users")) as made:
        async with connect(made.url, name="init", patience_s=5) as broker:
            await topology.init(broker)
        yield made


@asynccontextmanager
async def as_user(node: Node, user: str) -> AsyncIterator[Broker]:
    access = Access(user=user, password=PASSWORDS[f"NATS_{user.upper()}_PASSWORD"])
    async with connect(f"nats://127.0.0.1:{node.port}", name=user, patience_s=5, access=access) as broker:
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
        await eventually(are_refused, timeout=5)
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


def may(user: str) -> Iterator[str]:
    """The subjects of the tables, and its own consumer's."""
    yield from (f"$KV.{bucket}.probe" for bucket in BUCKETS[user])
    for each in READS[user]:
        yield f"$JS.API.{each.replace(' ', '.GET.')}" if each.startswith("DIRECT") else f"$JS.API.STREAM.MSG.GET.{each}"
    for stream in REMOVES.get(user, set()):
        yield from (f"$JS.API.STREAM.{call}.{stream}" for call in ("PURGE", "MSG.DELETE"))
    if stream := CONSUMERS.get(user, ""):
        yield from (f"$JS.API.CONSUMER.{call}.{stream}.{user}" for call in ("DELETE", "PAUSE", "MSG.NEXT"))
        yield from (f"$JS.ACK.{stream}.{user}.1.1.1.1.1", f"parked.{user}.events.x.1")
        [durable] = [each for each in (*topology.DURABLES, *topology.OPTIONAL) if each.name == user]
        yield f"$JS.API.CONSUMER.CREATE.{stream}.{user}.{durable.config.filter_subject}"


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
            async with connect(url, name="stranger", patience_s=5, access=access):
                pass
        assert "guessed" not in str(refused.value)


async def test_what_is_refused_is_said_at_once_with_who_what_and_what_to_do(node: Node) -> None:
    """Otherwise it looks like a broker that does not answer."""
    async with as_user(node, "ingest") as broker, asyncio.timeout(2):
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
    async with connect(url, name="ingest", patience_s=5, access=access) as broker, asyncio.timeout(2):
        for _ in range(2):
            with pytest.raises(Denied, match=r"_INBOX_sender\.>: set NATS_INBOX_PREFIX"):
                await broker.request("INFO")


async def test_the_operator_may_ask_services_and_they_may_answer_once(node: Node) -> None:
    async with as_user(node, "operator") as operator, as_user(node, "scheduler") as scheduler:
        answering = await scheduler.nc.subscribe("dripstream.pending", cb=_answer_twice)
        await scheduler.nc.flush()
        heard = await operator.nc.subscribe(operator.nc.new_inbox())
        await operator.nc.publish("dripstream.pending", b"", reply=heard.subject)
        assert (await heard.next_msg(timeout=5)).data == b"first"
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
