"""How a client shows NATS who it is, how it encrypts, and where its answers come."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eventlog.nkeys import Signer, from_creds, from_seed


@dataclass(frozen=True)
class Access:
    """One way in: a user with a password, a token, an nkey, a .creds file, or none at all. Secrets are not shown."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    nkey_seed: str | None = field(default=None, repr=False)
    creds: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    domain: str | None = None
    """Of JetStream, where it is not the one of the server we connect to."""
    inbox: str | None = None
    """The prefix of the subjects that answers come to: what the user may hear."""

    @property
    def api(self) -> str:
        return f"$JS.{self.domain}.API" if self.domain else "$JS.API"

    @property
    def signer(self) -> Signer | None:
        """Errors: BadKey."""
        if self.creds:
            return from_creds(self.creds)
        return from_seed(self.nkey_seed) if self.nkey_seed else None

    def encrypts(self, url: str) -> bool:
        return bool(self.ca or self.cert) or "tls://" in url

    def who(self, url: str, signer: Signer | None) -> str:
        """For an error: who was refused, and never by which secret."""
        if signer:
            return f"the key {signer.public}" + (f" of {self.creds}" if self.creds else "")
        user = self.user_at(url)
        return f"user {user!r}" if user else "a client with a token" if self.token else "a client without a user"

    def options(self, url: str) -> Mapping[str, Any]:
        """For nats-py. Errors: ValueError, naming the file."""
        options: dict[str, Any] = {"user": self.user, "password": self.password, "token": self.token}
        if self.encrypts(url):
            options["tls"] = self._tls()
        return {name: value for name, value in options.items() if value is not None}

    def user_at(self, url: str) -> str | None:
        """Also where it is in the address. A name there without a password is a token, and not shown."""
        first = urlsplit(url.split(",", maxsplit=1)[0].strip())
        return self.user or (first.username if first.password else None)

    def inbox_at(self, url: str, name: str) -> str:
        return self.inbox or inbox_of(self.user_at(url) or name)

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as error:
            given = ", ".join(str(path) for path in (self.ca, self.cert, self.key) if path)
            raise ValueError(f"TLS files of NATS ({given}): {getattr(error, 'reason', None) or error}") from error
        return context


OPEN = Access()
"""A server that asks nobody who they are, as the embedded one on loopback."""


def inbox_of(name: str) -> str:
    """`_INBOX_notion_sync` for notion-sync: what its user at the broker may hear, and no other."""
    return f"_INBOX_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"
