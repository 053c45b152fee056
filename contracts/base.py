"""What every fact has in common, and the types facts are made of."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

Utc = Annotated[datetime, Meta(tz=True, description="UTC")]
Score = Annotated[float, Meta(ge=0, le=100)]
Count = Annotated[int, Meta(ge=0)]
Ref = Annotated[str, Meta(description="an email id: <contact>.<campaign>.<sequence>.<instance>.<step>")]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What every fact says: whom it is about, when it happened (UTC), and in which version of its schema."""

    contact: str
    at: Utc
    v: int = 1

    @property
    def tag(self) -> str:
        """The wire tag, as in the subject: `signup_received`."""
        return str(self.__struct_config__.tag)

    @property
    def id(self) -> str:
        """What makes this fact the same fact again: one or more subject tokens."""
        raise TypeError(f"{type(self).__name__} has no identity")
