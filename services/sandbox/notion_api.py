"""The Notion API: who may call, and what each endpoint does."""

from datetime import timedelta
from functools import partial
from uuid import uuid4

import msgspec

from services.sandbox.calls import Answer, Call, Refused, json_answer
from services.sandbox.notion_blocks import parse_children
from services.sandbox.notion_filters import compile_filter
from services.sandbox.notion_model import BOT_ID, Database, DataSource, Page, body_invalid, invalid, parse_id
from services.sandbox.notion_objects import bot, page_object
from services.sandbox.notion_relations import check_related
from services.sandbox.notion_sorts import sort_pages
from services.sandbox.notion_text import shown
from services.sandbox.notion_values import Written, grown, write
from services.sandbox.shell import Provider
from services.sandbox.state import State

VERSION = "2025-09-03"
MAX_PAGE_SIZE, MAX_BODY = 100, 500 * 1024
NOT_HERE = frozenset({"markdown", "template", "position", "content"})


def refuse(error: Refused) -> Answer:
    body = {
        "object": "error",
        "status": error.status,
        "code": error.name,
        "message": error.message,
        "request_id": str(uuid4()),
    }
    return json_answer(error.status, body, error.headers)


def admit(state: State, call: Call) -> dict[str, str]:
    """Errors: Refused."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(401, "unauthorized", "API token is invalid.")
    version, wanted = (
        call.headers.get("notion-version"),
        "Notion-Version header failed validation: Notion-Version",
    )
    if version is None:
        raise Refused(400, "missing_version", f"{wanted} header should be defined, instead was `undefined`.")
    if version != VERSION:
        invalid(f'{wanted} header should be `"{VERSION}"`, instead was `"{version}"`.')
    _check_rate(state, call)
    if state.options.notion_read_only and _is_write(call):
        raise Refused(403, "restricted_resource", "Insufficient permissions for this endpoint.")
    if len(call.body) > MAX_BODY:
        invalid(f"body failed validation: body should be at most {MAX_BODY} bytes, instead was {len(call.body)}.")
    return {}


def _is_write(call: Call) -> bool:
    return call.method != "GET" and not call.path.endswith("/query")


def _check_rate(state: State, call: Call) -> None:
    options = state.options
    if options.notion_rate is None:
        return
    wait = state.notion_bucket.take(options.notion_rate, options.notion_burst, call.at)
    if wait:
        message = "You have been rate limited. Please try again in a few minutes."
        raise Refused(429, "rate_limited", message, {"retry-after": str(wait)})


NOTION = Provider(
    api="notion",
    admit=admit,
    refuse=refuse,
    names={
        400: "validation_error",
        401: "unauthorized",
        403: "restricted_resource",
        404: "object_not_found",
        409: "conflict_error",
        429: "rate_limited",
        500: "internal_server_error",
        503: "service_unavailable",
        504: "gateway_timeout",
        529: "service_overload",
    },
)


def decode_body(call: Call, allowed: frozenset[str]) -> dict[str, object]:
    try:
        body = msgspec.json.decode(call.body or b"{}")
    except msgspec.DecodeError:
        raise Refused(400, "invalid_json", "Error parsing JSON body.") from None
    if not isinstance(body, dict):
        invalid("body failed validation: body should be an object.")
    for name in sorted(body.keys() - allowed):
        body_invalid(name, f"should be not present, instead was `{shown(body[name])}`")
    return body


def missing(kind: str, object_id: str) -> Refused:
    message = (
        f"Could not find {kind} with ID: {object_id}. "
        "Make sure the relevant pages and databases are shared with your integration."
    )
    return Refused(404, "object_not_found", message)


def find_database(state: State, text: str) -> Database:
    found = state.store.notion.databases.get(database_id := parse_id(text, "database_id"))
    if found is None or found.id in state.options.notion_unshared:
        raise missing("database", database_id)
    return found


def find_source(state: State, text: str) -> DataSource:
    found = state.store.notion.sources.get(source_id := parse_id(text, "data_source_id"))
    if found is None or found.database_id in state.options.notion_unshared:
        raise missing("data source", source_id)
    return found


def find_page(state: State, text: str) -> Page:
    """A page in the trash still answers; only one that never was does not."""
    found = state.store.notion.pages.get(page_id := parse_id(text, "page_id"))
    if found is None or _source_of(state, found).database_id in state.options.notion_unshared:
        raise missing("page", page_id)
    return found


def _source_of(state: State, page: Page) -> DataSource:
    return state.store.notion.sources[page.data_source_id]


def me(_state: State, _call: Call) -> Answer:
    return json_answer(200, bot())


def retrieve_page(state: State, call: Call) -> Answer:
    return _page_answer(state, find_page(state, call.target), wanted=call.query.get("filter_properties"))


def _page_answer(state: State, page: Page, wanted: list[str] | None = None) -> Answer:
    # Read the source again: the write may just have given it an option.
    return json_answer(200, page_object(page, state.store.notion.sources[page.data_source_id], wanted))


def create_page(state: State, call: Call) -> Answer:
    body = decode_body(call, frozenset({"parent", "properties", "icon", "cover", "children", *NOT_HERE}))
    for name in sorted(NOT_HERE & body.keys()):
        invalid(f"The sandbox does not do `{name}` yet.")
    source = _parent(state, body.get("parent"))
    written = _written(state, source, body)
    page = Page(
        id=str(uuid4()),
        data_source_id=source.id,
        sequence=state.store.notion.revision + 1,
        created_at=call.at,
        edited_at=call.at,
        values=written.values,
        icon=body.get("icon"),
        cover=body.get("cover"),
    )
    children = parse_children(body.get("children", []), page.id, page.sequence, call.at)
    state.store.notion.save(page, *children, *grown(source, written))
    return _page_answer(state, page)


def _written(state: State, source: DataSource, body: dict[str, object]) -> Written:
    if state.store.notion.databases[source.database_id].in_trash:
        message = "Can't edit page on block with an archived ancestor. "
        invalid(f"{message}You must unarchive the ancestor before editing page.")
    written = write(source, body.get("properties", {}))
    check_related(written.columns, written.values, partial(find_page, state))
    return written


def _parent(state: State, parent: object) -> DataSource:
    """A database id does as long as there is only one source to mean."""
    if not isinstance(parent, dict):
        body_invalid("parent", "should be defined, instead was `undefined`")
    if isinstance(parent.get("data_source_id"), str):
        return find_source(state, parent["data_source_id"])
    if not isinstance(parent.get("database_id"), str):
        body_invalid("parent.data_source_id", "should be defined, instead was `undefined`")
    sources = state.store.notion.sources_of(find_database(state, parent["database_id"]).id)
    if len(sources) > 1:
        invalid("Databases with multiple data sources are not supported in this API version.")
    return sources[0]


def update_page(state: State, call: Call) -> Answer:
    body = decode_body(call, frozenset({"properties", "archived", "in_trash", "icon", "cover", "is_locked"}))
    page = find_page(state, call.target)
    source = state.store.notion.sources[page.data_source_id]
    trash = trashed(body, otherwise=page.in_trash)
    if page.in_trash and trash and body.get("properties"):
        invalid("Can't edit block that is archived. You must unarchive the block before editing.")
    written = _written(state, source, body)
    page = msgspec.structs.replace(
        page,
        values={**page.values, **written.values},
        in_trash=trash,
        edited_at=call.at,
        edited_by=BOT_ID,
        icon=body.get("icon", page.icon),
        cover=body.get("cover", page.cover),
    )
    state.store.notion.save(page, *grown(source, written))
    return _page_answer(state, page)


def trashed(body: dict[str, object], *, otherwise: bool) -> bool:
    for name in ("in_trash", "archived"):
        value = body.get(name, otherwise)
        if not isinstance(value, bool):
            body_invalid(name, f"should be a boolean, instead was `{shown(value)}`")
        if name in body:
            return value
    return otherwise


QUERY_FIELDS = frozenset({"filter", "sorts", "start_cursor", "page_size", "archived", "in_trash", "result_type"})


CUT = {"type": "incomplete", "incomplete_reason": "query_result_limit_reached"}


def query(state: State, call: Call) -> Answer:
    """Newly created pages may stay out of sight for `notion_query_lag_s`, as in the real one."""
    body = decode_body(call, QUERY_FIELDS)
    source = find_source(state, call.target)
    matches = compile_filter(source, body["filter"]) if body.get("filter") is not None else lambda _: True
    in_trash, size = trashed(body, otherwise=False), page_size(body.get("page_size", MAX_PAGE_SIZE))
    lag = timedelta(seconds=state.options.notion_query_lag_s)
    found = [
        page
        for page in state.store.notion.pages_of(source.id)
        if page.in_trash == in_trash and page.created_at <= call.at - lag and matches(page)
    ]
    every = sort_pages(source, found, body.get("sorts", []))
    ordered = every[: state.options.notion_query_limit]
    start = start_of([page.id for page in ordered], body.get("start_cursor"))
    results = _result_page(source, ordered, start, size, call.query.get("filter_properties"))
    return json_answer(200, results | ({"request_status": CUT} if len(ordered) < len(every) else {}))


def page_size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        body_invalid("page_size", f"should be a positive number, instead was `{shown(value)}`")
    if value > MAX_PAGE_SIZE:
        body_invalid("page_size", f"should be ≤ `{MAX_PAGE_SIZE}`, instead was `{value}`")
    return value


def start_of(ids: list[str], cursor: object) -> int:
    """A cursor is the id of the next one."""
    if cursor is None:
        return 0
    if cursor not in ids:
        invalid(f"The start_cursor provided is invalid: {cursor}")
    return ids.index(str(cursor))


def _result_page(
    source: DataSource, pages: list[Page], start: int, size: int, wanted: list[str] | None
) -> dict[str, object]:
    end = start + size
    return {
        "object": "list",
        "results": [page_object(page, source, wanted) for page in pages[start:end]],
        "next_cursor": pages[end].id if end < len(pages) else None,
        "has_more": end < len(pages),
        "type": "page_or_data_source",
        "page_or_data_source": {},
        "request_id": str(uuid4()),
    }
