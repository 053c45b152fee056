"""Where notices go, by the form of the webhook's address. Pure.

The address is the password: whoever has it can post. So it is in no error and no line of the log.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

Kind = Literal["discord", "slack"]
NEEDED = (
    "the notifier needs NOTIFY_WEBHOOK_URL: the address of a webhook of a Discord or Slack channel, or of anything "
    'that takes {"text": …} as Slack does'
)


@dataclass(frozen=True)
class Target:
    """`kind` says in which form to post; `host` may be shown."""

    kind: Kind
    host: str
    url: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.kind} form, {self.host}"


def target(address: str, *, sandbox: str | None = None) -> Target:
    """`sandbox` is where ours runs, if elsewhere than on this machine. Errors: ValueError, without the address."""
    try:
        parts = urlsplit(address.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("NOTIFY_WEBHOOK_URL is not an address") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("NOTIFY_WEBHOOK_URL is not an address: it begins with https:// and names a host")
    if parts.scheme == "http" and not (_is_loopback(host) or _is_sandbox(parts, sandbox)):
        raise ValueError("NOTIFY_WEBHOOK_URL: only https leaves this machine, http is for loopback and our sandbox")
    return _discord(parts) if _is_discord(parts.path) else Target("slack", host, urlunsplit(parts))


def _is_discord(path: str) -> bool:
    """`/api/webhooks/…` or `/api/v10/webhooks/…`, but for the address at which Discord takes Slack's form."""
    return bool(re.search(r"/api/(v[0-9]+/)?webhooks/[^/]+/[^/]+", path)) and not path.rstrip("/").endswith("/slack")


def _discord(parts: SplitResult) -> Target:
    """Without `wait` Discord answers before the message is kept, and says nothing if it is not."""
    if parts.path.rstrip("/").endswith("/github"):
        raise ValueError("NOTIFY_WEBHOOK_URL ends with /github, which takes what GitHub sends: leave that off")
    query = [*((name, value) for name, value in parse_qsl(parts.query) if name != "wait"), ("wait", "true")]
    return Target("discord", str(parts.hostname), urlunsplit(parts._replace(query=urlencode(query))))


def _is_sandbox(parts: SplitResult, sandbox: str | None) -> bool:
    """Its port as well: nothing else on that machine is meant."""
    ours = urlsplit(sandbox or "")
    return bool(ours.hostname) and (parts.hostname, parts.port) == (ours.hostname, ours.port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
