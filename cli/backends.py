"""Which NATS, Resend and Notion this run talks to: the real one, or the stand-in on this machine."""

import asyncio
import socket
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from cli.names import OPERATOR, PROVIDERS, SERVICES
from eventlog.access import OPEN, Access, inbox_of
from eventlog.connection import Broker, connect
from services.settings import Settings

CONNECT_S = 15.0
SANDBOX_KEY = "re_sandbox"
STAND_IN_POLL_S = 5.0
"""Who tries it out does not want to wait, and this Notion is nobody else's."""

SANDBOX_TOKEN = "ntn_sandbox"  # noqa: S105 - the stand-in takes any


class NoBroker(RuntimeError):
    """No NATS to talk to."""


class NoNotion(ValueError):
    """No Notion to talk to, nor a stand-in."""


class NoStandIn(ValueError):
    """A key is missing, and the sandbox that was named in its place is not there."""


class Backend(NamedTuple):
    """One line of the start-up message."""

    name: str
    real: bool
    where: str

    def __str__(self) -> str:
        return f"{self.name:<7}{'real' if self.real else 'stand-in':<9} {self.where}"


def nats_folder(settings: Settings) -> Path:
    return settings.data_dir / "nats"


def nats_url(settings: Settings) -> str:
    """NATS_URL, or the embedded server of a running `dripstream up` on the same data folder. Errors: NoBroker."""
    if settings.nats_url:
        return settings.nats_url
    try:
        port = int((nats_folder(settings) / "nats.port").read_text())
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except (OSError, ValueError) as error:
        raise NoBroker(
            f"no NATS: NATS_URL is unset, and no `dripstream up` runs on {settings.data_dir}; "
            "start one, or set NATS_URL"
        ) from error
    return f"nats://127.0.0.1:{port}"


def reach(settings: Settings, *, name: str, patience_s: float = CONNECT_S) -> AbstractAsyncContextManager[Broker]:
    """The broker of these settings, for one command or one service. Errors: NoBroker; Unavailable, once entered."""
    return connect(nats_url(settings), name=name, patience_s=patience_s, access=access_of(settings, name))


def access_of(settings: Settings, name: str) -> Access:
    """How these settings get us in. The embedded server asks nobody, and its users are not theirs."""
    if settings.nats_url is None:
        return OPEN
    return Access(
        user=settings.nats_user,
        password=_plain(settings.nats_password),
        token=_plain(settings.nats_token),
        nkey_seed=_plain(settings.nats_nkey_seed),
        creds=settings.nats_creds,
        ca=settings.nats_tls_ca,
        cert=settings.nats_tls_cert,
        key=settings.nats_tls_key,
        domain=settings.nats_domain,
        inbox=settings.nats_inbox_prefix or _inbox(settings, name),
    )


def _inbox(settings: Settings, name: str) -> str:
    user = Access(user=settings.nats_user).user_at(settings.nats_url or "")
    return inbox_of(user or (name if name in SERVICES else OPERATOR))


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def with_notion(settings: Settings) -> Settings:
    """For a command: with the sandbox of a running `dripstream up` in the place of a Notion without a token.

    Errors: NoNotion.
    """
    if settings.notion_token is not None:
        return settings
    if settings.notion_api_url is not None:
        return settings.model_copy(update={"notion_token": SecretStr(SANDBOX_TOKEN)})
    sandbox = sandbox_address(settings)
    if not _answers(sandbox):
        raise NoNotion(
            f"no Notion: NOTION_TOKEN is unset, and no sandbox answers at {sandbox}; "
            "set it to the secret of your integration, or start `dripstream up` to try things in the sandbox"
        )
    return with_stand_ins(settings, sandbox)


def sandbox_address(settings: Settings) -> str:
    """Where a sandbox is that this process did not start itself."""
    return settings.sandbox_url or f"http://127.0.0.1:{settings.sandbox_port}"


async def require_stand_in(service: str, settings: Settings, *, patience_s: float = CONNECT_S) -> None:
    """In production a forgotten key must not be mistaken for a wish to try things out.

    Only where DRIPSTREAM_SANDBOX_URL says that the sandbox is elsewhere: it is waited for, as a broker is.
    Errors: NoStandIn, naming the variable to set.
    """
    missing = _missing_key(service, settings)
    if missing is None or settings.sandbox_url is None:
        return
    deadline = time.monotonic() + patience_s
    while not await asyncio.to_thread(_answers, settings.sandbox_url):
        if time.monotonic() > deadline:
            raise NoStandIn(
                f"{missing} is not set, and no sandbox answers at {settings.sandbox_url}: set {missing} or "
                f"{missing}_FILE, or start the sandbox too (with compose: --profile dev)"
            )
        await asyncio.sleep(1)


def _missing_key(service: str, settings: Settings) -> str | None:
    match PROVIDERS.get(service):
        case "Resend" if _stand_in_for_resend(settings):
            return "RESEND_API_KEY"
        case "Notion" if _stand_in_for_notion(settings):
            return "NOTION_TOKEN"
    return None


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=1).close()
    except OSError:
        return False
    return True


def needs_sandbox(settings: Settings) -> bool:
    """Whether anything is left for the stand-in: a token or an address of one's own means somebody else answers."""
    return _stand_in_for_resend(settings) or _stand_in_for_notion(settings)


def with_stand_ins(settings: Settings, sandbox_url: str) -> Settings:
    """The settings with the sandbox in the place of what has no account."""
    from services.sandbox.seed import BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID

    update: dict[str, object] = {}
    if _stand_in_for_resend(settings):
        update |= {"resend_api_key": SecretStr(SANDBOX_KEY), "resend_api_url": sandbox_url}
    if _stand_in_for_notion(settings):
        update |= {
            "notion_token": SecretStr(SANDBOX_TOKEN),
            "notion_api_url": sandbox_url,
            "notion_email_sequence_db_id": settings.notion_email_sequence_db_id or EMAIL_SEQUENCE_DB_ID,
            "notion_businessx_db_id": settings.notion_businessx_db_id or BUSINESSX_DB_ID,
            "notion_poll_s": min(settings.notion_poll_s, STAND_IN_POLL_S),
        }
    return settings.model_copy(update=update)


def describe(settings: Settings, *, nats: str, sandbox_url: str) -> list[Backend]:
    """Said plainly before anything else: which of the three is the real one. `settings`: as the user gave them."""
    embedded = f"embedded nats-server at {nats}, data in {nats_folder(settings)}"
    resend = f"{sandbox_url} (RESEND_API_KEY is unset: no email leaves this machine)"
    notion = f"{sandbox_url} (NOTION_TOKEN is unset)"
    return [
        Backend("NATS", True, nats.rpartition("@")[2] if settings.nats_url else embedded),
        Backend("Resend", not _stand_in_for_resend(settings), settings.resend_api_url or "https://api.resend.com")
        if not _stand_in_for_resend(settings)
        else Backend("Resend", False, resend),
        Backend("Notion", True, settings.notion_api_url or "https://api.notion.com")
        if not _stand_in_for_notion(settings)
        else Backend("Notion", False, notion),
    ]


def _stand_in_for_resend(settings: Settings) -> bool:
    return settings.resend_api_key is None


def _stand_in_for_notion(settings: Settings) -> bool:
    return settings.notion_token is None
