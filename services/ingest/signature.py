"""Standard Webhooks signatures of the website's posts. Pure, apart from the clock the library reads."""

import base64
import binascii
from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError


class BadSecret(ValueError):
    """SIGNUP_WEBHOOK_SECRET is not a secret; the message says what one looks like and does not repeat it."""


class Unsigned(Exception):
    """The request does not carry a valid signature made within the last five minutes."""


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
