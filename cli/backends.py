"""Which NATS, Resend and Notion this run talks to: the real one, or the stand-in on this machine."""

import socket
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

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
    return connect(nats_url(settings), name=name, patience_s=patience_s)


def with_notion(settings: Settings) -> Settings:
    """For a command: with the sandbox of a running `dripstream up` in the place of a Notion without a token.

    Errors: NoNotion.
    """
    if settings.notion_token is not None:
        return settings
    if settings.notion_api_url is not None:
        return settings.model_copy(update={"notion_token": SecretStr(SANDBOX_TOKEN)})
    try:
        socket.create_connection(("127.0.0.1", settings.sandbox_port), timeout=1).close()
    except OSError as error:
        raise NoNotion(
            f"no Notion: NOTION_TOKEN is unset, and no sandbox answers on port {settings.sandbox_port}; "
            "set it to the secret of your integration, or start `dripstream up` to try things in the sandbox"
        ) from error
    return with_stand_ins(settings, f"http://127.0.0.1:{settings.sandbox_port}")


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
