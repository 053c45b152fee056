"""The children of a page over the API: its blocks, and the databases that stand on it."""

from uuid import uuid4

from services.sandbox.calls import Answer, Call, json_answer
from services.sandbox.notion_api import MAX_PAGE_SIZE, decode_body, find_page, missing, page_size, start_of
from services.sandbox.notion_blocks import parse_children
from services.sandbox.notion_model import dashed, parse_id
from services.sandbox.notion_objects import block_object, child_database_object
from services.sandbox.state import State

Child = dict[str, object]


def list_children(state: State, call: Call) -> Answer:
    """Of a row or of any page that holds databases: the sandbox keeps no other pages, and takes any id for one."""
    parent_id = parse_id(call.target, "block_id")
    if parent_id in state.store.notion.pages:
        find_page(state, parent_id)
    elif parent_id in map(dashed, state.options.notion_missing_parents):
        raise missing("block", parent_id)
    children = [*_blocks(state, parent_id), *_databases(state, parent_id)]
    start = start_of([str(each["id"]) for each in children], call.first("start_cursor"))
    return json_answer(200, _page_of(children, start, page_size(_number(call.first("page_size")))))


def _blocks(state: State, parent_id: str) -> list[Child]:
    return [block_object(each) for each in state.store.notion.children_of(parent_id)]


def _databases(state: State, parent_id: str) -> list[Child]:
    return [
        child_database_object(each)
        for each in state.store.notion.databases.values()
        if dashed(each.parent_page) == parent_id and not each.in_trash and each.id not in state.options.notion_unshared
    ]


def _number(text: str | None) -> object:
    return MAX_PAGE_SIZE if text is None else int(text) if text.isascii() and text.isdecimal() else text


def append_children(state: State, call: Call) -> Answer:
    body = decode_body(call, frozenset({"children", "after", "position"}))
    page = find_page(state, call.target)
    blocks = parse_children(body.get("children"), page.id, state.store.notion.revision + 1, call.at)
    state.store.notion.save(*blocks)
    return json_answer(200, _page_of([block_object(each) for each in blocks], 0, MAX_PAGE_SIZE))


def _page_of(children: list[Child], start: int, size: int) -> dict[str, object]:
    end = start + size
    return {
        "object": "list",
        "results": children[start:end],
        "next_cursor": children[end]["id"] if end < len(children) else None,
        "has_more": end < len(children),
        "type": "block",
        "block": {},
        "request_id": str(uuid4()),
    }
