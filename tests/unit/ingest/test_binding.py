"""Where ingest listens, what it takes unsigned there, and what it says about it."""

from typing import Any

import pytest

from services.ingest.binding import CALCOM, RESEND, SIGNUP, bind_host, notices, takes_unsigned
from services.settings import Settings
from tests.calcom import SECRET as CALCOM_SECRET

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACKS = ["127.0.0.1", "127.8.8.8", "::1", "localhost"]
OPEN = ["0.0.0.0", "::", "10.0.0.7", "ingest.example.com"]  # noqa: S104

ALL = {"signup_webhook_secret": SECRET, "calcom_webhook_secret": CALCOM_SECRET, "resend_webhook_secret": SECRET}
ONE: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"signup_webhook_secret": SECRET}, (CALCOM, RESEND)),
    ({"calcom_webhook_secret": CALCOM_SECRET}, (SIGNUP, RESEND)),
    ({"resend_webhook_secret": SECRET}, (SIGNUP, CALCOM)),
]


def settings(host: str, **values: object) -> Settings:
    nothing = dict.fromkeys(ALL) | {"allow_unsigned": False}
    return Settings.load(**({"host": host} | nothing | values))


@pytest.mark.parametrize("host", OPEN)
def test_unsigned_ingest_stays_on_loopback_and_says_so(host: str) -> None:
    configured = settings(host)
    assert bind_host(configured) == "127.0.0.1"
    assert takes_unsigned(configured)
    for notice, variable in zip(notices(configured), (SIGNUP, CALCOM, RESEND), strict=True):
        assert notice.is_warning
        assert all(said in notice.detail for said in (host, variable, "DRIPSTREAM_ALLOW_UNSIGNED=true"))


@pytest.mark.parametrize("host", OPEN)
def test_unsigned_ingest_listens_anywhere_once_allowed_and_says_so(host: str) -> None:
    configured = settings(host, allow_unsigned=True)
    assert bind_host(configured) == host
    assert takes_unsigned(configured)
    assert [("anybody" in notice.detail, notice.is_warning) for notice in notices(configured)] == [(True, True)] * 3


@pytest.mark.parametrize("host", OPEN)
@pytest.mark.parametrize(("secrets", "missing"), ONE)
def test_one_secret_opens_its_own_family_only(host: str, secrets: dict[str, Any], missing: tuple[str, str]) -> None:
    configured = settings(host, **secrets)
    assert bind_host(configured) == host
    assert not takes_unsigned(configured)
    for notice, variable in zip(notices(configured), missing, strict=True):
        assert notice.is_warning
        assert "are refused" in notice.detail
        assert variable in notice.detail


@pytest.mark.parametrize(("secrets", "missing"), ONE)
def test_the_other_families_are_taken_unsigned_once_allowed(secrets: dict[str, Any], missing: tuple[str, str]) -> None:
    configured = settings(OPEN[0], allow_unsigned=True, **secrets)
    assert takes_unsigned(configured)
    for notice, variable in zip(notices(configured), missing, strict=True):
        assert "anybody" in notice.detail
        assert variable in notice.detail


@pytest.mark.parametrize("host", OPEN + LOOPBACKS)
def test_signed_ingest_listens_where_it_is_told(host: str) -> None:
    assert (bind_host(settings(host, **ALL)), notices(settings(host, **ALL))) == (host, ())


@pytest.mark.parametrize("host", LOOPBACKS)
def test_loopback_stays_as_it_is(host: str) -> None:
    assert bind_host(settings(host)) == host
    assert takes_unsigned(settings(host))
    assert [notice.is_warning for notice in notices(settings(host))] == [False] * 3
