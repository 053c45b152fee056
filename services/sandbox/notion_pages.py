"""The Notion part of the sandbox's page: look at every table, and edit as a person would.

Plain forms that work without scripts. They are guarded as the control endpoint is, and answer with a redirect back.
"""

from litestar import Response, Router, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.response import Redirect

from services.sandbox import views
from services.sandbox.calls import Refused
from services.sandbox.control import refuse_other_sites
from services.sandbox.notion_forms import changed_cells, fields
from services.sandbox.notion_model import PERSON_ID, DataSource, Page
from services.sandbox.notion_store import NotionStore
from services.sandbox.pages import render
from services.sandbox.shell import AnyRequest
from services.sandbox.state import State

ROWS = 200

Answer = Response[str] | Redirect


@get("/")
async def tables(request: AnyRequest) -> Response[str]:
    return _tables(request)


@get("/rows/{page:str}")
async def row(request: AnyRequest, page: FromPath[str]) -> Response[str]:
    return _row(request, _find(request, page))


@post("/rows/{page:str}")
async def edit_row(request: AnyRequest, page: FromPath[str]) -> Answer:
    """`back` says that the form is the table's, not the row's own: it holds the one cell that was ticked."""
    found, form = _find(request, page), await _form(request)
    try:
        cells = changed_cells(_source(request, found), form)
        if cells:
            _state(request).person.edit(page, cells)
    except Refused as refused:
        return _row(request, found, refused.message)
    return _see(f"/notion#{page}.{next(iter(cells), '')}" if "back" in form else f"/notion/rows/{page}")


@post("/rows/{page:str}/trash")
async def trash_row(request: AnyRequest, page: FromPath[str]) -> Redirect:
    _state(request).person.trash(_find(request, page).id)
    return _see(f"/notion/rows/{page}")


@post("/rows/{page:str}/restore")
async def restore_row(request: AnyRequest, page: FromPath[str]) -> Redirect:
    _state(request).person.restore(_find(request, page).id)
    return _see(f"/notion/rows/{page}")


@post("/rows/{page:str}/delete")
async def delete_row(request: AnyRequest, page: FromPath[str]) -> Redirect:
    found = _find(request, page)
    _state(request).person.delete(found.id)
    return _see(f"/notion#table-{found.data_source_id}")


@post("/tables/{source:str}/clear")
async def clear_table(request: AnyRequest, source: FromPath[str]) -> Answer:
    trash = (await _form(request)).get("trash") == "yes"
    try:
        _state(request).person.clear(source, trash=trash)
    except Refused as refused:
        return _tables(request, refused.message)
    return _see(f"/notion#table-{source}")


@post("/tables/{source:str}/rename")
async def rename_column(request: AnyRequest, source: FromPath[str]) -> Answer:
    form = await _form(request)
    try:
        _state(request).person.rename_columns(source, {form.get("old", ""): form.get("new", "").strip()})
    except Refused as refused:
        return _tables(request, refused.message)
    return _see(f"/notion#table-{source}")


def _tables(request: AnyRequest, problem: str = "") -> Response[str]:
    store = _notion(request)
    shown = [
        views.table(store.databases[each.database_id], each, store.pages_of(each.id), ROWS, _namer(store))
        for each in store.sources.values()
    ]
    return render(
        request, "notion.html", _status(problem), tab="notion", tables=shown, marks=views.MARKS, problem=problem
    )


def _row(request: AnyRequest, page: Page, problem: str = "") -> Response[str]:
    store = _notion(request)
    source = _source(request, page)
    return render(
        request,
        "row.html",
        _status(problem),
        tab="notion",
        page=page,
        source=source,
        name=_namer(store)(page.id),
        fields=fields(source, page, _namer(store)),
        by_hand=page.edited_by == PERSON_ID,
        marks=views.MARKS,
        problem=problem,
    )


def _namer(store: NotionStore) -> views.Name:
    def name_of(page_id: str) -> str:
        page = store.pages.get(page_id)
        return views.title_of(store.sources[page.data_source_id], page) if page else page_id

    return name_of


def _status(problem: str) -> int:
    return 400 if problem else 200


def _see(path: str) -> Redirect:
    return Redirect(path, status_code=303)


async def _form(request: AnyRequest) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _find(request: AnyRequest, page_id: str) -> Page:
    page = _notion(request).pages.get(page_id)
    if page is None:
        raise HTTPException(status_code=404, detail="There is no such row.")
    return page


def _source(request: AnyRequest, page: Page) -> DataSource:
    return _notion(request).sources[page.data_source_id]


def _notion(request: AnyRequest) -> NotionStore:
    return _state(request).store.notion


def _state(request: AnyRequest) -> State:
    state: State = request.app.state.sandbox
    return state


def notion_pages() -> Router:
    handlers = [tables, row, edit_row, trash_row, restore_row, delete_row, clear_table, rename_column]
    return Router("/notion", route_handlers=handlers, guards=[refuse_other_sites])
