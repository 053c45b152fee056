"""The control endpoint: plan trouble, look at everything, start over.

Without a password, so the sandbox belongs on loopback or inside a test network, never on a public address.
Requests that a browser sends from another site are refused, since a web page can reach loopback too.
"""

from urllib.parse import urlsplit

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State as AppState
from litestar.exceptions import ClientException, HTTPException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery

from services.sandbox.control_notion import notion_controls
from services.sandbox.faults import Fault
from services.sandbox.mailbox import Mail
from services.sandbox.notion_values import plain_value
from services.sandbox.options import changed
from services.sandbox.resend_domains import put_domain
from services.sandbox.shell import AnyRequest
from services.sandbox.state import State
from services.sandbox.webhooks import Endpoint


def refuse_other_sites(connection: ASGIConnection[object, object, object, AppState], _: BaseRouteHandler) -> None:
    origin = connection.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != connection.headers.get("host"):
        raise PermissionDeniedException("The control endpoint does not answer other sites.")


def rows(state: State) -> dict[str, list[dict[str, object]]]:
    """Every page by database title, with bare values by column name; databases of one title count as one."""
    notion = state.store.notion
    found: dict[str, list[dict[str, object]]] = {}
    for database in notion.databases.values():
        found.setdefault(database.title, []).extend(
            {
                "id": page.id,
                "in_trash": page.in_trash,
                **{each.name: plain_value(each, page.values.get(each.id)) for each in source.columns},
            }
            for source in notion.sources_of(database.id)
            for page in notion.pages_of(source.id)
        )
    return found


def mail_view(mail: Mail, state: State) -> dict[str, object]:
    return {**msgspec.to_builtins(mail), "last_event": mail.last_event(state.clock())}


def _json(value: object, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


@get("/faults")
async def list_faults(request: AnyRequest) -> Response[bytes]:
    return _json(_state(request).faults.all)


@post("/faults", status_code=201)
async def add_fault(request: AnyRequest) -> Response[bytes]:
    try:
        fault = msgspec.json.decode(await request.body(), type=Fault)
    except msgspec.DecodeError as error:
        raise ClientException(str(error)) from None
    _state(request).faults.add(fault)
    return _json(fault, 201)


@delete("/faults", status_code=204)
async def clear_faults(request: AnyRequest) -> None:
    _state(request).faults.clear()


@get("/mails")
async def list_mails(request: AnyRequest, after: FromQuery[int] = 0) -> Response[bytes]:
    """`after` is a sequence number: ask again with the last one seen to get only what is new."""
    state = _state(request)
    return _json([mail_view(mail, state) for mail in state.store.mailbox.mails(after)])


@get("/requests")
async def list_requests(request: AnyRequest) -> Response[bytes]:
    return _json(_state(request).store.requests.all())


@get("/notion")
async def list_rows(request: AnyRequest) -> Response[bytes]:
    return _json(rows(_state(request)))


@get("/counts")
async def counts(request: AnyRequest) -> Response[bytes]:
    store = _state(request).store
    found = {
        "mails": store.mailbox.count(),
        "pages": len(store.notion.pages),
        "requests": store.requests.count(),
    }
    return _json(found)


@get("/webhooks")
async def list_webhooks(request: AnyRequest) -> Response[bytes]:
    return _json(list(_state(request).webhooks.events.values()))


@post("/webhooks", status_code=201)
async def send_webhooks(request: AnyRequest) -> Response[bytes]:
    """`{"url": …, "secret": "whsec_…"}`: tell of every email from now on."""
    try:
        endpoint = msgspec.json.decode(await request.body(), type=Endpoint)
    except msgspec.DecodeError as error:
        raise ClientException(str(error)) from None
    _state(request).webhooks.endpoint = endpoint
    return _json(endpoint, 201)


@delete("/webhooks", status_code=204)
async def send_no_webhooks(request: AnyRequest) -> None:
    _state(request).webhooks.endpoint = None


@post("/webhooks/{webhook:str}/replay", status_code=202)
async def replay_webhook(request: AnyRequest, webhook: FromPath[str]) -> None:
    webhooks = _state(request).webhooks
    if webhook not in webhooks.events:
        raise HTTPException(status_code=404, detail="There is no such webhook.")
    try:
        webhooks.replay(webhooks.events[webhook])
    except ValueError as error:
        raise ClientException(str(error)) from None


@get("/chat")
async def list_chat(request: AnyRequest) -> Response[bytes]:
    """What was posted to Discord and Slack, oldest first, and whom it would have called."""
    return _json(_state(request).store.chat.all())


@get("/domains")
async def list_domains(request: AnyRequest) -> Response[bytes]:
    return _json(_state(request).domains)


@post("/domains", status_code=200)
async def change_domain(request: AnyRequest) -> Response[bytes]:
    """One more, or another in the place of the one of that name."""
    try:
        return _json(put_domain(_state(request), await request.body()))
    except msgspec.DecodeError as error:
        raise ClientException(str(error)) from None


@get("/options")
async def show_options(request: AnyRequest) -> Response[bytes]:
    return _json(_state(request).options)


@post("/options", status_code=200)
async def change_options(request: AnyRequest) -> Response[bytes]:
    state = _state(request)
    try:
        state.options = changed(state.options, await request.body())
    except msgspec.DecodeError as error:
        raise ClientException(str(error)) from None
    return _json(state.options)


@post("/reset", status_code=204)
async def reset(request: AnyRequest) -> None:
    _state(request).reset()


def _state(request: AnyRequest) -> State:
    state: State = request.app.state.sandbox
    return state


def control_routes() -> Router:
    handlers = [
        list_faults,
        add_fault,
        clear_faults,
        list_mails,
        list_requests,
        list_rows,
        counts,
        list_webhooks,
        send_webhooks,
        send_no_webhooks,
        replay_webhook,
        list_chat,
        list_domains,
        change_domain,
        show_options,
        change_options,
        reset,
        *notion_controls(),
    ]
    return Router("/_control", route_handlers=handlers, guards=[refuse_other_sites])
