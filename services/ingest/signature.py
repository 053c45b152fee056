"""Signatures of webhooks: Standard Webhooks for the website's posts, Cal.com's own for its.

Pure, apart from the clock that the library for the former reads.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError


class BadSecret(ValueError):
    """A setting is not a secret; the message names it, says what one looks like and does not repeat it."""


class Unsigned(Exception):
    """The request does not carry a valid signature, made within the last five minutes where it tells its time."""


def read_secret(text: str) -> bytes:
    """The key behind `whsec_<base64>`, with or without the prefix. Errors: BadSecret."""
    encoded = text.strip().removeprefix("whsec_").rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise BadSecret(
            "SIGNUP_WEBHOOK_SECRET must be base64, with or without the prefix whsec_; "
            'make one with: echo "whsec_$(openssl rand -base64 32)"'
        )
    return key


class Signatures:
    """What signatures of one secret are checked with. Errors: BadSecret."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(read_secret(secret))

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Errors: Unsigned, whatever the headers hold."""
        try:
            self._webhook.verify(body, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            # Malformed headers and bodies surface as ValueError, binascii.Error and UnicodeDecodeError.
            raise Unsigned from error


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
