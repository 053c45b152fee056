"""The sender uses what is published in Notion, without ever asking Notion."""

import asyncio
import dataclasses
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from contracts import subjects
from contracts.facts import EmailAttemptFailed, EmailSent
from contracts.ids import contact_id
from contracts.subjects import Timer
from eventlog.connection import Broker, Unavailable
from eventlog.log import EventLog
from eventlog.server import NatsServer
from eventlog.templates import PublishedTemplate, Templates, key_of
from eventlog.timers import Timers
from journey.campaign import Campaign, template_from
from journey.plan import Pace
from journey.templates import Sources, Template
from services.notion_sync.api import Notion
from services.notion_sync.databases import databases
from services.notion_sync.remade import remade
from services.notion_sync.templates import TemplatesShell, sync_templates
from services.sender.handlers import shell_for
from services.sender.outcome import Refused
from services.sender.service import run
from services.sender.templates import REFRESH, AsPublished
from tests.factories import ADA, CAMPAIGN, at, make_signup
from tests.fakes import Clock, Provider
from tests.integration.templates.kit import ONE, Office
from tests.integration.test_sender import EMAIL, TIMER, Rig, sending
from tests.unit.journey.test_plan import campaign
from tests.waiting import eventually

KEY = key_of(CAMPAIGN, ONE)
IN_FILE = campaign().templates[ONE]
NEW = msgspec.structs.replace(IN_FILE.sources, subject="From Notion for {{ first_name }}")


@pytest.fixture
def store(broker: Broker) -> Templates:
    return Templates(broker)


@pytest.fixture
def clock() -> Clock:
    return Clock(at(seconds=5))


@pytest.fixture
def current(store: Templates, clock: Clock) -> AsPublished:
    return AsPublished(store, {CAMPAIGN: campaign()}, clock)


@pytest.fixture
async def rig(broker: Broker, current: AsPublished, clock: Clock) -> Rig:
    provider = Provider()
    made = shell_for(broker, provider, {CAMPAIGN: campaign()}, Pace())
    shell = dataclasses.replace(made, clock=clock, templates=current)
    await shell.events.append(make_signup())
    return Rig(shell, provider, clock, broker)


def made_from(sources: Sources) -> Template:
    found = template_from(campaign(), ONE, sources)
    assert isinstance(found, Template), found
    return found


async def publish(store: Templates, sources: Sources = NEW, **more: object) -> str:
    """The version it has."""
    version = made_from(sources).version
    values: dict[str, Any] = {
        "fields": {"subject": sources.subject, "preheader": sources.preheader},
        "body": sources.body,
        "text": sources.text,
        "version": version,
        "at": datetime.now(UTC),
    }
    await store.put(KEY, PublishedTemplate(**(values | more)), over=None)
    return version


async def subject(current: AsPublished, of: Campaign | None = None) -> str:
    return (await current(of or campaign())).templates[ONE].subject


async def test_what_is_published_is_sent_and_the_fact_names_its_version(rig: Rig, store: Templates) -> None:
    version = await publish(store, msgspec.structs.replace(NEW, text="Hi {{ first_name }} & <co>\n"))
    async with sending(rig):
        await rig.wake()
    [sent] = await rig.facts()
    assert isinstance(sent, EmailSent)
    assert (sent.subject, sent.template, sent.template_version) == ("From Notion for Ada", ONE, version)
    assert version != IN_FILE.version
    assert msgspec.json.decode(rig.provider.bodies[EMAIL][0])["text"] == "Hi Ada & <co>\n"


async def test_the_same_text_in_notion_and_in_the_file_is_the_same_version(rig: Rig, store: Templates) -> None:
    await publish(store, IN_FILE.sources)
    async with sending(rig):
        await rig.wake()
    [sent] = await rig.facts()
    assert isinstance(sent, EmailSent)
    assert sent.template_version == IN_FILE.version


async def test_without_a_published_one_the_file_is_sent(rig: Rig) -> None:
    async with sending(rig):
        await rig.wake()
    [sent] = await rig.facts()
    assert isinstance(sent, EmailSent)
    assert sent.template_version == IN_FILE.version


async def test_with_notion_down_and_a_bad_edit_there_the_last_good_version_is_sent(
    rig: Rig, store: Templates, broker: Broker, office: Office
) -> None:
    notion = Notion.of(office.settings, databases(office.settings), remade(broker))
    shell = TemplatesShell(notion, store, office.campaigns())
    await office.push()
    await office.edit(Subject_Line="Good, {{ first_name }}")
    await sync_templates(shell)
    await office.edit(Subject_Line="Bad, {{ frist_name }}")
    await sync_templates(shell)
    await notion.close()
    await office.sandbox.stop()
    async with sending(rig):
        await rig.wake()
    [sent] = await rig.facts()
    assert isinstance(sent, EmailSent)
    assert sent.subject == "Good, Ada"
    good = msgspec.structs.replace(IN_FILE.sources, subject="Good, {{ first_name }}")
    assert sent.template_version == made_from(good).version


