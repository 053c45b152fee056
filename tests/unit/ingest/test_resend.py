"""What a Resend webhook comes to: about whom, about which email, and what of it is kept."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import decode_fact, encode
from contracts.deliveries import Delivery, ends_all_mail
from contracts.ids import EmailId, contact_id, digest
from contracts.subjects import fact_subject
from services.ingest.resend import IGNORED, TYPES, Ignored, Told, translate
from services.ingest.signup import FieldProblem
from tests import deliveries
from tests.deliveries import LINK, MADE, PROVIDER_ID, SAID, Body, bounced, clicked, tagged
from tests.factories import ADA, NOW, make_email_id

BOB = "bob@example.com"
EMAIL = make_email_id()


def read(body: Body, webhook: str | None = "msg_1") -> Told | Ignored | FieldProblem:
    return translate(body, webhook, NOW, "body-digest")


def facts(body: Body) -> tuple[Delivery, ...]:
    told = read(body)
    assert isinstance(told, Told)
    return told.facts


def fact(body: Body) -> Any:
    [one] = facts(body)
    return one


@pytest.mark.parametrize(
    ("event", "tag"),
    [
        ("email.sent", "email_accepted"),
        ("email.delivered", "email_delivered"),
        ("email.delivery_delayed", "email_delayed"),
        ("email.delivered_delayed", "email_delayed"),
        ("email.opened", "email_opened"),
        ("email.clicked", "email_clicked"),
        ("email.bounced", "email_bounced"),
        ("email.complained", "email_complained"),
        ("email.suppressed", "email_suppressed"),
        ("email.failed", "email_undeliverable"),
    ],
)
def test_each_type_becomes_its_fact_about_the_tagged_email(event: str, tag: str) -> None:
    found = fact(deliveries.body(event))
    assert (found.tag, found.contact, found.email_id) == (tag, contact_id(ADA), EMAIL)
    assert (found.at, found.provider_id, found.webhook) == (
        SAID.replace(microsecond=345_000),
        PROVIDER_ID,
        "msg_1",
    )
    assert fact_subject(found) == f"events.{contact_id(ADA)}.{tag}.{digest('msg_1')}"


def test_the_table_above_is_the_whole_table() -> None:
    assert len(TYPES) == 10
    assert not TYPES.keys() & IGNORED


@pytest.mark.parametrize("event", [*sorted(IGNORED), "email.something_new", "x" * 5_000])
def test_other_types_are_nothing_of_ours(event: str) -> None:
    assert read(deliveries.body(event)) == Ignored(event[:100], "type")


@pytest.mark.parametrize("data", [None, 7, "s3cret", [], [{}]])
def test_a_known_type_without_data_is_refused(data: object) -> None:
    assert read({"type": "email.sent", "data": data}) == FieldProblem("data", "must be an object")


@pytest.mark.parametrize("event", [None, 7, "", "  ", ["email.sent"]])
def test_without_a_type_it_is_refused(event: object) -> None:
    assert read({"type": event, "data": {}}) == FieldProblem("type", "is required")


@pytest.mark.parametrize(
    ("spelt", "moment"),
    [
        ("2024-11-22T23:41:12.126Z", datetime(2024, 11, 22, 23, 41, 12, 126_000, tzinfo=UTC)),
        ("2023-02-22T23:41:12.126789+00:00", datetime(2023, 2, 22, 23, 41, 12, 126_789, tzinfo=UTC)),
        ("2023-02-22 23:41:12.126789+00", datetime(2023, 2, 22, 23, 41, 12, 126_789, tzinfo=UTC)),
        ("2026-11-22T18:41:12-05:00", datetime(2026, 11, 22, 23, 41, 12, tzinfo=UTC)),
    ],
)
def test_it_happened_when_the_envelope_says_in_any_spelling(spelt: str, moment: datetime) -> None:
    assert fact(deliveries.body("email.opened") | {"created_at": spelt}).at == moment


@pytest.mark.parametrize("spelt", [None, "", "soon", 1_700_000_000, "2026-12-01T09:30:12", "9999-12-31T23:59:59Z"])
def test_without_a_time_that_can_be_read_it_happened_when_we_heard(spelt: object) -> None:
    found = fact(deliveries.body("email.opened") | {"created_at": spelt})
    assert found.at == NOW
    assert found.at != MADE


@pytest.mark.parametrize("webhook", [None, "", "x" * 300, "a\nb"])
def test_without_a_usable_id_the_body_is_the_identity(webhook: str | None) -> None:
    told = read(deliveries.body("email.sent"), webhook)
    assert isinstance(told, Told)
    assert told.facts[0].webhook == "body-digest"


@pytest.mark.parametrize("to", [[ADA], ADA, ["Ada <ADA@example.com>"], ['"Lovelace, Ada" <ada@example.com>'], None, []])
def test_tags_tell_whose_it_is(to: object) -> None:
    found = fact(deliveries.body("email.sent", to=to))
    assert (found.contact, found.email_id) == (contact_id(ADA), EMAIL)


@pytest.mark.parametrize("to", [[ADA], ADA, ["Ada <ADA@example.com>"], ['"Lovelace, Ada" <ada@example.com>', BOB]])
@pytest.mark.parametrize("tags", [None, {}, [], "x", {"contact": 7}, {"category": "confirm_email"}])
def test_without_tags_the_address_tells_whose_it_is_and_the_email_is_not_known(to: object, tags: object) -> None:
    found = fact(deliveries.body("email.sent", to=to, tags=tags))
    assert (found.contact, found.email_id) == (contact_id(ADA), None)


@pytest.mark.parametrize(
    "changed",
    [
        {"step": ""},
        {"step": "e mail"},
        {"step": "a.b"},
        {"step": "x" * 65},
        {"step": None},
        {"campaign": "*"},
        {"instance": ">"},
        {"contact": "c1"},
        {"contact": "events"},
        {"contact": contact_id(ADA).upper()},
        {"contact": contact_id(ADA) + "\n"},
        {"email_id": "of_another_email"},
        {"email_id": 7},
        {"email_id": ""},
    ],
)
def test_tags_that_name_no_email_of_ours_leave_it_open(changed: dict[str, Any]) -> None:
    tags = tagged() | changed
    if "email_id" not in changed:  # or the whole alone would give the wrong part away
        tags["email_id"] = "_".join(str(tags[name]) for name in EmailId._fields)
    found = fact(deliveries.body("email.sent", tags=tags))
    assert (found.contact, found.email_id) == (contact_id(ADA), None)


def test_the_parts_are_enough() -> None:
    tags = tagged()
    del tags["email_id"]
    assert fact(deliveries.body("email.sent", tags=tags)).email_id == EMAIL


@pytest.mark.parametrize("to", [None, [], [7], ["nobody"], ["Ada <>"], {}, [None], "a@b@c"])
@pytest.mark.parametrize("tags", [None, {"contact": "c1"}])
def test_an_email_to_nobody_we_could_name_is_nothing_of_ours(to: object, tags: object) -> None:
    assert read(deliveries.body("email.bounced", to=to, tags=tags)) == Ignored("email.bounced", "nobody")


@pytest.mark.parametrize(
    ("kind", "sub_type", "verdict"),
    [
        ("Permanent", "General", "permanent"),
        ("permanent", None, "permanent"),
        ("Transient", "MailboxFull", "transient"),
        ("Temporary", "General", "transient"),
        ("Undetermined", "Undetermined", "undetermined"),
        ("Undetermined", "Suppressed", "permanent"),
        (None, "Suppressed", "permanent"),
        (None, None, "undetermined"),
        ("Something new", None, "undetermined"),
    ],
)
def test_only_a_permanent_bounce_ends_all_mail(kind: str | None, sub_type: str | None, verdict: str) -> None:
    found = fact(bounced(kind, sub_type))
    assert (found.kind, found.reason) == (verdict, "The mailbox does not exist.")
    assert ends_all_mail(found) == (verdict == "permanent")


@pytest.mark.parametrize("bounce", [None, "s3cret", [], {}, {"type": 7, "message": ["s3cret"]}])
def test_a_bounce_that_says_nothing_is_undetermined(bounce: object) -> None:
    found = fact(deliveries.body("email.bounced", bounce=bounce))
    assert (found.kind, found.reason) == ("undetermined", "")


def test_reasons_are_kept_in_one_line_of_bounded_length() -> None:
    found = fact(bounced(bounce={"type": "Permanent", "message": "no\r\n\u202esuch " + "x" * 10_000}))
    assert found.reason.startswith("no such xxx")
    assert len(found.reason) <= 500
    assert fact(deliveries.suppressed()).reason == "It is on the list."
    assert fact(deliveries.failed()).reason == "reached_daily_quota"


@pytest.mark.parametrize("link", [LINK, "http://example.com", "https://example.com/" + "x" * 1_000])
def test_the_link_that_was_followed_is_kept(link: str) -> None:
    assert fact(clicked(link)).link == link


@pytest.mark.parametrize(
    "link",
    [
        None,
        7,
        "",
        "javascript:alert(1)",
        "JAVASCRIPT://example.com/%0aalert(1)",
        "data:text/html,x",
        "//example.com",
        "https://",
        "https://[",
        'https://example.com/"><script>',
        "https://example.com/\n",
        "https://example.com/" + "x" * 2_000,
    ],
)
def test_what_is_no_link_of_the_web_is_left_out(link: object) -> None:
    assert fact(clicked(link)).link == ""


def test_no_trace_of_the_reader_and_no_subject_is_kept() -> None:
    opened = deliveries.body("email.opened", open={"ipAddress": "203.0.113.7", "userAgent": "s3cret/1.0"})
    kept = b"".join(encode(fact(each)) for each in (opened, clicked(), deliveries.body("email.sent")))
    for private in (b"203.0.113.7", b"s3cret", b"example.com>"):
        assert private not in kept


def test_a_guests_complaint_ends_the_guests_mail_and_not_the_bookers() -> None:
    """A webhook for each recipient: the tags are the booker's, the address is the guest's."""
    accepted, complained = facts(deliveries.body("email.complained", to=[BOB]))
    assert (accepted.tag, accepted.contact, accepted.email_id) == ("email_accepted", contact_id(ADA), EMAIL)
    assert (complained.tag, complained.contact, complained.email_id) == ("email_complained", contact_id(BOB), None)


@pytest.mark.parametrize("event", ["email.sent", "email.delivered", "email.opened", "email.delivery_delayed"])
def test_of_a_guests_copy_only_that_the_email_was_accepted_is_kept(event: str) -> None:
    found = fact(deliveries.body(event, to=[BOB]))
    assert (found.tag, found.contact, found.email_id) == ("email_accepted", contact_id(ADA), EMAIL)


def test_webhooks_that_still_name_all_recipients_are_the_tagged_persons() -> None:
    found = fact(bounced(to=[BOB, ADA]))
    assert (found.tag, found.contact, found.email_id) == ("email_bounced", contact_id(ADA), EMAIL)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([ADA, EMAIL, *TYPES]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=20,
)
NAMES = ["to", "tags", "bounce", "click", "failed", "suppressed", "email_id", "created_at"]
TAGS = ["contact", "campaign", "sequence", "instance", "step", "email_id"]
guessed = st.fixed_dictionaries(
    {
        "type": st.sampled_from(sorted(TYPES)) | anything,
        "created_at": anything,
        "data": st.dictionaries(st.sampled_from(NAMES), anything)
        | st.fixed_dictionaries({"to": anything, "tags": st.dictionaries(st.sampled_from(TAGS), anything)}),
    }
)


@given(value=guessed)
def test_any_json_is_a_fact_that_can_be_stored_or_none(value: Body) -> None:
    found = translate(value, "msg_1", NOW, digest(json.dumps(value)))
    for each in found.facts if isinstance(found, Told) else ():
        assert msgspec.json.encode(decode_fact(encode(each))) == encode(each)
        assert len(fact_subject(each).split(".")) == 4
        assert each.at >= NOW - timedelta(days=365 * 100)
