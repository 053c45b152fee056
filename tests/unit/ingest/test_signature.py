"""A signature is right, or the request is unsigned; malformed ones are no accidents of ours."""

from datetime import UTC, datetime, tzinfo
from typing import Self

import pytest

from services.ingest.signature import BadSecret, CalcomSignatures, Signatures, SvixSignatures, Unsigned, read_secret

# The example of the Standard Webhooks specification, also in the test suites of its libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SIGNED = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


@pytest.fixture
def at_that_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:  # noqa: ARG003
            return cls.fromtimestamp(1614265330, UTC)

    monkeypatch.setattr("services.ingest.signature.datetime", Then)


@pytest.mark.usefixtures("at_that_time")
@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_"), f" {SECRET}\n"])
def test_the_published_vector_is_accepted(secret: str) -> None:
    Signatures(secret).verify(BODY, SIGNED)


@pytest.mark.usefixtures("at_that_time")
def test_a_rotated_secret_may_sign_twice() -> None:
    signatures = f"v1,AAAA {SIGNED['webhook-signature']}"
    Signatures(SECRET).verify(BODY, SIGNED | {"webhook-signature": signatures})


@pytest.mark.usefixtures("at_that_time")
@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,a,b"},
        {"webhook-signature": "v1,not base64"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v2" + SIGNED["webhook-signature"][2:]},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "1e400"},
        {"webhook-timestamp": str(1614265330 - 301)},
        {"webhook-timestamp": str(1614265330 + 301)},
        {"webhook-id": ""},
        {"webhook-id": "another"},
    ],
)
def test_any_other_header_is_unsigned(headers: dict[str, str]) -> None:
    with pytest.raises(Unsigned):
        Signatures(SECRET).verify(BODY, SIGNED | headers)


@pytest.mark.usefixtures("at_that_time")
@pytest.mark.parametrize("body", [b"", BODY + b" ", b"\xff"])
def test_any_other_body_is_unsigned(body: bytes) -> None:
    with pytest.raises(Unsigned):
        Signatures(SECRET).verify(body, SIGNED)


@pytest.mark.parametrize("missing", SIGNED)
def test_a_missing_header_is_unsigned(missing: str) -> None:
    with pytest.raises(Unsigned):
        Signatures(SECRET).verify(BODY, {name: SIGNED[name] for name in SIGNED.keys() - {missing}})


def test_an_old_stamp_is_unsigned() -> None:
    with pytest.raises(Unsigned):
        Signatures(SECRET).verify(BODY, SIGNED)


@pytest.mark.parametrize("secret", ["whsec_", " ", "whsec_=", "A"])
def test_an_empty_secret_is_refused(secret: str) -> None:
    with pytest.raises(BadSecret, match="SIGNUP_WEBHOOK_SECRET must be base64"):
        read_secret(secret)


@pytest.mark.parametrize("secret", ["my secret!", "whsec_p@ss", "pässword"])
def test_a_secret_that_cannot_be_read_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(BadSecret, match="SIGNUP_WEBHOOK_SECRET must be base64") as refused:
        read_secret(secret)
    assert secret.removeprefix("whsec_") not in str(refused.value)


# The vector is Svix's own too: the same under other names.
SVIX = {name.replace("webhook", "svix"): value for name, value in SIGNED.items()}


@pytest.mark.usefixtures("at_that_time")
@pytest.mark.parametrize("headers", [SVIX, SVIX | {"svix-signature": f"v1,AAAA v1a,AAAA {SVIX['svix-signature']}"}])
def test_the_published_vector_is_accepted_from_svix(headers: dict[str, str]) -> None:
    SvixSignatures(SECRET).verify(BODY, headers)


@pytest.mark.usefixtures("at_that_time")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        SIGNED,
        *(SVIX | {name: ""} for name in SVIX),
        *(SIGNED | SVIX | {name: "1"} for name in SVIX),
        SVIX | {"svix-id": "another"},
        SVIX | {"svix-timestamp": str(1614265330 - 301)},
        SVIX | {"svix-timestamp": str(1614265330 + 301)},
        SVIX | {"svix-signature": "v1,AAAA v1,é"},
        SVIX | {"svix-signature": "v2" + SVIX["svix-signature"][2:]},
    ],
)
def test_any_other_svix_header_is_unsigned(headers: dict[str, str]) -> None:
    with pytest.raises(Unsigned):
        SvixSignatures(SECRET).verify(BODY, headers)


@pytest.mark.usefixtures("at_that_time")
@pytest.mark.parametrize("body", [b"", BODY + b" ", b"\xff"])
def test_any_other_body_is_unsigned_by_svix(body: bytes) -> None:
    with pytest.raises(Unsigned):
        SvixSignatures(SECRET).verify(body, SVIX)


@pytest.mark.parametrize("secret", ["whsec_", " ", "my secret!"])
def test_a_secret_of_svix_that_cannot_be_read_is_refused_by_its_name(secret: str) -> None:
    with pytest.raises(BadSecret, match="RESEND_WEBHOOK_SECRET must be base64") as refused:
        SvixSignatures(secret)
    assert "secret!" not in str(refused.value)


def test_padding_may_be_left_out() -> None:
    assert read_secret("whsec_c2VjcmV0IQ") == read_secret("c2VjcmV0IQ==") == b"secret!"


# RFC 4231, test case 2: the published vector of the algorithm Cal.com signs with.
CALCOM_SECRET, CALCOM_BODY = "Jefe", b"what do ya want for nothing?"
CALCOM_SIGNED = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_the_published_vector_is_accepted_from_the_calendar() -> None:
    CalcomSignatures(CALCOM_SECRET).verify(CALCOM_BODY, {"x-cal-signature-256": CALCOM_SIGNED})


@pytest.mark.parametrize(
    "given",
    [
        "",
        "no-secret-provided",
        CALCOM_SIGNED.upper(),
        f"sha256={CALCOM_SIGNED}",
        CALCOM_SIGNED[:-1],
        f"{CALCOM_SIGNED} ",
        f"{CALCOM_SIGNED},{CALCOM_SIGNED}",
        "é",
        "\udcff",
    ],
)
def test_any_other_calendar_signature_is_unsigned(given: str) -> None:
    with pytest.raises(Unsigned):
        CalcomSignatures(CALCOM_SECRET).verify(CALCOM_BODY, {"x-cal-signature-256": given})


@pytest.mark.parametrize("body", [b"", CALCOM_BODY + b" ", b"\xff"])
def test_any_other_calendar_body_is_unsigned(body: bytes) -> None:
    with pytest.raises(Unsigned):
        CalcomSignatures(CALCOM_SECRET).verify(body, {"x-cal-signature-256": CALCOM_SIGNED})


def test_a_missing_calendar_signature_is_unsigned() -> None:
    with pytest.raises(Unsigned):
        CalcomSignatures(CALCOM_SECRET).verify(CALCOM_BODY, {"webhook-signature": CALCOM_SIGNED})


@pytest.mark.parametrize("secret", ["", " ", "\n"])
def test_a_blank_calendar_secret_is_refused(secret: str) -> None:
    with pytest.raises(BadSecret, match="CALCOM_WEBHOOK_SECRET"):
        CalcomSignatures(secret)
