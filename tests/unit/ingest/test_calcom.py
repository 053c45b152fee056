"""Every trigger in every shape becomes the right fact, or none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts import bookings, codec, ids
from services.ingest.calcom import IGNORED, TRIGGERS
from tests import calcom
from tests.calcom import HOST, OLD_UID, SENT, START, UID, VARIANTS, VIDEO, Body
from tests.factories import ADA, NOW
from tests.unit.ingest.calendar import fact_of, ignored, problem_of, told

MADE: dict[str, tuple[type[bookings.BookingFact], Body]] = {
    "BOOKING_CREATED": (bookings.BookingCreated, calcom.created()),
    "BOOKING_RESCHEDULED": (bookings.BookingRescheduled, calcom.rescheduled()),
    "BOOKING_REQUESTED": (bookings.BookingRequested, calcom.requested()),
    "BOOKING_CANCELLED": (bookings.BookingCancelled, calcom.cancelled()),
    "BOOKING_REJECTED": (bookings.BookingRejected, calcom.rejected()),
    "MEETING_ENDED": (bookings.MeetingEnded, calcom.ended_wrapped()),
    "BOOKING_NO_SHOW_UPDATED": (bookings.NoShowReported, calcom.no_show()),
}
SHAPES: dict[str, Any] = {"2021-10-20": dict, "2026-07-27": calcom.with_calendar_files, "flat": calcom.flat}


def test_every_trigger_acted_on_has_its_sample() -> None:
    assert MADE.keys() == TRIGGERS.keys()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("trigger", MADE)
def test_each_trigger_becomes_its_fact_in_every_shape(trigger: str, shape: str) -> None:
    kind, body = MADE[trigger]
    fact = fact_of(SHAPES[shape](body))
    assert type(fact) is kind
    assert (fact.contact, fact.booker.email, fact.uid, fact.at) == (ids.contact_id(ADA), ADA, UID, NOW)
    assert codec.decode_fact(codec.encode(fact)) == fact


def test_a_booking_keeps_what_emails_and_pages_need() -> None:
    fact = fact_of(calcom.created())
    assert fact.booker == bookings.Person(
        email=ADA, name="Ada Lovelace", first_name="Ada", time_zone="Europe/Berlin", locale="de"
    )
    assert fact.organizer == bookings.Person(
        email=HOST, name="Grace Hopper", first_name="Grace", time_zone="Europe/London", locale="en"
    )
    assert (fact.start, fact.end, fact.sent_at) == (START, START + timedelta(minutes=30), SENT)
    assert (fact.video_url, fact.location, fact.event_type) == (VIDEO, "integrations:daily", "intro-call")
    assert fact.title == "Intro call between Grace Hopper and Ada Lovelace"
    assert (fact.ical_uid, fact.ical_sequence, fact.reschedule_uid) == ("ic4lUid@example.com", 0, None)
    assert (fact.guests, fact.delivery) == ((), None)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", VARIANTS)
def test_what_differs_between_servers_changes_nothing_that_matters(name: str, shape: str) -> None:
    usual = fact_of(calcom.created())
    fact = fact_of(SHAPES[shape](calcom.created(**VARIANTS[name])))
    assert (fact.id, fact.booker, fact.start, fact.end) == (usual.id, usual.booker, usual.start, usual.end)


def test_a_password_is_never_kept() -> None:
    for body in (calcom.created(metadata={}), calcom.ended(), calcom.cancelled()):
        assert b"s3cret" not in codec.encode(fact_of(body))


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, VIDEO),
        ({"metadata": {}, "location": "https://meet.example.com/x"}, "https://meet.example.com/x"),
        ({"metadata": {}}, VIDEO),
        ({"metadata": {}, "videoCallData": None}, None),
        ({"metadata": {"videoCallUrl": "http://meet.example.com"}, "videoCallData": None}, None),
        ({"metadata": {"videoCallUrl": "javascript:alert(1)"}, "videoCallData": None}, None),
        ({"metadata": {"videoCallUrl": 'https://meet.example.com/"><b>'}, "videoCallData": None}, None),
        ({"metadata": {"videoCallUrl": "https://eve:pass@meet.example.com"}, "videoCallData": None}, None),
        ({"metadata": {"videoCallUrl": "https:///x"}, "videoCallData": None}, None),
        ({"metadata": {"videoCallUrl": "https://[x"}, "videoCallData": None}, None),
        ({"metadata": {"videoCallUrl": "https://a.example.com/" + "x" * 1_978}, "videoCallData": []}, 2_000),
        ({"metadata": {"videoCallUrl": "https://a.example.com/" + "x" * 1_979}, "videoCallData": []}, None),
    ],
)
def test_the_video_link_is_https_or_none(changes: Body, url: str | int | None) -> None:
    found = fact_of(calcom.created(**changes)).video_url
    assert (len(found) if isinstance(url, int) else found) == url


@pytest.mark.parametrize(
    ("changes", "minutes"),
    [
        ({"endTime": None, "length": 45}, 45),
        ({"endTime": "soon"}, 30),
        ({"endTime": None, "length": None}, 30),
        ({"endTime": None, "length": True}, 30),
        ({"endTime": None, "length": 10**9}, 30),
        ({"endTime": calcom.spelt(START)}, 30),
        ({"endTime": calcom.spelt(START + timedelta(hours=2))}, 120),
    ],
)
def test_a_missing_end_follows_from_the_length(changes: Body, minutes: int) -> None:
    fact = fact_of(calcom.created(**changes))
    assert fact.end - fact.start == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("start", "problem"),
    [
        (None, "is required"),
        ("", "is required"),
        ("2026-12-07T15:00:00", "must name its offset from UTC"),
        ("2026-12-07", "must name its offset from UTC"),
        ("tomorrow", "must be a time in ISO 8601"),
        (1_796_655_600, "must be a time in ISO 8601"),
        (["2026-12-07T15:00:00Z"], "must be a time in ISO 8601"),
        ("2026-12-07T15:00:00Z" + " " * 60_000, "must be a time in ISO 8601"),
        ("9999-12-31T23:59:59-12:00", "is out of range"),
        ("0001-01-01T00:00:00+12:00", "is out of range"),
    ],
)
@pytest.mark.parametrize("make", [calcom.created, calcom.rescheduled, calcom.requested, calcom.nested])
def test_a_booking_without_a_usable_time_is_refused(make: Any, start: object, problem: str) -> None:
    assert problem_of(make(startTime=start)) == {"startTime": problem}


@pytest.mark.parametrize("make", [calcom.cancelled, calcom.ended])
@pytest.mark.parametrize("start", [None, "tomorrow", "2026-12-07T15:00:00"])
def test_a_cancellation_and_an_end_count_without_a_time(make: Any, start: object) -> None:
    body = make(startTime=start, endTime=start)
    assert (fact_of(body).start, fact_of(body).end, told(body).meeting_time) == (None, None, None)


@pytest.mark.parametrize(
    "attendees",
    [
        None,
        [],
        {},
        ADA,
        [None],
        [ADA],
        [{}],
        [{"email": ""}],
        [{"email": "ada@"}],
        [{"email": [ADA]}],
        [{"email": "491701234567@sms.cal.com"}],
    ],
)
@pytest.mark.parametrize("make", [calcom.created, calcom.cancelled, calcom.rejected, calcom.ended, calcom.nested])
def test_a_booking_without_a_usable_attendee_is_refused(make: Any, attendees: object) -> None:
    assert problem_of(make(attendees=attendees)) == {"attendees": "must hold somebody with an email address"}


def test_the_meeting_time_is_told_in_utc() -> None:
    body = calcom.created(startTime="2026-12-07T16:00:00+01:00")
    assert told(body).meeting_time == START
    assert str(told(body).meeting_time) == str(datetime(2026, 12, 7, 15, tzinfo=UTC))


@pytest.mark.parametrize("spelling", ["2026-12-01T09:30:12.345Z", "2026-12-01T09:30:12.345+00:00"])
def test_a_sending_time_is_compared_and_not_its_spelling(spelling: str) -> None:
    assert fact_of(calcom.created() | {"createdAt": spelling}).id == fact_of(calcom.created()).id


@pytest.mark.parametrize("sent", [None, "", "now", 7, "2026-12-01T09:30:12"])
def test_without_a_sending_time_the_delivery_tells_repeats_apart(sent: object) -> None:
    fact = fact_of(calcom.created() | {"createdAt": sent})
    assert (fact.sent_at, fact.delivery) == (NOW, "digest")
    assert fact.id == f"{ids.digest(UID)}.{ids.digest('digest')}"


def test_a_uid_stays_out_of_the_subject() -> None:
    assert UID not in fact_of(calcom.created()).id


def test_two_moves_name_each_the_booking_before() -> None:
    first = fact_of(calcom.rescheduled(uid="bk2", old_uid="bk1", iCalSequence=1))
    second = fact_of(calcom.rescheduled(uid="bk3", old_uid="bk2", start=START + timedelta(days=1), iCalSequence=2))
    assert (first.uid, first.reschedule_uid) == ("bk2", "bk1")
    assert (second.uid, second.reschedule_uid, second.start) == ("bk3", "bk2", START + timedelta(days=1))
    assert first.ical_uid == second.ical_uid
    assert (first.ical_sequence, second.ical_sequence) == (1, 2)


def test_the_old_times_of_a_moved_booking_are_not_its_times() -> None:
    assert fact_of(calcom.rescheduled()).start == START


def test_a_reason_to_move_is_no_cancellation() -> None:
    assert type(fact_of(calcom.created(cancellationReason="x", status="CANCELLED"))) is bookings.BookingCreated


def test_a_confirmed_request_keeps_its_uid() -> None:
    asked, confirmed = fact_of(calcom.requested()), fact_of(calcom.created(sent=SENT + timedelta(hours=1)))
    assert (asked.uid, asked.tag) == (confirmed.uid, "booking_requested")
    assert asked.video_url is None


def test_a_request_to_move_names_the_booking_before() -> None:
    assert fact_of(calcom.requested(rescheduleUid=OLD_UID)).reschedule_uid == OLD_UID


def test_a_rejection_keeps_its_reason() -> None:
    fact = fact_of(calcom.rejected())
    assert (fact.reason, fact.ical_uid) == ("Fully booked that week", "ic4lUid@example.com")
    assert fact_of(calcom.rejected(rejectionReason=None)).reason is None


@pytest.mark.parametrize(
    ("by", "is_host"), [(ADA, False), (HOST, True), (HOST.upper(), True), (None, False), ("", False), ([], False)]
)
def test_who_cancelled_is_told(by: Any, is_host: bool) -> None:
    fact = fact_of(calcom.cancelled(by=by))
    assert (fact.by_organizer, fact.reschedule_requested) == (is_host, False)
    assert (fact.start, fact.reason) == (START, "Something came up")


def test_a_team_member_who_cancels_is_a_host() -> None:
    members = {"members": [{"email": "alan@example.com"}]}
    assert fact_of(calcom.cancelled(by="alan@example.com", team=members)).by_organizer


def test_a_host_without_an_address_cancelled_nothing() -> None:
    assert not fact_of(calcom.cancelled(by="", organizer={"email": ""})).by_organizer


def test_a_requested_reschedule_is_a_cancellation_that_says_so() -> None:
    fact = fact_of(calcom.reschedule_requested())
    assert (fact.tag, fact.reschedule_requested, fact.by_organizer) == ("booking_cancelled", True, True)


def test_a_cancellation_of_2025_knows_nothing_of_requests() -> None:
    body = calcom.cancelled(requestReschedule=None, startTime="2026-12-07T15:00:00+00:00", cancellationReason="")
    assert (fact_of(body).reschedule_requested, fact_of(body).reason) == (False, None)


def test_a_reason_is_cleaned_and_bounded() -> None:
    reason = fact_of(calcom.cancelled(cancellationReason="a\r\nb\u202e " + "x" * 60_000)).reason
    assert reason.startswith("a b x")
    assert len(reason) == 500


@pytest.mark.parametrize("make", [calcom.ended, calcom.ended_wrapped])
def test_a_meeting_ends_once_in_either_form(make: Any) -> None:
    fact = fact_of(make())
    assert (fact.id, fact.start, fact.end) == (ids.digest(UID), START, START + timedelta(minutes=30))
    assert (fact.booker.locale, fact.booker.first_name) == ("de", "Ada")


def test_a_flat_end_was_not_sent_when_the_booking_was_made() -> None:
    assert fact_of(calcom.ended()).sent_at == NOW
    assert fact_of(calcom.ended_wrapped()).sent_at == START + timedelta(minutes=32)


def test_a_no_show_is_reported_and_withdrawn() -> None:
    marked = fact_of(calcom.no_show())
    unmarked = fact_of(calcom.no_show(marked=False, sent=SENT + timedelta(seconds=1)))
    assert (marked.tag, unmarked.tag) == ("no_show_reported", "no_show_withdrawn")
    assert marked.uid == unmarked.uid == UID
    assert marked.id != unmarked.id
    assert told(calcom.no_show()).meeting_time is None


def test_each_attendee_of_a_no_show_update_has_a_fact() -> None:
    body = calcom.no_show()
    body["payload"]["attendees"] += [
        {"email": "bob@example.com", "noShow": False},
        {"email": "eve@example.com"},
        {"email": "", "noShow": True},
        {"email": "eve@example.com", "noShow": "yes"},
    ]
    assert [(fact.booker.email, fact.tag) for fact in told(body).facts] == [
        (ADA, "no_show_reported"),
        ("bob@example.com", "no_show_withdrawn"),
    ]


@pytest.mark.parametrize("attendees", [[], None, [{"email": ADA}], [{"noShow": True}]])
def test_a_no_show_of_nobody_is_refused(attendees: object) -> None:
    body = calcom.no_show()
    body["payload"]["attendees"] = attendees
    assert problem_of(body).keys() == {"attendees"}


@pytest.mark.parametrize("trigger", sorted({*IGNORED, "SOMETHING_NEW", "booking_created", "é" * 300}))
@pytest.mark.parametrize("payload", [None, {}, [], "x", calcom.booking()])
def test_other_triggers_are_ignored_whatever_they_carry(trigger: str, payload: Any) -> None:
    assert ignored(calcom.envelope(trigger, payload))


@pytest.mark.parametrize(
    "body",
    [
        calcom.form_submitted(),
        calcom.instant_meeting(),
        calcom.recording_ready(),
        calcom.out_of_office(),
        calcom.video_no_show(),
        calcom.video_no_show("AFTER_HOSTS_CAL_VIDEO_NO_SHOW"),
        calcom.meeting("MEETING_STARTED"),
        calcom.envelope("BOOKING_PAID", calcom.booking(paymentId=1, price=5_000)),
        calcom.envelope("BOOKING_PAYMENT_INITIATED", calcom.booking(paymentId=1, price=5_000)),
    ],
    ids=lambda body: body["triggerEvent"],
)
def test_captured_triggers_we_do_not_act_on_are_ignored(body: Body) -> None:
    assert ignored(body)
    assert ignored(calcom.flat(body) if "payload" in body else body)


@pytest.mark.parametrize("trigger", ["PING", *TRIGGERS])
def test_a_test_is_no_booking_under_any_name(trigger: str) -> None:
    assert ignored(calcom.ping(trigger))
    assert ignored(calcom.flat(calcom.ping(trigger)))
    assert ignored({"triggerEvent": trigger})


@pytest.mark.parametrize("trigger", [None, "", " ", 7, ["BOOKING_CREATED"], {}])
def test_a_body_without_a_trigger_is_refused(trigger: object) -> None:
    assert problem_of(calcom.created() | {"triggerEvent": trigger}) == {"triggerEvent": "is required"}


def test_a_trigger_may_stand_inside() -> None:
    body = calcom.created(triggerEvent="BOOKING_CREATED")
    assert fact_of({"payload": body["payload"]}).tag == "booking_created"


@pytest.mark.parametrize("payload", ["x", 7, True, [1]])
def test_a_payload_that_is_no_object_is_refused(payload: Any) -> None:
    assert problem_of(calcom.envelope("BOOKING_CREATED", payload)) == {"payload": "must be an object"}


@pytest.mark.parametrize("uid", ["x" * 201, "a\nb", ["x"], {"x": 1}, True, 1.5])
def test_a_uid_that_is_none_is_refused(uid: Any) -> None:
    assert problem_of(calcom.created(uid=uid)) == {"uid": "must be text of at most 200 characters"}


def test_a_nested_booking_gets_a_uid_of_its_own() -> None:
    fact = fact_of(calcom.nested())
    assert (fact.booker.email, fact.start, fact.end) == (ADA, START, START + timedelta(minutes=45))
    assert fact_of(calcom.nested("BOOKING_CANCELLED")).uid == fact.uid
    assert fact_of(calcom.nested(start=START + timedelta(hours=1))).uid != fact.uid
    assert fact_of(calcom.nested(id=12)).uid == fact_of(calcom.nested(bookingId="12")).uid == "own-12"
    assert fact_of(calcom.nested(uid=UID)).uid == UID


def test_what_stands_beside_a_nested_booking_counts_too() -> None:
    body = calcom.nested()
    body["payload"] |= {"uid": UID, "organizer": calcom.host(), "title": None}
    assert (fact_of(body).uid, fact_of(body).organizer.email) == (UID, HOST)


def test_a_nested_end_or_no_show_needs_something_to_name_its_booking() -> None:
    assert problem_of(calcom.nested("MEETING_ENDED", startTime=None)) == {"startTime": "is required"}
    assert problem_of(calcom.nested("BOOKING_NO_SHOW_UPDATED")) == {"bookingUid": "is required"}
