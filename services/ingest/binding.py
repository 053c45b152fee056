"""Where ingest may listen, and what it may take unsigned there. Pure.

Unsigned webhooks are taken from this machine only, unless the operator allows more. One server takes several families
of them, each with a secret of its own: it listens beyond loopback as soon as one family is signed, and refuses the
others there.
"""

import ipaddress
from typing import NamedTuple

from pydantic import SecretStr

from services.settings import Settings

LOOPBACK = "127.0.0.1"
SIGNUP, CALCOM, RESEND = "SIGNUP_WEBHOOK_SECRET", "CALCOM_WEBHOOK_SECRET", "RESEND_WEBHOOK_SECRET"
FAMILIES = {SIGNUP: "signups and triggers", CALCOM: "bookings", RESEND: "delivery webhooks"}


class Notice(NamedTuple):
    """What to say at the start about a family without a secret."""

    detail: str
    is_warning: bool


def bind_host(settings: Settings) -> str:
    is_signed = any(_secrets(settings).values())
    return settings.host if is_signed or settings.allow_unsigned or is_loopback(settings.host) else LOOPBACK


def takes_unsigned(settings: Settings) -> bool:
    """Whether a family without a secret is taken."""
    return settings.allow_unsigned or is_loopback(bind_host(settings))


def notices(settings: Settings) -> tuple[Notice, ...]:
    """One for each family without a secret."""
    return tuple(_notice(settings, variable) for variable, secret in _secrets(settings).items() if secret is None)


def _secrets(settings: Settings) -> dict[str, SecretStr | None]:
    return {
        SIGNUP: settings.signup_webhook_secret,
        CALCOM: settings.calcom_webhook_secret,
        RESEND: settings.resend_webhook_secret,
    }


def _notice(settings: Settings, variable: str) -> Notice:
    wanted, what = settings.host, FAMILIES[variable]
    if is_loopback(wanted):
        return Notice(f"{variable} is not set; {what} are taken on loopback only", is_warning=False)
    if settings.allow_unsigned:
        return Notice(
            f"anybody who reaches {wanted} can post {what}: {variable} is not set and DRIPSTREAM_ALLOW_UNSIGNED=true",
            is_warning=True,
        )
    effect = f"{what} are refused" if bind_host(settings) == wanted else f"listening on {LOOPBACK} only, not {wanted}"
    return Notice(
        f"{effect}: {variable} is not set; set it, or DRIPSTREAM_ALLOW_UNSIGNED=true to take unsigned webhooks from "
        "anywhere",
        is_warning=True,
    )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
