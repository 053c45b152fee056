"""What can be tuned, at start and at run time through `POST /_control/options`."""

from typing import Annotated

import msgspec

Rate = Annotated[float, msgspec.Meta(gt=0)]


class SandboxOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rates are calls a second; None switches a limit off.

    Resend refuses the call that would make more than `resend_rate` in any second. Notion is a bucket of
    `notion_burst` calls refilled at `notion_rate` a second: "three a second on average, with bursts". A query gives no
    more than `notion_query_limit` rows, however many match. For the databases
    whose ids are in `notion_unshared`, everything in them included, it answers as if they were not there, and so it
    does for the parent pages in `notion_missing_parents`. With `notion_read_only` its token may read and not write.
    Each webhook of a chat has a bucket of its own: Discord takes five posts in two seconds, Slack one a second.
    """

    resend_rate: Rate | None = 10
    notion_rate: Rate | None = 3
    notion_burst: Annotated[int, msgspec.Meta(ge=1)] = 30
    notion_query_limit: Annotated[int, msgspec.Meta(ge=1)] | None = 10_000
    notion_query_lag_s: Annotated[float, msgspec.Meta(ge=0)] = 0
    notion_unshared: tuple[str, ...] = ()
    notion_missing_parents: tuple[str, ...] = ()
    notion_read_only: bool = False
    discord_rate: Rate | None = 2.5
    slack_rate: Rate | None = 1


UNLIMITED = SandboxOptions(resend_rate=None, notion_rate=None, discord_rate=None, slack_rate=None)


def changed(options: SandboxOptions, body: bytes) -> SandboxOptions:
    """The options with the fields of a JSON object put over them.

    Errors: msgspec.ValidationError names the field, msgspec.DecodeError is no JSON.
    """
    fields = msgspec.json.decode(body, type=dict[str, object])
    return msgspec.convert({**msgspec.structs.asdict(options), **fields}, SandboxOptions)
