"""Who may do what at the broker, as tables: what users.conf is held to."""

from collections.abc import Iterator

from contracts.base import Fact
from eventlog import topology
from tests.cluster import USERS

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

PAUSES_ITSELF = {"sender", "notion_sync", "notifier"}
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
    yield from (f"$JS.API.CONSUMER.PAUSE.{stream}.{user}" for stream in STREAMS if user not in PAUSES_ITSELF)
    yield from ("$JS.API.STREAM.LIST", "$JS.API.STREAM.NAMES", "$JS.API.ACCOUNT.PURGE.x", "$SYS.REQ.SERVER.PING")


def may(user: str) -> Iterator[str]:
    """The subjects of the tables, and its own consumer's."""
    yield from (f"$KV.{bucket}.probe" for bucket in BUCKETS[user])
    for each in READS[user]:
        yield f"$JS.API.{each.replace(' ', '.GET.')}" if each.startswith("DIRECT") else f"$JS.API.STREAM.MSG.GET.{each}"
    for stream in REMOVES.get(user, set()):
        yield from (f"$JS.API.STREAM.{call}.{stream}" for call in ("PURGE", "MSG.DELETE"))
    if stream := CONSUMERS.get(user, ""):
        yield from (f"$JS.API.CONSUMER.{call}.{stream}.{user}" for call in ("DELETE", "MSG.NEXT"))
        yield from (f"$JS.API.CONSUMER.PAUSE.{stream}.{user}" for each in PAUSES_ITSELF if each == user)
        yield from (f"$JS.ACK.{stream}.{user}.1.1.1.1.1", f"parked.{user}.events.x.1")
        durable = topology.durable_of(user.replace("_", "-"))
        yield f"$JS.API.CONSUMER.CREATE.{stream}.{user}.{durable.config.filter_subject}"
