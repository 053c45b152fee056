"""A signup of the CRITICAL segment is posted: at least once, and hardly ever twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from contracts.codec import decode_fact
from contracts.facts import AnyFact, SignupReceived
from contracts.subjects import fact_name
from eventlog import topology
from eventlog.bucket import Bucket
from eventlog.notices import KEPT_S, Notice, begun, signup_key
from eventlog.outcomes import Done, Item, Outcome, Park, Pause, Retry, Work
from eventlog.pages import Page, contact_key, sequence_key
from journey.model import Campaign
from services.notifier.answer import CLOSED_S, Closed, Doubt, NotNow, Posted, Unfit
from services.notifier.answer import Outcome as Answer
from services.notifier.message import Message
from services.notifier.signups import NEWS, Details, link_to, notice

OURS = "the chat's webhook is closed"
"""How the reason of our own pause begins: a notifier that starts with another address lifts it."""

LINK_WAIT = timedelta(seconds=20)
"""How long a notice waits for the person's page in Notion, which is made at the same time."""

UNKNOWN_CAMPAIGN_S, SOON_S = 300.0, 5.0


class Posts(Protocol):
    def shut(self) -> NotNow | Closed | None: ...

    async def post(self, message: Message, /) -> Answer: ...


@dataclass(frozen=True)
class Shell:
    """What the handler works with. `pages` None: there is no Notion to link to."""

    notices: Bucket[Notice]
    poster: Posts
    campaigns: Mapping[str, Campaign]
    clock: Callable[[], datetime]
    segment: str = "CRITICAL"
    details: Details = "names"
    pages: Bucket[Page] | None = None


async def tell_signup(items: Sequence[Item[AnyFact]], shell: Shell) -> Outcome:
    """Post one signup if people should hear of it now.

    Shape:  SignupReceived → at most one post; its notice in bucket `alerts`, before and after.
    Errors: Unavailable.
    """
    fact, now = items[-1].value, shell.clock()
    if not isinstance(fact, SignupReceived):
        return Done("no signup", label="not_news")
    if now - fact.at > NEWS:
        return Done("no news any more", label="not_news")
    campaign = shell.campaigns.get(fact.campaign)
    if campaign is None:
        return Retry(UNKNOWN_CAMPAIGN_S, f"unknown campaign {fact.campaign}", label="unknown_campaign")
    message = notice(fact, campaign, segment=shell.segment, details=shell.details, link=await _link(fact, shell))
    if message is None:
        return Done("another segment", label="not_news")
    if message.link is None and shell.pages is not None and now - fact.at < LINK_WAIT:
        return Retry(SOON_S, "its page in Notion is not there yet", label="no_page_yet")
    return await _once(signup_key(fact_name(fact)), message, shell)


async def _once(key: str, message: Message, shell: Shell) -> Outcome:
    if shut := shell.poster.shut():
        return _later(shut)
    entry, now = await shell.notices.get(key), shell.clock()
    known = entry.value if entry else Notice()
    if known.told:
        return Done("told before", label="told_before")
    if known.attempt and now < known.attempt.until():
        wait_s = (known.attempt.until() - now).total_seconds()
        return Retry(wait_s, "it may have been posted just now", label="in_doubt")
    claim = Notice(attempt=begun(known.attempt, now))
    revision = await shell.notices.put(key, claim, over=entry.revision if entry else 0, ttl_s=KEPT_S)
    if revision is None:
        return Retry(SOON_S, "another notifier is at it", label="contended")
    answer = await shell.poster.post(message)
    if not isinstance(answer, Doubt):
        after = Notice(told=True) if isinstance(answer, Posted | Unfit) else Notice()
        await shell.notices.put(key, after, over=revision, ttl_s=KEPT_S)
    return _outcome(answer, claim, now)


def _outcome(answer: Answer, claim: Notice, now: datetime) -> Outcome:
    match answer:
        case Posted():
            return Done("posted", label="posted")
        case Unfit(reason):
            return Park("the chat does not take the message", reason, label="refused_by_chat")
        case Doubt(reason):
            wait = claim.attempt.until() - now if claim.attempt else timedelta(0)
            return Retry(wait.total_seconds(), reason, label="in_doubt")
        case _:
            return _later(answer)


def _later(shut: NotNow | Closed) -> Outcome:
    if isinstance(shut, Closed):
        return Pause(CLOSED_S, f"{OURS} ({shut.reason})", label="chat_closed")
    return Retry(shut.after_s, shut.reason, label="chat_not_now")


async def _link(fact: SignupReceived, shell: Shell) -> str | None:
    if shell.pages is None:
        return None
    for key in (contact_key(fact.contact), sequence_key(fact.contact, fact.campaign)):
        entry = await shell.pages.get(key)
        if entry and entry.value.page_id:
            return link_to(entry.value.page_id)
    return None


def work(shell: Shell) -> Work[AnyFact]:
    """One signup at a time, in their order."""

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        return await tell_signup(items, shell)

    return Work(topology.NOTIFIER, decode_fact, lambda item: item.subject, handle, slots=1, in_hand=64)
