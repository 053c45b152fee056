"""Ids: what makes a person, an email and a fact the same one again.

An id is derived, never drawn: the same input gives the same id on every machine, for ever. That is what lets a
webhook, a redelivery or a replay arrive any number of times and count once.
"""

import hashlib
import re
from base64 import b32encode
from typing import NamedTuple, Self

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""One subject token: what a campaign, sequence, instance or step may be called."""


class BadId(ValueError):
    """A text that is not the id it should be."""


def digest(text: str) -> str:
    """16 characters (80 bits) of SHA-256, lower-case base32: enough to tell the facts of one contact apart."""
    return b32encode(hashlib.sha256(text.encode()).digest()[:10]).decode().lower()


def contact_id(email: str) -> str:
    """The stable, subject-safe id of the person behind an address: `c` and 26 characters (130 bits).

    The address is compared without case and surrounding space; plus-tags and dots are kept, as some providers
    deliver them to different people. Lower case and not `casefold`, which makes ß and ss the same mailbox.
    """
    name = email.strip().lower()
    return "c" + b32encode(hashlib.sha256(name.encode()).digest()[:17]).decode().lower()[:26]


def token(text: str) -> str:
    """`text` itself if it is one subject token. Errors: BadId."""
    if not TOKEN.fullmatch(text):
        raise BadId(f"{text[:80]!r} is not a name of letters, digits, '-' and '_', at most 64 long")
    return text


class EmailId(NamedTuple):
    """`<contact>.<campaign>.<sequence>.<instance>.<step>`: one planned email, under one name everywhere.

    It is the fact id of EmailSent, the idempotency key at the provider, the key of the send claim and the tail of
    the timer's subject.
    """

    contact: str
    campaign: str
    sequence: str
    instance: str
    step: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Errors: BadId."""
        parts = text.split(".")
        if len(parts) != len(cls._fields):
            raise BadId(f"{text[:200]!r} is not an email id: it has {len(parts)} tokens, not {len(cls._fields)}")
        return cls(*map(token, parts))

    def __str__(self) -> str:
        return ".".join(self)
