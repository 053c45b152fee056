"""nats-py's client, told apart in four places: nkeys, encryption, refusals by the server, and cancellations.

nats-py only logs what its user may not do, and lets whoever asked wait for an answer that does not come. It waits with
`asyncio.wait_for`, which in Python 3.11 loses a cancellation that meets its answer.
"""

import asyncio
import re
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error

from eventlog.nkeys import Signer

GUIDE = "docs/nats-security.md says what each user may do"

_REFUSED = re.compile(r'permissions violation for (publish|subscription) to "([^"]+)"')
"""As nats-py hands it on: in lower case, the subject too."""

_NOT_LET_IN = re.compile(
    r"authorization violation|authentication (timeout|expired|revoked)|user.* (expired|revoked)", re.IGNORECASE
)


_DOMAIN = re.compile(r"^\$js\.[^.]+\.api\.")


def _as_judged(subject: str) -> str:
    """As the server writes it when it refuses: it takes the JetStream domain out before it looks at the rights."""
    return _DOMAIN.sub("$js.api.", subject.lower())


class Unavailable(Exception):
    """JetStream did not confirm. The write may or may not be stored: repeat it under the same identity."""


class Denied(Unavailable):
    """The broker does not let us in, or not do this. Trying again is no use before somebody changes something."""


class NoTls(Error):
    """Encryption was asked for, and the server offers none."""


class Refusing(Client):
    """A client that says at once what the server refuses, and signs with an nkey."""

    def __init__(self, *, who: str, inbox: str, signer: Signer | None = None, encrypts: bool = False) -> None:
        super().__init__()
        self._who, self._inbox, self._encrypts = who, inbox, encrypts
        self._signer = signer
        self._asking: dict[str, set[asyncio.Timeout]] = defaultdict(set)
        self._deaf = False

    def take(self, error: Exception) -> Denied | None:
        """What the server refused, if this says so; whoever waits for an answer is told."""
        if not (found := _REFUSED.search(str(error))):
            return self._not_let_in(error)
        what, subject = found[1], found[2]
        if what == "publish":
            self._give_up(self._asking.get(subject, ()))
        elif subject.startswith(f"{self._inbox.lower()}."):
            self._deaf = True
            self._give_up(set().union(*self._asking.values()))
        return self._denied(what, subject)

    def _not_let_in(self, error: Exception) -> Denied | None:
        if isinstance(error, NoTls):
            return Denied(f"{error}: what we say would be read on the way. Unset NATS_TLS_CA if that is meant")
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            return Denied(
                f"no connection to NATS by TLS: {_reason(error)}; see NATS_TLS_CA, NATS_TLS_CERT, NATS_TLS_KEY"
            )
        if _NOT_LET_IN.search(str(error)):
            return Denied(f"NATS does not let {self._who} in: set NATS_USER and NATS_PASSWORD, or the key, .creds file "
                          f"or context in their place, to what the broker knows; {GUIDE}")  # fmt: skip
        return None

    def _give_up(self, waiting: Iterable[asyncio.Timeout]) -> None:
        now = asyncio.get_running_loop().time()
        for each in waiting:
            each.reschedule(now)

    def forgive(self) -> None:
        """The connection is new: what was refused is asked for again."""
        self._deaf = False

    def _denied(self, what: str, subject: str) -> Denied:
        if self._deaf:
            return Denied(f"NATS does not let {self._who} hear its answers, which come to {self._inbox}.>: set "
                          f"NATS_INBOX_PREFIX to what it may hear; {GUIDE}")  # fmt: skip
        does = "publish to" if what == "publish" else "hear"
        return Denied(f"NATS does not let {self._who} {does} {subject}: run this as the user it is meant for "
                      f"(each service its own, every other command `operator`); {GUIDE}")  # fmt: skip

    @asynccontextmanager
    async def answering(self, subject: str) -> AsyncIterator[None]:
        """While an answer to what is published there is waited for. Errors: Denied, at once, if the server refuses."""
        if self._deaf:
            raise self._denied("subscription", self._inbox)
        judged = _as_judged(subject)
        waiting = self._asking[judged]
        try:
            async with asyncio.timeout(None) as scope:
                waiting.add(scope)
                try:
                    yield
                finally:
                    waiting.discard(scope)
                    if not waiting:
                        self._asking.pop(judged, None)
        except TimeoutError:
            if not scope.expired():
                raise
            raise self._denied("publish", subject) from None

    async def request(self, subject: str, *args: Any, **options: Any) -> Msg:
        """As the client has it. Errors: Denied, besides its own."""
        with _cancellable():
            async with self.answering(subject):
                return await super().request(subject, *args, **options)

    def _connect_command(self) -> bytes:
        """The first thing we say, and the last moment at which nothing is said yet."""
        if self._encrypts and not self._server_info.get("tls_required"):
            raise NoTls("the NATS server offers no TLS, which these settings ask for")
        command: bytes = super()._connect_command()
        return _signed(command, self._signer, self._server_info.get("nonce", "")) if self._signer else command


@contextmanager
def _cancellable() -> Iterator[None]:
    """Whoever is cancelled within the block is so at its end, at the latest."""
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    yield
    if task and task.cancelling() > before:
        raise asyncio.CancelledError


def _signed(command: bytes, signer: Signer, nonce: str) -> bytes:
    """With our signature: nats-py does it only with a package that has no wheels."""
    said = msgspec.json.decode(command.removeprefix(b"CONNECT ").strip(), type=dict[str, Any])
    said |= {"jwt": signer.jwt} if signer.jwt else {"nkey": signer.public}
    return b"CONNECT " + msgspec.json.encode(said | {"sig": signer.sign(nonce)}) + b"\r\n"


def _reason(error: ssl.SSLError) -> str:
    return str(getattr(error, "verify_message", "") or error.reason or "the handshake failed").lower()
