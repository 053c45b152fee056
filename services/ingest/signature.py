"""Signatures of webhooks: Standard Webhooks for the website's posts and Resend's, Cal.com's own for its.

Pure: the clock is handed in.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

Clock = Callable[[], datetime]
TOLERANCE = timedelta(minutes=5)


def utc_now() -> datetime:
    return datetime.now(UTC)


class BadSecret(ValueError):
    """A setting is not a secret; the message names it, says what one looks like and does not repeat it."""


class Unsigned(Exception):
    """The request does not carry a valid signature, made within the last five minutes where it tells its time."""


ONE_OF_YOUR_OWN = 'make one with: echo "whsec_$(openssl rand -base64 32)"'
ONE_OF_RESEND = "copy the signing secret of the webhook at Resend"


def read_secret(text: str, variable: str = "SIGNUP_WEBHOOK_SECRET", advice: str = ONE_OF_YOUR_OWN) -> bytes:
    """The key behind `whsec_<base64>`, with or without the prefix. Errors: BadSecret."""
    encoded = text.strip().removeprefix("whsec_").rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise BadSecret(f"{variable} must be base64, with or without the prefix whsec_; {advice}")
    return key


class Signatures:
    """What signatures of one secret are checked with. Errors: BadSecret."""

    def __init__(self, secret: str, clock: Clock = utc_now) -> None:
        self._webhook, self._clock = Webhook(read_secret(secret)), clock

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Errors: Unsigned, whatever the headers hold."""
        _verify(self._webhook, body, headers, self._clock())


class SvixSignatures:
    """The same under Svix's header names, as Resend sends them. Errors: BadSecret."""

    ID = "svix-id"
    STANDARD = {ID: "webhook-id", "svix-timestamp": "webhook-timestamp", "svix-signature": "webhook-signature"}

    def __init__(self, secret: str, clock: Clock = utc_now) -> None:
        self._webhook, self._clock = Webhook(read_secret(secret, "RESEND_WEBHOOK_SECRET", ONE_OF_RESEND)), clock

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Errors: Unsigned, whatever the headers hold."""
        standard = {name: headers.get(svix, "") for svix, name in self.STANDARD.items()}
        _verify(self._webhook, body, standard, self._clock())


class CalcomSignatures:
    """Lower-case hex HMAC-SHA256 over the exact bytes; no time, so a replay is told by what it says.

    Without a secret at its end Cal.com still sends the header, with the text `no-secret-provided`.
    Errors: BadSecret.
    """

    HEADER = "x-cal-signature-256"

    def __init__(self, secret: str) -> None:
        if not secret.strip():
            raise BadSecret("CALCOM_WEBHOOK_SECRET must not be blank; copy the secret of the webhook at Cal.com")
        self._key = secret.encode()

    def sign(self, body: bytes) -> str:
        return hmac.new(self._key, body, hashlib.sha256).hexdigest()

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Errors: Unsigned."""
        given = headers.get(self.HEADER, "")
        if not hmac.compare_digest(self.sign(body).encode(), given.encode("utf-8", "replace")):
            raise Unsigned


def _verify(webhook: Webhook, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
    """As the library does, but by our clock: this machine's may be wrong by more than the tolerance."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        signed_at = datetime.fromtimestamp(float(given["webhook-timestamp"]), UTC)
        expected = webhook.sign(given["webhook-id"], signed_at, body.decode())
    except (KeyError, ValueError, OverflowError, OSError) as error:
        raise Unsigned from error
    signatures = given.get("webhook-signature", "").split(" ")
    matches = [hmac.compare_digest(expected.encode(), each.encode("utf-8", "replace")) for each in signatures]
    if not (given["webhook-id"] and any(matches) and abs(now - signed_at) <= TOLERANCE):
        raise Unsigned
