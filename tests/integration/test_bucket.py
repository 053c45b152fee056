"""Small current state: compare-and-set, on a real nats-server."""

import pytest

from contracts import subjects
from eventlog.bucket import Bucket
from eventlog.claims import Claim, Claims
from eventlog.connection import Broker
from tests.factories import NOW, at, make_email_id

KEY = make_email_id()


@pytest.fixture
def bucket(broker: Broker) -> Bucket[Claim]:
    return Bucket(broker, subjects.SENDS, Claim)


def claim(body: str | None = '{"to":["ada@example.com"]}') -> Claim:
    return Claim(email_id=KEY, body=body, attempt_at=NOW)


async def test_what_was_put_is_read_back_byte_for_byte(bucket: Bucket[Claim]) -> None:
    odd = '{"html":"<b>„ü“ \\u0000 \\" </b>"}'
    revision = await bucket.put(KEY, claim(odd), over=0)
    entry = await bucket.get(KEY)
    assert entry
    assert (entry.value.body, entry.revision) == (odd, revision)


async def test_the_first_to_create_wins(bucket: Bucket[Claim]) -> None:
    assert await bucket.put(KEY, claim("1"), over=0)
    assert await bucket.put(KEY, claim("2"), over=0) is None
    entry = await bucket.get(KEY)
    assert entry
    assert entry.value.body == "1"


async def test_a_write_over_an_old_revision_is_refused(bucket: Bucket[Claim]) -> None:
    first = await bucket.put(KEY, claim("1"), over=0)
    assert await bucket.put(KEY, claim("2"), over=first)
    assert await bucket.put(KEY, claim("3"), over=first) is None


async def test_a_key_deleted_by_hand_is_absent_and_can_be_created_again(bucket: Bucket[Claim], broker: Broker) -> None:
    await bucket.put(KEY, claim(), over=0)
    await (await broker.js.key_value(subjects.SENDS)).delete(KEY)
    assert await bucket.get(KEY) is None
    assert await bucket.put(KEY, claim("again"), over=0)


async def test_whoever_claims_second_gets_the_first_claim(broker: Broker) -> None:
    claims = Claims(broker)
    await claims.create(claim("first"))
    assert (await claims.create(claim("second"))).value.body == "first"


async def test_only_one_of_two_senders_begins_the_next_attempt(broker: Broker) -> None:
    claims = Claims(broker)
    entry = await claims.create(claim())
    begun = await claims.start_attempt(entry, at(minutes=1))
    assert begun
    assert begun.value.attempt == 2
    assert await claims.start_attempt(entry, at(minutes=1)) is None


async def test_a_settled_claim_keeps_no_body_and_goes_by_itself(broker: Broker) -> None:
    claims = Claims(broker)
    await claims.create(claim())
    await claims.settle(KEY, NOW)
    entry = await claims.get(KEY)
    assert entry
    assert entry.value.body is None
    stored = await broker.js.get_last_msg(subjects.stream_of(subjects.SENDS), subjects.kv_subject(subjects.SENDS, KEY))
    assert (stored.headers or {})["Nats-TTL"] == f"{48 * 3600}s"
