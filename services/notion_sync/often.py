"""Looking again and again, beside the work."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from eventlog.connection import Unavailable
from services.notion_sync.answers import Refusal

log = structlog.get_logger(__name__)


async def often(look: Callable[[], Awaitable[object]], *, what: str, every_s: float) -> None:
    """Until cancelled. Whatever goes wrong, the next look is not far."""
    while not _is_cancelled():
        try:
            await look()
        except (Refusal, Unavailable) as error:
            log.warning("look_postponed", what=what, reason=str(error))
        except Exception as error:  # noqa: BLE001 - a bug we have not met; its message may quote a person
            log.error("look_failed", what=what, error=type(error).__name__)  # noqa: TRY400
        if not _is_cancelled():
            await asyncio.sleep(every_s)


def _is_cancelled() -> bool:
    """`asyncio.wait_for` of Python 3.11, which both clients use, loses a cancellation that meets its answer."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
