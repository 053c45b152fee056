"""Where ingest listens, and what it says about it."""

import pytest

from services.ingest.server import bind_host
from services.settings import Settings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACKS = ["127.0.0.1", "127.8.8.8", "::1", "localhost"]
OPEN = ["0.0.0.0", "::", "10.0.0.7", "ingest.example.com"]  # noqa: S104


def settings(host: str, **values: object) -> Settings:
    return Settings.load(**({"host": host, "signup_webhook_secret": None, "allow_unsigned": False} | values))


@pytest.mark.parametrize("host", OPEN)
def test_unsigned_ingest_stays_on_loopback_and_says_so(host: str) -> None:
    bound, warning = bind_host(settings(host))
    assert bound == "127.0.0.1"
    assert warning
    assert host in warning
    assert "SIGNUP_WEBHOOK_SECRET" in warning
    assert "DRIPSTREAM_ALLOW_UNSIGNED=true" in warning


@pytest.mark.parametrize("host", OPEN)
def test_unsigned_ingest_listens_anywhere_once_allowed_and_says_so(host: str) -> None:
    bound, warning = bind_host(settings(host, allow_unsigned=True))
    assert bound == host
    assert warning
    assert "anybody" in warning


@pytest.mark.parametrize("host", OPEN + LOOPBACKS)
def test_signed_ingest_listens_where_it_is_told(host: str) -> None:
    assert bind_host(settings(host, signup_webhook_secret=SECRET)) == (host, None)


@pytest.mark.parametrize("host", LOOPBACKS)
def test_loopback_stays_as_it_is(host: str) -> None:
    assert bind_host(settings(host)) == (host, None)
