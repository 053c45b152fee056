"""What the broker knows of a stream without reading a message: how far it goes, and which subjects it holds."""

import msgspec

from eventlog.connection import Broker, Unavailable

PAGE = 100_000
"""How many subjects the server lists at once."""

BEYOND = 1_000_000_000
"""An offset behind every subject: the answer then has their number and none of their names."""


class _State(msgspec.Struct):
    last_seq: int = 0
    messages: int = 0
    num_subjects: int = 0
    subjects: dict[str, int] | None = None


class _Error(msgspec.Struct):
    description: str = ""


class Info(msgspec.Struct):
    """`created` tells a stream from one of the same name made before or after it."""

    created: str = ""
    state: _State = msgspec.field(default_factory=_State)
    total: int = 0
    error: _Error | None = None


async def info(broker: Broker, stream: str, *, wanted: str | None = None, offset: int = 0) -> Info:
    """With the subjects that match `wanted`, a page from `offset` on. Errors: Unavailable."""
    request = {"subjects_filter": wanted, "offset": offset} if wanted else {}
    found = msgspec.json.decode(await broker.request(f"STREAM.INFO.{stream}", msgspec.json.encode(request)), type=Info)
    if found.error:
        raise Unavailable(f"cannot read {stream}: {found.error.description}")
    return found


async def count(broker: Broker, stream: str, wanted: str) -> int:
    """How many subjects match. Errors: Unavailable."""
    return (await info(broker, stream, wanted=wanted, offset=BEYOND)).total


async def subjects_in(broker: Broker, stream: str, wanted: str) -> list[str]:
    """Every subject that matches. Errors: Unavailable."""
    found: list[str] = []
    while True:
        page = await info(broker, stream, wanted=wanted, offset=len(found))
        names = page.state.subjects or {}
        found += names
        if len(names) < PAGE or len(found) >= page.total:
            return found
