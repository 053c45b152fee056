"""Whatever is sent to a webhook is answered soon and never with a 5xx; 202 is a fact stored, all else is nothing.

Over HTTP, against a real ingest on a real nats-server. What holds of every answer is in offers.py.
"""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.connection import Broker
from tests.fuzz import corpus
from tests.fuzz.offers import DELIVERIES, WEBHOOKS, Webhook, dumped, facts_since, last_sequence, offer
from tests.fuzz.profile import examples
from tests.integration.ingest import problem

SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
ALL = {**WEBHOOKS, **DELIVERIES}
EACH = pytest.mark.parametrize("webhook", ALL.values(), ids=ALL.keys())
PATHS = sorted({each.path for each in ALL.values()})
EACH_PATH = pytest.mark.parametrize("path", PATHS)


@pytest.fixture(autouse=True)
def nothing_of_it_is_logged(capsys: pytest.CaptureFixture[str]) -> object:
    """Every text that is sent holds the mark, and the people are Ada and Grace."""
    yield
    said = capsys.readouterr()
    for private in (corpus.MARK, "example.com", "Lovelace", "Grace", "Bakery", "\x1b", "\x9b", "\u202e"):
        assert private not in said.out + said.err


@EACH
async def test_nasty_texts_in_every_place(webhook: Webhook, ingest: httpx.AsyncClient, broker: Broker) -> None:
    statuses = set()
    for place in webhook.places:
        for text in corpus.TEXTS.values():
            answer = await offer(ingest, broker, webhook.path, dumped(webhook.with_at(place, text)))
            statuses.add(answer.status_code)
    assert 202 in statuses


@EACH
async def test_values_of_every_kind_in_every_place(webhook: Webhook, ingest: httpx.AsyncClient, broker: Broker) -> None:
    for place in webhook.places:
        for value in corpus.VALUES.values():
            await offer(ingest, broker, webhook.path, dumped(webhook.with_at(place, value)))


@pytest.mark.parametrize("name", ["signup", "signup, nested", "trigger"])
async def test_odd_addresses_are_refused_or_one_plain_address(
    name: str, ingest: httpx.AsyncClient, broker: Broker
) -> None:
    webhook = WEBHOOKS[name]
    place = ("email",)
    for address in corpus.ADDRESSES.values():
        answer = await offer(ingest, broker, webhook.path, dumped(webhook.with_at(place, address)))
        if answer.status_code == 202:
            email = answer.json()["email"]
            assert email.isascii()
            assert email.isprintable()
            assert email.count("@") == 1
            assert not set(email) & set(' ,;:<>()[]\\"')
        elif answer.status_code != 413:
            assert "email" in problem(answer, 400)


@EACH_PATH
@pytest.mark.parametrize("body", corpus.BODIES.values(), ids=corpus.BODIES.keys())
async def test_bodies_that_are_hardly_json(path: str, body: bytes, ingest: httpx.AsyncClient, broker: Broker) -> None:
    answer = await offer(ingest, broker, path, body)
    assert answer.status_code in {200, 202, 400, 413}


@EACH_PATH
@pytest.mark.parametrize("word", ["NaN", "Infinity", "minus Infinity"])
async def test_what_is_no_number_is_refused_and_named(
    path: str, word: str, ingest: httpx.AsyncClient, broker: Broker
) -> None:
    answer = await offer(ingest, broker, path, corpus.BODIES[word])
    problem(answer, 400)
    assert f"{word.replace('minus ', '-')} is no number in JSON" in answer.json()["detail"]


@pytest.mark.parametrize(("body", "email"), corpus.TWICE.values(), ids=corpus.TWICE.keys())
async def test_of_a_field_that_is_there_twice_the_last_counts(
    body: bytes, email: str, ingest: httpx.AsyncClient, broker: Broker
) -> None:
    """As in the browser or the calendar that wrote it and may have looked at it before."""
    before = await last_sequence(broker)
    answer = await offer(ingest, broker, "/webhook/christmas-signup", body)
    (fact,) = await facts_since(broker, before)
    assert answer.json()["email"] == email
    assert json.loads(body)["first_name"] == getattr(fact, "first_name")  # noqa: B009 - a fact may be of any kind


@pytest.mark.parametrize("headers", corpus.HEADERS.values(), ids=corpus.HEADERS.keys())
@EACH
async def test_odd_headers_change_nothing(
    webhook: Webhook, headers: dict[str, str], ingest: httpx.AsyncClient, broker: Broker
) -> None:
    answer = await offer(ingest, broker, webhook.path, dumped(webhook.good), headers)
    assert answer.status_code == 202


async def test_a_body_in_many_small_pieces_is_one_body(ingest: httpx.AsyncClient, broker: Broker) -> None:
    for webhook in ALL.values():
        before = await last_sequence(broker)

        async def pieces(body: bytes = dumped(webhook.good)) -> AsyncIterator[bytes]:
            for number in range(0, len(body), 7):
                yield body[number : number + 7]

        answer = await ingest.post(webhook.path, content=pieces())
        assert answer.status_code == 202
        assert len(await facts_since(broker, before)) == (0 if answer.json().get("duplicate") else 1)


@pytest.mark.parametrize("path", corpus.PATHS)
async def test_odd_names_of_campaigns_are_unknown(path: str, ingest: httpx.AsyncClient, broker: Broker) -> None:
    for route in (f"/webhook/signup/{path}", f"/webhook/trigger/{path}/paid"):
        answer = await offer(ingest, broker, route, corpus.GOOD_BYTES)
        assert answer.status_code in {400, 404}


@pytest.mark.parametrize("version", [b"2021-10-20\x9b31m", b"\xe2\x80\xaeZqx", b"x" * 5_000, b"{{ 7 }}"])
async def test_a_header_that_is_logged_cannot_steer_a_terminal(
    version: bytes, ingest: httpx.AsyncClient, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {b"content-type": b"application/json", b"x-cal-webhook-version": version}
    body = dumped(WEBHOOKS["booking"].good)
    answer = await ingest.post("/webhook/calcom", content=body, headers=headers)
    assert answer.status_code == 202
    said = capsys.readouterr().out
    assert "unknown_calcom_version" in said
    assert not {"\x1b", "\x9b", "\u202e"} & set(said)
    assert len(said) < 2_000


@EACH
@settings(max_examples=examples(60), deadline=None, suppress_health_check=SLOW)
@given(data=st.data())
async def test_any_json_in_any_places(
    webhook: Webhook, ingest: httpx.AsyncClient, broker: Broker, data: st.DataObject
) -> None:
    body = webhook.good
    for place, value in data.draw(st.lists(st.tuples(st.sampled_from(webhook.places), corpus.anything), max_size=3)):
        body = Webhook(webhook.path, body, ()).with_at(place, value)
    await offer(ingest, broker, webhook.path, dumped(body))


@EACH
@settings(max_examples=examples(60), deadline=None, suppress_health_check=SLOW)
@given(data=st.data())
async def test_any_bytes_for_a_body(
    webhook: Webhook, ingest: httpx.AsyncClient, broker: Broker, data: st.DataObject
) -> None:
    body = data.draw(corpus.torn(dumped(webhook.good)) | st.binary(max_size=300))
    await offer(ingest, broker, webhook.path, body)
