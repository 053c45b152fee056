"""The little of blocks that is here: append and list children of a page, text checked."""

from datetime import datetime
from uuid import uuid4

from services.sandbox.notion_model import Block, body_invalid
from services.sandbox.notion_text import parse_rich_text, shown, too_long

MAX_CHILDREN = 100
WITH_TEXT = frozenset(
    [
        "paragraph",
        "heading_1",
        "heading_2",
        "heading_3",
        "heading_4",
        "bulleted_list_item",
        "numbered_list_item",
        "quote",
        "to_do",
        "toggle",
        "callout",
        "code",
    ]
)
TYPES = WITH_TEXT | {"divider", "bookmark", "embed", "image", "table_of_contents"}


def parse_children(value: object, parent_id: str, sequence: int, at: datetime) -> list[Block]:
    """Errors: Refused, 400 validation_error; all of them or none."""
    if not isinstance(value, list):
        body_invalid("children", f"should be an array, instead was `{shown(value)}`")
    too_long("children", len(value), MAX_CHILDREN)
    made = []
    for index, raw in enumerate(value):
        kind, content = _parse_block(raw, f"children[{index}]")
        made.append(Block(str(uuid4()), parent_id, sequence * 1000 + index, at, kind, content))
    return made


def _parse_block(raw: object, path: str) -> tuple[str, dict[str, object]]:
    kinds = sorted(raw.keys() & TYPES) if isinstance(raw, dict) else []
    if not isinstance(raw, dict) or len(kinds) != 1 or raw.get("type", kinds[0]) != kinds[0]:
        body_invalid(f"{path}.type", "should be one known block type with its content")
    content = raw[kinds[0]]
    if not isinstance(content, dict):
        body_invalid(f"{path}.{kinds[0]}", f"should be an object, instead was `{shown(content)}`")
    if kinds[0] not in WITH_TEXT:
        return kinds[0], content
    text = parse_rich_text(content.get("rich_text"), f"{path}.{kinds[0]}.rich_text")
    return kinds[0], {"color": "default", **content, "rich_text": text}
