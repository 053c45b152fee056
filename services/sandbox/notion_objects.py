"""Pages, databases, data sources and blocks in the shapes the Notion API gives them."""

from datetime import datetime

from services.sandbox.notion_model import (
    BOT_ID,
    COLOURS,
    WITH_OPTIONS,
    Block,
    Column,
    Database,
    DataSource,
    Page,
    to_the_minute,
)
from services.sandbox.notion_text import text_object
from services.sandbox.notion_values import plain_value, read


def user(user_id: str) -> dict[str, object]:
    return {"object": "user", "id": user_id}


def bot() -> dict[str, object]:
    owner = {"type": "workspace", "workspace": True}
    return {
        "object": "user",
        "id": BOT_ID,
        "name": "Dripstream sandbox",
        "avatar_url": None,
        "type": "bot",
        "bot": {"owner": owner, "workspace_name": "Sandbox"},
    }


def stamp(at: datetime) -> str:
    return to_the_minute(at).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def page_object(page: Page, source: DataSource, wanted: list[str] | None = None) -> dict[str, object]:
    title = str(plain_value(source.title_column, page.values.get("title")) or "")
    columns = [each for each in source.columns if not wanted or each.id in wanted or each.name in wanted]
    return {
        "object": "page",
        "id": page.id,
        **_times(page.created_at, page.edited_at, page.created_by, page.edited_by),
        "cover": page.cover,
        "icon": page.icon,
        "parent": {
            "type": "data_source_id",
            "data_source_id": source.id,
            "database_id": source.database_id,
        },
        "archived": page.in_trash,
        "in_trash": page.in_trash,
        "is_locked": False,
        "properties": {each.name: read(each, cell(each, page)) for each in columns},
        "url": _url(title, page.id),
        "public_url": None,
    }


def cell(column: Column, page: Page) -> object:
    if column.type in {"created_time", "last_edited_time"}:
        return stamp(page.created_at if column.type == "created_time" else page.edited_at)
    if column.type in {"created_by", "last_edited_by"}:
        return user(page.created_by if column.type == "created_by" else page.edited_by)
    return page.values.get(column.id)


def _times(created: datetime, edited: datetime, created_by: str = BOT_ID, edited_by: str = BOT_ID) -> dict[str, object]:
    return {
        "created_time": stamp(created),
        "last_edited_time": stamp(edited),
        "created_by": user(created_by),
        "last_edited_by": user(edited_by),
    }


def _url(title: str, object_id: str) -> str:
    slug = "-".join("".join(each if each.isascii() and each.isalnum() else " " for each in title).split())
    return f"https://www.notion.so/{slug + '-' if slug else ''}{object_id.replace('-', '')}"


def database_object(database: Database, sources: list[DataSource]) -> dict[str, object]:
    """The columns are on the data sources, not here."""
    return {
        "object": "database",
        "id": database.id,
        "title": [text_object(database.title)],
        "description": [],
        "parent": database.parent,
        "is_inline": False,
        "archived": database.in_trash,
        "in_trash": database.in_trash,
        "is_locked": False,
        **_times(database.created_at, database.created_at),
        "data_sources": [{"id": each.id, "name": each.title} for each in sources],
        "icon": None,
        "cover": None,
        "url": _url("", database.id),
        "public_url": None,
    }


def source_object(source: DataSource, database: Database) -> dict[str, object]:
    return {
        "object": "data_source",
        "id": source.id,
        **_times(source.created_at, source.edited_at),
        "properties": {each.name: column_object(each) for each in source.columns},
        "parent": {"type": "database_id", "database_id": source.database_id},
        "database_parent": database.parent,
        "archived": database.in_trash,
        "in_trash": database.in_trash,
        "is_inline": False,
        "icon": None,
        "cover": None,
        "url": _url("", source.id),
        "public_url": None,
        "title": [text_object(source.title)],
        "description": [],
    }


def column_object(column: Column) -> dict[str, object]:
    return {
        "id": column.id,
        "name": column.name,
        "description": None,
        "type": column.type,
        column.type: _config(column),
    }


def _config(column: Column) -> dict[str, object]:
    if column.type not in WITH_OPTIONS:
        return {"format": "number"} | column.config if column.type == "number" else column.config
    options: dict[str, object] = {
        "options": [
            {"id": each.id, "name": each.name, "color": each.color, "description": None} for each in column.options
        ]
    }
    if column.type == "status":
        ids = [each.id for each in column.options]
        options["groups"] = [{"id": "all", "name": "To-do", "color": COLOURS[0], "option_ids": ids}]
    return options


def block_object(block: Block) -> dict[str, object]:
    return {
        "object": "block",
        "id": block.id,
        "parent": {"type": "page_id", "page_id": block.parent_id},
        **_times(block.created_at, block.created_at),
        "has_children": False,
        "archived": False,
        "in_trash": False,
        "type": block.type,
        block.type: block.content,
    }


def child_database_object(database: Database) -> dict[str, object]:
    """A database as its parent page lists it."""
    return {
        "object": "block",
        "id": database.id,
        "parent": database.parent,
        **_times(database.created_at, database.created_at),
        "has_children": False,
        "archived": False,
        "in_trash": False,
        "type": "child_database",
        "child_database": {"title": database.title},
    }
