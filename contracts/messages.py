"""Messages: requests to do something, as opposed to facts."""

import msgspec

from contracts.base import Ref, Utc


class EmailDue(msgspec.Struct, frozen=True, kw_only=True, tag="email_due"):
    """A timer fired: look at this email now. A wake-up, not a decision; it may come twice, late or for nothing."""

    email_id: Ref
    due: Utc
    v: int = 1


class Parked(msgspec.Struct, frozen=True, kw_only=True, tag="parked"):
    """A message no code could handle, kept with the reason for a person to look at."""

    consumer: str
    subject: str
    sequence: int
    reason: str
    detail: str = ""
    payload: str = ""
    at: Utc
    v: int = 1
