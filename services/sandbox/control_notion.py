"""The part of the control endpoint that acts as a person at Notion, not as the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
from litestar import delete, post
from litestar.exceptions import ClientException, HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from services.sandbox.calls import Refused
from services.sandbox.person import Person
from services.sandbox.shell import AnyRequest
from services.sandbox.state import State

Form = TypeVar("Form", bound=msgspec.Struct)


class Cells(msgspec.Struct, forbid_unknown_fields=True):
    """Bare values by column name."""

    cells: dict[str, object]


class Clear(msgspec.Struct, forbid_unknown_fields=True):
    trash: bool = False


class Columns(msgspec.Struct, forbid_unknown_fields=True):
    """In the order of the fields; `add` and `retype` name the type of each column."""

    delete: list[str] = []
    rename: dict[str, str] = {}
    retype: dict[str, str] = {}
    add: dict[str, str] = {}


@contextmanager
def answered() -> Iterator[None]:
    """What Notion's own rules refuse, as an answer of the control endpoint."""
    try:
        yield
    except Refused as refused:
        raise HTTPException(status_code=refused.status, detail=refused.message) from None
    except msgspec.DecodeError as error:
        raise ClientException(str(error)) from None


@post("/notion/pages/{page:str}", status_code=204)
async def edit_page(request: AnyRequest, page: FromPath[str]) -> None:
    with answered():
        _person(request).edit(page, (await _read(request, Cells)).cells)


@post("/notion/pages/{page:str}/trash", status_code=204)
async def trash_page(request: AnyRequest, page: FromPath[str]) -> None:
    with answered():
        _person(request).trash(page)


@post("/notion/pages/{page:str}/restore", status_code=204)
async def restore_page(request: AnyRequest, page: FromPath[str]) -> None:
    with answered():
        _person(request).restore(page)


@delete("/notion/pages/{page:str}", status_code=204)
async def delete_page(request: AnyRequest, page: FromPath[str]) -> None:
    with answered():
        _person(request).delete(page)


@post("/notion/databases/{database:str}/clear", status_code=204)
async def clear_database(request: AnyRequest, database: FromPath[str]) -> None:
    with answered():
        _person(request).clear(database, trash=(await _read(request, Clear)).trash)


@post("/notion/databases/{database:str}/trash", status_code=204)
async def trash_database(request: AnyRequest, database: FromPath[str]) -> None:
    with answered():
        _person(request).trash_database(database)


@post("/notion/databases/{database:str}/restore", status_code=204)
async def restore_database(request: AnyRequest, database: FromPath[str]) -> None:
    with answered():
        _person(request).trash_database(database, trash=False)


@post("/notion/databases/{database:str}/columns", status_code=204)
async def change_columns(request: AnyRequest, database: FromPath[str]) -> None:
    with answered():
        wanted, person = await _read(request, Columns), _person(request)
        person.delete_columns(database, wanted.delete)
        person.rename_columns(database, wanted.rename)
        for name, kind in wanted.retype.items():
            person.retype_column(database, name, kind)
        person.add_columns(database, wanted.add)


async def _read(request: AnyRequest, form: type[Form]) -> Form:
    return msgspec.json.decode(await request.body() or b"{}", type=form)


def _person(request: AnyRequest) -> Person:
    state: State = request.app.state.sandbox
    return state.person


def notion_controls() -> list[HTTPRouteHandler]:
    return [
        edit_page,
        trash_page,
        restore_page,
        delete_page,
        clear_database,
        trash_database,
        restore_database,
        change_columns,
    ]
