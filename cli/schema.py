"""docs/events.md, written from the contracts."""

import msgspec

from contracts.codec import schema
from contracts.facts import FACTS
from contracts.messages import EmailDue

INTRO = """# Events

Written by `dripstream schema --write docs/events.md` from `contracts/`; a test keeps it current.

A fact is stored once, for ever, on the subject `events.<contact>.<type>.<fact id>`; the subject is its identity.
Fields are only added, with defaults. `v` is the version of the fact's schema.
"""


def lines() -> str:
    """For programs."""
    documents = ({"type": tag, "schema": each} for tag, each in schema().items())
    return "".join(msgspec.json.encode(each).decode() + "\n" for each in documents)


def page() -> str:
    """Every fact and message: what it says, how it is identified, and its JSON Schema."""
    schemas = schema()
    sections = [INTRO]
    kinds: tuple[type[msgspec.Struct], ...] = (*FACTS, EmailDue)
    for kind in kinds:
        tag = str(kind.__struct_config__.tag)
        about = "\n".join(line.strip() for line in (kind.__doc__ or "").strip().splitlines())
        body = msgspec.json.format(msgspec.json.encode(schemas[tag]), indent=2).decode()
        sections.append(f"## `{tag}`\n\n{about}\n\n```json\n{body}\n```\n")
    return "\n".join(sections)
