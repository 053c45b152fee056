"""A domain that mail is sent from, as the account at the stand-in for Resend knows it."""

from typing import Literal
from uuid import UUID, uuid5

import msgspec

NAMES = UUID("6f0f4f6e-3f0a-4c53-9a51-3f2c1e0c7a10")

Status = Literal["pending", "verified", "failed", "not_started", "partially_verified", "partially_failed"]
RecordStatus = Literal["pending", "verified", "failed", "temporary_failure", "not_started"]


class Domain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One domain; `spf` and `dkim` say how its records stand, where that differs from the whole."""

    name: str
    status: Status = "verified"
    spf: RecordStatus | None = None
    dkim: RecordStatus | None = None
    sending: Literal["enabled", "disabled"] = "enabled"
    open_tracking: bool = True
    click_tracking: bool = True
    tracking_subdomain: str | None = None

    @property
    def id(self) -> str:
        return str(uuid5(NAMES, self.name))


SEEDED = (Domain("mail.example.com"), Domain("example.com"))
