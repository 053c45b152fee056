"""The one path every API call takes: planned trouble, admission, work, log, answer."""

import asyncio
import socket
from collections.abc import Callable

import msgspec
from litestar import Request, Response
from litestar.datastructures import State as AppState

from services.sandbox.calls import Answer, Api, Call, Refused
from services.sandbox.faults import Fault
from services.sandbox.request_log import Entry
from services.sandbox.state import State

AnyRequest = Request[object, object, AppState]
Work = Callable[[State, Call], Answer]

PROXY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Provider(msgspec.Struct, frozen=True):
    """How one API admits a call (or raises Refused), words a refusal, and names a bare status."""

    api: Api
    admit: Callable[[State, Call], dict[str, str]]
    refuse: Callable[[Refused], Answer]
    names: dict[int, str]
    busy: Callable[[], Refused] | None = None


async def handle(request: AnyRequest, provider: Provider, work: Work, target: str = "") -> Response[bytes]:
    state: State = request.app.state.sandbox
    call = await _call(request, provider.api, target, state)
    fault = state.faults.take(call)
    answer = await _answer(request, state, provider, call, work, fault)
    state.store.requests.add(
        Entry(
            api=call.api,
            method=call.method,
            path=call.path,
            key=call.key,
            status=answer.status if answer else None,
            at=call.at,
            fault=fault.action if fault else None,
        )
    )
    if answer is None:
        return await _drop(request, state, fault)
    return Response(answer.content, status_code=answer.status, headers=answer.headers, media_type=answer.media_type)


async def _call(request: AnyRequest, api: Api, target: str, state: State) -> Call:
    return Call(
        api=api,
        method=request.method,
        path=request.url.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.query_params.dict(),
        body=await request.body(),
        at=state.clock(),
        target=target,
    )


async def _answer(
    request: AnyRequest, state: State, provider: Provider, call: Call, work: Work, fault: Fault | None
) -> Answer | None:
    """None means that the connection is to be dropped."""
    action = fault.action if fault else None
    if fault and action == "status":
        return provider.refuse(_planned(provider, fault))
    if fault and action == "non_json":
        return Answer(fault.status, PROXY_PAGE, media_type="text/html")
    if action in {"reset", "timeout_before_accept"}:
        return None
    answer = await _admit_and_work(request, state, provider, call, work, fault)
    return None if action == "timeout_after_accept" else answer


async def _admit_and_work(
    request: AnyRequest, state: State, provider: Provider, call: Call, work: Work, fault: Fault | None
) -> Answer:
    headers: dict[str, str] = {}
    try:
        headers = provider.admit(state, call)
        with state.running(call.key if provider.busy else None) as first:
            if not first and provider.busy:
                raise provider.busy()
            if fault and fault.action == "slow":
                await _hold(request, state, fault.delay_s, until_gone=False)
            answer = work(state, call)
    except Refused as refused:
        answer = provider.refuse(refused)
    return msgspec.structs.replace(answer, headers={**headers, **answer.headers})


def _planned(provider: Provider, fault: Fault) -> Refused:
    name = fault.name or provider.names.get(fault.status, "internal_server_error")
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    return Refused(fault.status, name, "This answer was asked for through the control endpoint.", headers)


async def _hold(request: AnyRequest, state: State, delay_s: float, *, until_gone: bool = True) -> None:
    """Keep the caller waiting, but never the sandbox's own shutdown."""
    waits: list[asyncio.Task[bool]] = [asyncio.create_task(state.closing.wait())]
    if until_gone:
        waits.append(asyncio.create_task(_gone(request)))
    try:
        await asyncio.wait(waits, timeout=delay_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _gone(request: AnyRequest) -> bool:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return True


async def _drop(request: AnyRequest, state: State, fault: Fault | None) -> Response[bytes]:
    if fault and fault.action != "reset":
        await _hold(request, state, fault.delay_s)
    transport = state.connections.get(request.scope["client"] or ("", 0))
    if transport is not None:
        if fault and fault.action == "reset":
            _reset_on_close(transport)
        transport.abort()
        await _gone(request)
    # Goes nowhere on a dropped connection; only a test client without a socket ever sees it.
    return Response(b"", status_code=500)


def _reset_on_close(transport: asyncio.Transport) -> None:
    """Linger 0 turns the close into a TCP reset, which clients report unlike an orderly close."""
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
