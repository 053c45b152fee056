"""Posting to the chat: one message at a time, no faster than it takes them, and never in a storm."""

import asyncio
import time

import httpx
import structlog

from services.notifier.answer import CLOSED_S, Closed, Doubt, NotNow, Outcome, Posted, Unfit, backoff_s, judge
from services.notifier.message import Message, body
from services.notifier.target import Target

log = structlog.get_logger(__name__)

TIMEOUT_S = 10.0
GAP_S = 1.0
"""Slack takes one message a second, Discord five in two."""

NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Poster:
    """Errors never leave as exceptions: every way a post can end is an Outcome."""

    def __init__(self, target: Target, *, gap_s: float = GAP_S, timeout_s: float = TIMEOUT_S) -> None:
        self._target = target
        self._client = httpx.AsyncClient(timeout=timeout_s)
        self._turn = asyncio.Lock()
        self._gap_s = gap_s
        self._failures = 0
        self._open_at = self._next_at = 0.0
        self._shut: NotNow | Closed | None = None

    def shut(self) -> NotNow | Closed | None:
        """Why nothing would be posted at this moment, without trying."""
        left = self._open_at - time.monotonic()
        if self._shut is None or left <= 0:
            return None
        return NotNow(left, self._shut.reason) if isinstance(self._shut, NotNow) else self._shut

    async def post(self, message: Message) -> Outcome:
        """One post, in its turn. The gap comes before it: how it ended has to be noted at once."""
        async with self._turn:
            if shut := self.shut():
                return shut
            await asyncio.sleep(self._next_at - time.monotonic())
            outcome = await self._ask(message)
            self._next_at = time.monotonic() + self._gap_s
            self._learn(outcome)
            return outcome

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, message: Message) -> Outcome:
        try:
            answer = await self._client.post(self._target.url, json=body(message, self._target.kind))
        except NOT_REACHED as error:
            return NotNow(backoff_s(self._failures), f"not reached: {type(error).__name__}")
        except httpx.HTTPError as error:
            return Doubt(f"no answer: {type(error).__name__}")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return judge(answer.status_code, headers, answer.content, failures=self._failures)

    def _learn(self, outcome: Outcome) -> None:
        """How long nobody knocks, said once when it begins and once when it is over."""
        was = self._shut
        match outcome:
            case Posted() | Unfit():
                self._shut, self._failures, wait_s = None, 0, 0.0
            case NotNow(after_s=wait_s):
                self._shut, self._failures = outcome, self._failures + 1
            case Doubt(reason=reason):
                wait_s = backoff_s(self._failures)
                self._shut, self._failures = NotNow(wait_s, reason), self._failures + 1
            case Closed():
                self._shut, wait_s = outcome, CLOSED_S
        self._open_at = time.monotonic() + wait_s
        self._tell(was, self._shut)

    def _tell(self, was: NotNow | Closed | None, now: NotNow | Closed | None) -> None:
        about = {"where": str(self._target)}
        if isinstance(now, Closed) and not isinstance(was, Closed):
            hint = "the webhook was deleted or its address is wrong: set NOTIFY_WEBHOOK_URL, start the notifier again"
            log.error("webhook_closed", reason=now.reason, hint=hint, **about)
        elif now and not was:
            log.warning("webhook_unavailable", reason=now.reason, **about)
        elif was and not now:
            log.info("webhook_answers_again", **about)
