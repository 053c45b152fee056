"""The sandbox as an application, and as a server inside the caller's event loop."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from litestar import Litestar
from litestar.datastructures import State as AppState
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.types import Scope
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from services.http import HttpServer
from services.sandbox.calls import Clock, utc_now
from services.sandbox.chat_store import ChatMessage
from services.sandbox.control import control_routes, rows
from services.sandbox.faults import Fault
from services.sandbox.mailbox import Mail
from services.sandbox.notion_pages import notion_pages
from services.sandbox.options import SandboxOptions
from services.sandbox.pages import page_routes
from services.sandbox.person import Person
from services.sandbox.request_log import Entry
from services.sandbox.routes import api_routes, unrouted
from services.sandbox.state import State
from services.sandbox.store import Store
from services.sandbox.webhooks import Endpoint, Event

log = logging.getLogger(__name__)

MAX_BODY = 60 * 1024 * 1024  # 40 MB of attachments after Base64, and room for the rest


def create_app(store: Store, options: SandboxOptions, clock: Clock = utc_now) -> Litestar:
    """Both APIs, the control endpoint and the page. `app.state.sandbox` holds the state of it all."""
    return Litestar(
        route_handlers=[*api_routes(), *page_routes(), notion_pages(), control_routes()],
        state=AppState({"sandbox": State(store, options, clock)}),
        exception_handlers={NotFoundException: unrouted, MethodNotAllowedException: unrouted},
        after_exception=[log_bug],
        request_max_body_size=MAX_BODY,
        openapi_config=None,
        logging_config=None,
    )


async def log_bug(error: Exception, scope: Scope) -> None:
    """Refusals are answers; anything else is a fault of the sandbox and must not hide behind a 500."""
    if not isinstance(error, HTTPException):
        log.error("%s failed", scope["path"], exc_info=error)


class Sandbox:
    """A running sandbox: `async with Sandbox() as sandbox: sandbox.url`.

    Units:  port 0 takes a free one; `database` None keeps everything in memory.
    Errors: OSError where the address is taken.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        database: Path | None = None,
        options: SandboxOptions | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.host = host
        self.port = port
        self._database = database
        self._options = options or SandboxOptions()
        self._clock = clock
        self._state: State | None = None
        self._server: HttpServer | None = None

    @property
    def url(self) -> str:
        """Base URL of both APIs and of the page."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def state(self) -> State:
        if self._state is None:
            raise RuntimeError("the sandbox is not running")
        return self._state

    @property
    def options(self) -> SandboxOptions:
        return self.state.options

    @options.setter
    def options(self, options: SandboxOptions) -> None:
        self.state.options = options

    def mails(self, after: int = 0) -> list[Mail]:
        """Everything accepted, in the order it was."""
        return self.state.store.mailbox.mails(after)

    def requests(self) -> list[Entry]:
        return self.state.store.requests.all()

    def notion_rows(self) -> dict[str, list[dict[str, object]]]:
        """Bare values by database title; rows in the trash say so."""
        return rows(self.state)

    def chat(self) -> list[ChatMessage]:
        """What was posted to Discord and Slack, oldest first."""
        return self.state.store.chat.all()

    @property
    def person(self) -> Person:
        """Somebody who edits at Notion, not through the API."""
        return self.state.person

    def add_fault(self, fault: Fault) -> None:
        self.state.faults.add(fault)

    def send_webhooks(self, endpoint: Endpoint | None) -> None:
        """Of every email from now on."""
        self.state.webhooks.endpoint = endpoint

    def webhooks(self) -> list[Event]:
        return list(self.state.webhooks.events.values())

    def reset(self) -> None:
        self.state.reset()

    async def start(self) -> None:
        app = create_app(Store.open(self._database), self._options, self._clock)
        self._state = app.state.sandbox
        self._server = HttpServer(app, host=self.host, port=self.port, protocol=_protocol(self.state))
        self.port = (await self._server.start()).port

    async def stop(self) -> None:
        if self._server is None:
            return
        self.state.closing.set()
        await self.state.webhooks.close()
        await self._server.stop()
        self.state.store.close()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def run_sandbox(
    *,
    host: str = "127.0.0.1",
    port: int = 8025,
    database: Path | None = None,
    options: SandboxOptions | None = None,
    started: Callable[[Sandbox], None] | None = None,
) -> None:
    """Serve until cancelled; `started` is told the sandbox once it listens, with the port it got."""
    async with Sandbox(host=host, port=port, database=database, options=options) as sandbox:
        if started is not None:
            started(sandbox)
        await asyncio.Event().wait()


def _protocol(state: State) -> type[asyncio.Protocol]:
    """The usual HTTP protocol, noting each connection so that a fault can drop it."""

    class Noted(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # chosen at run time by uvicorn
        def connection_made(self, transport: asyncio.Transport) -> None:
            self.peer = transport.get_extra_info("peername")[:2]
            state.connections[self.peer] = transport
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            state.connections.pop(self.peer, None)
            super().connection_lost(error)

    return Noted
