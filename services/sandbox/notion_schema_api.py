"""Databases and data sources over the API: read them, make them, change their columns."""

from functools import partial
from uuid import uuid4

import msgspec

from services.sandbox.calls import Answer, Call, json_answer
from services.sandbox.notion_api import decode_body, find_database, find_source, missing, trashed
from services.sandbox.notion_columns import change_columns, parse_columns
from services.sandbox.notion_model import Database, DataSource, body_invalid, dashed, invalid, workspace
from services.sandbox.notion_objects import database_object, source_object
from services.sandbox.notion_relations import with_databases
from services.sandbox.notion_text import parse_rich_text, plain, shown
from services.sandbox.state import State

DATABASE_FIELDS = frozenset(
    {
        "parent",
        "title",
        "description",
        "is_inline",
        "initial_data_source",
        "icon",
        "cover",
    }
)


def retrieve_database(state: State, call: Call) -> Answer:
    return _database_answer(state, find_database(state, call.target))


def _database_answer(state: State, database: Database) -> Answer:
    return json_answer(200, database_object(database, state.store.notion.sources_of(database.id)))


def create_database(state: State, call: Call) -> Answer:
    body = decode_body(call, DATABASE_FIELDS)
    initial = body.get("initial_data_source", {})
    if not isinstance(initial, dict):
        body_invalid("initial_data_source", "should be an object")
    title = plain(parse_rich_text(body.get("title", []), "title"))
    database = Database(str(uuid4()), title, call.at, _parent(state, body.get("parent")))
    source = _new_source(state, database.id, title, initial.get("properties", {"Name": {"title": {}}}), call)
    state.store.notion.save(database, source)
    return _database_answer(state, database)


def _parent(state: State, value: object) -> dict[str, object]:
    """Any page id will do: the sandbox keeps no pages outside databases."""
    if isinstance(value, dict) and value.get("type") == "workspace":
        return workspace()
    if not isinstance(value, dict) or not isinstance(value.get("page_id"), str):
        body_invalid("parent.page_id", "should be defined, instead was `undefined`")
    page_id = dashed(value["page_id"])
    if page_id is None:
        body_invalid("parent.page_id", f"should be a valid uuid, instead was `{shown(value['page_id'])}`")
    if page_id in state.store.notion.databases:
        invalid(f"Provided ID {page_id} is a database, not a page. Use the retrieve database API instead.")
    if page_id in map(dashed, state.options.notion_missing_parents):
        raise missing("page", page_id)
    return {"type": "page_id", "page_id": page_id}


def update_database(state: State, call: Call) -> Answer:
    """Its title, and into the trash or out of it."""
    body = decode_body(call, frozenset({"title", "in_trash", "archived"}))
    database = find_database(state, call.target)
    title = plain(parse_rich_text(body["title"], "title")) if "title" in body else database.title
    changed = msgspec.structs.replace(database, title=title, in_trash=trashed(body, otherwise=database.in_trash))
    state.store.notion.save(changed)
    return _database_answer(state, changed)


def _new_source(state: State, database_id: str, title: str, properties: object, call: Call) -> DataSource:
    source_id = str(uuid4())
    columns = with_databases(parse_columns(source_id, properties), partial(find_source, state))
    return DataSource(source_id, database_id, title, columns, call.at, call.at)


def retrieve_source(state: State, call: Call) -> Answer:
    return _source_answer(state, find_source(state, call.target))


def _source_answer(state: State, source: DataSource) -> Answer:
    return json_answer(200, source_object(source, state.store.notion.databases[source.database_id]))


def create_source(state: State, call: Call) -> Answer:
    """From the second one on, the database's own id no longer says where a page belongs."""
    body = decode_body(call, frozenset({"parent", "properties", "title", "icon"}))
    parent = body.get("parent")
    if not isinstance(parent, dict) or not isinstance(parent.get("database_id"), str):
        body_invalid("parent.database_id", "should be defined, instead was `undefined`")
    database = find_database(state, parent["database_id"])
    title = plain(parse_rich_text(body.get("title", []), "title"))
    source = _new_source(state, database.id, title, body.get("properties"), call)
    state.store.notion.save(source)
    return _source_answer(state, source)


def update_source(state: State, call: Call) -> Answer:
    body = decode_body(call, frozenset({"title", "icon", "properties", "in_trash", "archived", "parent"}))
    source = find_source(state, call.target)
    title = plain(parse_rich_text(body["title"], "title")) if "title" in body else source.title
    columns = with_databases(change_columns(source, body.get("properties", {})), partial(find_source, state))
    changed = msgspec.structs.replace(source, title=title, columns=columns, edited_at=call.at)
    state.store.notion.save(changed)
    return _source_answer(state, changed)
