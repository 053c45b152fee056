"""Settings that are right by themselves, and wrong for production."""

from cli.checks.finding import Check, Finding, Patient, ok, trouble, warning
from services.ingest.binding import notices
from services.ingest.guard import calcom_guard, resend_guard, signup_guard
from services.ingest.signature import BadSecret
from services.settings import Settings

UNSET = "unset it and restart scheduler and sender"


async def secrets(patient: Patient) -> list[Finding]:
    """Of webhooks: readable, and there where they are needed."""
    found = [_secret(patient.settings, guard) for guard in (signup_guard, calcom_guard, resend_guard)]
    bad = [each for each in found if each]
    for notice in notices(patient.settings):
        do = "set the secret that the detail names; docs/webhooks.md says where it comes from"
        bad.append((trouble if notice.is_warning else warning)("webhook secrets", notice.detail, do))
    return bad or [ok("webhook secrets", "every family of webhooks is signed")]


def _secret(settings: Settings, guard: object) -> Finding | None:
    try:
        guard(settings)  # type: ignore[operator]
    except BadSecret as error:
        what, _, advice = str(error).partition("; ")
        return trouble("webhook secrets", what, advice)
    return None


async def pace(patient: Patient) -> list[Finding]:
    """Emails in minutes instead of days: fine to try, and not with a real key."""
    settings, found = patient.settings, []
    grade = trouble if settings.resend_api_key is not None and settings.resend_api_url is None else warning
    if settings.testing_mode:
        found.append(grade("pace", "TESTING_MODE is on: emails follow each other in minutes", UNSET))
    if settings.speedup != 1:
        detail = f"DRIPSTREAM_SPEEDUP is {settings.speedup:g}: time passes that much faster for every delay"
        found.append(grade("pace", detail, UNSET))
    return found or [ok("pace", "real time")]


CHECKS = (Check("webhook secrets", secrets), Check("pace", pace))