async def test_an_attempt_that_was_begun_keeps_its_bytes(rig: Rig, store: Templates) -> None:
    rig.provider.script.append(Refused(500, "internal_server_error"))
    async with sending(rig):
        await rig.wake()
    await publish(store)
    [failed] = await rig.facts()
    assert isinstance(failed, EmailAttemptFailed)
    assert failed.retry_at
    rig.clock.now = failed.retry_at
    async with sending(rig):
        await rig.wake(Timer.at(EMAIL, at(seconds=1)))
    first, second = rig.provider.bodies[EMAIL]
    assert first == second


async def test_a_change_is_seen_within_seconds_and_not_asked_for_before(
    current: AsPublished, store: Templates, clock: Clock
) -> None:
    assert await subject(current) == IN_FILE.subject
    await publish(store)
    clock.forward(seconds=REFRESH.total_seconds() - 1)
    assert await subject(current) == IN_FILE.subject
    clock.forward(seconds=1)
    assert await subject(current) == NEW.subject


async def test_what_is_withdrawn_or_deleted_gives_way_to_the_file(
    current: AsPublished, store: Templates, clock: Clock, broker: Broker
) -> None:
    for gone in ("withdrawn", "deleted"):
        await publish(store)
        clock.forward(seconds=10)
        assert await subject(current) == NEW.subject
        if gone == "withdrawn":
            await publish(store, withdrawn=True)
        else:
            await broker.publish(subjects.kv_subject(subjects.TEMPLATES, KEY), b"", headers={"KV-Operation": "DEL"})
        clock.forward(seconds=10)
        assert await subject(current) == IN_FILE.subject


async def test_what_was_withdrawn_and_comes_back_is_used_again(
    current: AsPublished, store: Templates, clock: Clock
) -> None:
    for withdrawn, expected in ((False, NEW), (True, IN_FILE.sources), (False, NEW)):
        await publish(store, withdrawn=withdrawn)
        clock.forward(seconds=10)
        assert await subject(current) == expected.subject


@pytest.mark.parametrize("how", ["another campaign file", "not JSON"])
async def test_what_cannot_be_used_here_is_said_once_and_the_last_good_one_stays(
    current: AsPublished, store: Templates, clock: Clock, broker: Broker, how: str
) -> None:
    await publish(store)
    assert await subject(current) == NEW.subject
    if how == "not JSON":
        await broker.publish(subjects.kv_subject(subjects.TEMPLATES, KEY), b"not JSON")
    else:
        await publish(store, fields={"subject": "{{ only_there }}", "preheader": "p"})
    with capture_logs() as logs:
        for _ in range(3):
            clock.forward(seconds=10)
            assert await subject(current) == NEW.subject
    [said] = [line for line in logs if line["event"] == "template_not_usable"]
    assert (said["campaign"], said["template"]) == (CAMPAIGN, ONE)


async def test_a_sender_that_has_never_seen_a_good_one_sends_the_file(current: AsPublished, store: Templates) -> None:
    await publish(store, fields={"subject": "{{ only_there }}", "preheader": "p"})
    assert await subject(current) == IN_FILE.subject


async def test_a_broker_that_is_away_changes_nothing(
    current: AsPublished, store: Templates, clock: Clock, nats_server: NatsServer
) -> None:
    await publish(store)
    assert await subject(current) == NEW.subject
    await nats_server.stop()
    clock.forward(seconds=10)
    assert await subject(current) == NEW.subject
    unread = AsPublished(store, {CAMPAIGN: campaign()}, clock)
    with pytest.raises(Unavailable):
        await subject(unread)


@pytest.mark.parametrize("templates", ["files", "notion"])
async def test_the_setting_says_which_templates_the_service_sends(
    broker: Broker, store: Templates, office: Office, templates: str
) -> None:
    version = await publish(store)
    update = {"templates": templates, "resend_api_key": SecretStr("re_test"), "resend_api_url": office.sandbox.url}
    settings = office.settings.model_copy(update=update)
    events, stop = EventLog(broker), asyncio.Event()
    await events.append(make_signup())
    await Timers(broker).arm(TIMER)
    service = asyncio.create_task(run(broker, settings, office.campaigns(), stop))
    try:
        await eventually(lambda: _is_sent(events))
    finally:
        stop.set()
        await service
    [sent] = [fact for fact in await events.history(contact_id(ADA)) if isinstance(fact, EmailSent)]
    assert sent.template_version == (version if templates == "notion" else IN_FILE.version)


async def _is_sent(events: EventLog) -> bool:
    return any(isinstance(fact, EmailSent) for fact in await events.history(contact_id(ADA)))
