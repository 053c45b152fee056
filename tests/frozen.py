"""Processes that hang: they keep their connections and say nothing."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from eventlog.server import NatsServer
from tests.waiting import eventually


@asynccontextmanager
async def frozen(nats: NatsServer) -> AsyncIterator[None]:
    """It takes what is sent, and answers when it is thawed."""
    assert nats.pid
    async with frozen_processes(nats.pid):
        yield


@asynccontextmanager
async def frozen_processes(*pids: int) -> AsyncIterator[None]:
    """Thawed at the end, whatever happens, and the first of them last."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            await eventually(lambda pid=pid: _is_stopped(pid))  # type: ignore[misc]
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


async def _is_stopped(pid: int) -> bool:
    """Every thread of it: the signal reaches one after the other."""
    return {_state(thread.id) for thread in psutil.Process(pid).threads()} == {psutil.STATUS_STOPPED}


def _state(thread: int) -> str:
    return str(psutil.Process(thread).status())
