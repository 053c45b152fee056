"""Whose webhooks count: one guard for each family of routes."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from services.ingest.binding import CALCOM, RESEND, SIGNUP, takes_unsigned
from services.ingest.problems import Refusal
from services.ingest.signature import CalcomSignatures, Clock, Signatures, SvixSignatures, Unsigned, utc_now
from services.settings import Settings

STANDARD = (
    "A valid signature is required in webhook-id, webhook-timestamp and webhook-signature, made within the last five "
    "minutes (www.standardwebhooks.com)."
)
OF_CALCOM = "A valid signature is required in X-Cal-Signature-256, made with the secret of this webhook."
OF_SVIX = (
    "A valid signature is required in svix-id, svix-timestamp and svix-signature, made within the last five minutes "
    "with the secret of this webhook."
)


class Verifier(Protocol):
    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Errors: Unsigned."""


@dataclass(frozen=True)
class Guard:
    """What one family of routes asks of a request. `variable` names the setting that holds its secret."""

    variable: str
    demand: str
    verifier: Verifier | None
    takes_unsigned: bool

    def check(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Errors: Refusal."""
        if self.verifier is not None:
            try:
                self.verifier.verify(body, headers)
            except Unsigned:
                raise Refusal(HTTPStatus.UNAUTHORIZED, "unsigned", self.demand) from None
        elif not self.takes_unsigned:
            detail = f"Nothing is taken here before {self.variable} is set on the server."
            raise Refusal(HTTPStatus.UNAUTHORIZED, "no_secret", detail)


def signup_guard(settings: Settings, clock: Clock = utc_now) -> Guard:
    """Errors: BadSecret."""
    secret = settings.signup_webhook_secret
    verifier = Signatures(secret.get_secret_value(), clock) if secret else None
    return Guard(SIGNUP, STANDARD, verifier, takes_unsigned(settings))


def calcom_guard(settings: Settings) -> Guard:
    """Errors: BadSecret."""
    secret = settings.calcom_webhook_secret
    verifier = CalcomSignatures(secret.get_secret_value()) if secret else None
    return Guard(CALCOM, OF_CALCOM, verifier, takes_unsigned(settings))


def resend_guard(settings: Settings, clock: Clock = utc_now) -> Guard:
    """Errors: BadSecret."""
    secret = settings.resend_webhook_secret
    verifier = SvixSignatures(secret.get_secret_value(), clock) if secret else None
    return Guard(RESEND, OF_SVIX, verifier, takes_unsigned(settings))
