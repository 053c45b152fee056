"""A notice, and how Discord and Slack want it written. Pure.

Whatever a person may have typed is in a value, and values are data: one line, of bounded length, escaped, no mention
of anybody, no link to follow.
"""

import re
import unicodedata
from collections.abc import Callable

import msgspec

from services.notifier.target import Kind

VALUE_LIMIT = 300
LIMITS: dict[Kind, int] = {"discord": 2_000, "slack": 3_000}
"""Discord refuses longer content. Slack would take 40,000 characters and asks for 4,000 at most."""

NO_EMBEDS = 1 << 2
"""Discord's flag: nothing that is linked is fetched and shown."""

MENTIONS = re.compile(r"@(?=everyone|here|channel|all|group)", re.IGNORECASE)
NOTHING = "\u200b"
"""Between the @ and the word: Discord's /slack form and chats that imitate Slack would read a mention there."""


class Message(msgspec.Struct, frozen=True):
    """A line in bold, lines of a label and a value, and a link of our own making."""

    title: str
    lines: tuple[tuple[str, str], ...] = ()
    link: str | None = None


def body(message: Message, kind: Kind) -> dict[str, object]:
    """The JSON to post."""
    if kind == "discord":
        content = _written(message, "**", _escape_discord, LIMITS[kind])
        return {"content": content, "allowed_mentions": {"parse": []}, "flags": NO_EMBEDS}
    text = _written(message, "*", _escape_slack, LIMITS[kind])
    return {"text": text, "unfurl_links": False, "unfurl_media": False}


def _written(message: Message, bold: str, escape: Callable[[str], str], limit: int) -> str:
    lines = [f"{bold}{escape(plain(message.title))}{bold}"]
    lines += [f"{label}: {escape(plain(value))}" for label, value in message.lines]
    lines += [f"<{message.link}>"] if message.link else []
    kept = ""
    for line in lines:
        if _length(f"{kept}{line}\n…") > limit:  # whole lines, so that no escape is cut in two
            return f"{kept}…"
        kept += f"{line}\n"
    return kept.rstrip("\n")


def plain(text: str) -> str:
    """One visible line, cut, in which nothing is a link."""
    visible = "".join(" " if unicodedata.category(each).startswith("C") else each for each in text[: 4 * VALUE_LIMIT])
    line = " ".join(visible.split())
    line = line if len(line) <= VALUE_LIMIT else f"{line[: VALUE_LIMIT - 1]}…"
    return MENTIONS.sub(f"@{NOTHING}", line.replace("://", ": //").replace("`", "'"))


def _escape_discord(text: str) -> str:
    return re.sub(r"([\\*_~|<>\[\]()#])", r"\\\1", text)


def _escape_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _length(text: str) -> int:
    """In UTF-16 units, which is what the stricter of them counts."""
    return len(text.encode("utf-16-le")) // 2
