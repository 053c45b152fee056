"""The page a newcomer opens first: the mailbox and the Notion tables.

The HTML of a mail is hostile. It is served alone, under a policy that runs nothing, into an iframe that may do
nothing; the page around it allows no inline script or style either.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from services.sandbox import views
from services.sandbox.mailbox import Mail
from services.sandbox.shell import AnyRequest
from services.sandbox.state import State

HERE = Path(__file__).parent
LISTED = 200

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: https:"
# Not "no-referrer": under that, browsers send our own forms with the origin "null", as if from another site.
SAFE = {"x-content-type-options": "nosniff", "referrer-policy": "same-origin", "cache-control": "no-store"}

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters.update(clock=views.clock, initials=views.initials, hue=views.hue, leading=views.leading_tags)

templates.globals["query"] = views.query


@get("/")
async def mailbox(
    request: AnyRequest, q: FromQuery[str] = "", order: FromQuery[str] = "sent", offset: FromQuery[int] = 0
) -> Response[str]:
    return _mailbox(request, None, q, order, offset)


@get("/mail/{mail_id:str}")
async def mail_page(
    request: AnyRequest,
    mail_id: FromPath[str],
    q: FromQuery[str] = "",
    order: FromQuery[str] = "sent",
    offset: FromQuery[int] = 0,
) -> Response[str]:
    return _mailbox(request, _find(request, mail_id), q, order, offset)


@get("/mail/{mail_id:str}/html")
async def mail_html(request: AnyRequest, mail_id: FromPath[str]) -> Response[str]:
    mail = _find(request, mail_id)
    return _html(mail.html or "", MAIL_POLICY)


@get("/_page/version", media_type="text/plain")
async def version(request: AnyRequest) -> str:
    return _state(request).version


@get("/_page/{name:str}")
async def asset(name: FromPath[str]) -> Response[bytes]:
    kinds = {"sandbox.css": "text/css", "sandbox.js": "text/javascript", "drop.svg": "image/svg+xml"}
    if name not in kinds:
        raise HTTPException(status_code=404)
    headers = {"x-content-type-options": "nosniff", "cache-control": "no-cache"}
    return Response((HERE / "static" / name).read_bytes(), media_type=kinds[name], headers=headers)


def _mailbox(request: AnyRequest, mail: Mail | None, q: str, order: str, offset: int) -> Response[str]:
    state, newest_first = _state(request), order == "newest"
    box = state.store.mailbox
    found = box.summaries(q, newest_first=newest_first, limit=LISTED, offset=max(0, offset))
    return render(
        request,
        "mailbox.html",
        tab="mail",
        days=views.by_day(found),
        mail=mail,
        links=views.links(mail) if mail else [],
        event=mail.last_event(state.clock()) if mail else "",
        q=q,
        order="newest" if newest_first else "sent",
        offset=max(0, offset),
        step=LISTED,
        total=box.count(q),
    )


def render(request: AnyRequest, template: str, status: int = 200, /, **values: object) -> Response[str]:
    state = _state(request)
    text = templates.get_template(template).render(
        version=state.version,
        mail_count=state.store.mailbox.count(),
        row_count=sum(not page.in_trash for page in state.store.notion.pages.values()),
        base_url=str(request.base_url).rstrip("/"),
        **values,
    )
    return _html(text, PAGE_POLICY, status)


def _html(text: str, policy: str, status: int = 200) -> Response[str]:
    headers = {**SAFE, "content-security-policy": policy}
    return Response(text, status_code=status, media_type="text/html", headers=headers)


def _find(request: AnyRequest, mail_id: str) -> Mail:
    mail = _state(request).store.mailbox.find(mail_id)
    if mail is None:
        raise HTTPException(status_code=404, detail="There is no such mail.")
    return mail


def _state(request: AnyRequest) -> State:
    state: State = request.app.state.sandbox
    return state


def page_routes() -> list[HTTPRouteHandler]:
    return [mailbox, mail_page, mail_html, version, asset]
