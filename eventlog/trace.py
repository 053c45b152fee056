"""Which webhook something goes back to: a W3C trace context in the headers of every message we store.

There is one whether or not anybody records traces, since every line of the log names it. Recording is an extra
(services/tracing.py), which puts a recorder in place; without one a span is nothing.
"""

import contextlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Literal, NamedTuple, Protocol

TRACEPARENT = "traceparent"
SAMPLED = 1

Kind = Literal["server", "producer", "consumer", "client"]

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Trace(NamedTuple):
    """A place in a trace: what is begun here is part of `trace_id`, below `span_id`."""

    trace_id: str
    span_id: str
    flags: int = SAMPLED

    @property
    def header(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


class Recorder(Protocol):
    """What keeps spans. `span` begins one below `parent`, and says where what is done in it belongs."""

    def span(
        self, name: str, kind: Kind, parent: Trace | None, links: Sequence[Trace], attributes: Mapping[str, str | int]
    ) -> contextlib.AbstractContextManager[Trace]: ...


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)
_recorders: list[Recorder] = []
"""Of the process, and not of a context: a web server begins its requests in contexts of its own."""

_NOTHING: contextlib.AbstractContextManager[None] = contextlib.nullcontext()


def parse(header: str | None) -> Trace | None:
    """None for what is no trace context: it is made by strangers. A later version may say more behind the flags."""
    found = _FORM.fullmatch(header) if header and len(header) <= 512 else None
    if found is None or (found[4] and header and header.startswith("00")):
        return None
    return Trace(found[1], found[2], int(found[3], 16))


def fresh() -> Trace:
    drawn = secrets.token_hex(24)
    return Trace(drawn[:32], drawn[32:])


def carried(headers: Mapping[str, str] | None) -> Trace:
    """What a message belongs to; a trace of its own where it does not say: it is from before there were any."""
    return parse((headers or {}).get(TRACEPARENT)) or fresh()


def current() -> Trace | None:
    return _current.get()


def injected(headers: Mapping[str, str] | None) -> dict[str, str]:
    """The headers of a message that is about to be stored. What nothing led to begins a trace."""
    return {**(headers or {}), TRACEPARENT: (_current.get() or fresh()).header}


@contextlib.contextmanager
def within(trace: Trace) -> Iterator[None]:
    """What is done in the block belongs there."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Keep the spans of everything this process does during the block."""
    _recorders.append(recorder)
    try:
        yield
    finally:
        _recorders.remove(recorder)


def span(
    name: str, kind: Kind, *, links: Sequence[Trace] = (), **attributes: str | int
) -> contextlib.AbstractContextManager[None]:
    """A piece of work worth a line in a trace; free where nobody records."""
    return _recorded(_recorders[-1], name, kind, links, attributes) if _recorders else _NOTHING


@contextlib.contextmanager
def _recorded(
    recorder: Recorder, name: str, kind: Kind, links: Sequence[Trace], attributes: Mapping[str, str | int]
) -> Iterator[None]:
    with recorder.span(name, kind, _current.get(), links, attributes) as here, within(here):
        yield
