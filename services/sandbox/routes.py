"""The map of the APIs: which request is answered by which function."""

from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from litestar.types import Method

from services.sandbox import chat_api, notion_api, notion_children_api, notion_schema_api, resend_api, resend_domains
from services.sandbox.calls import Refused
from services.sandbox.chat_api import DISCORD, SLACK
from services.sandbox.notion_api import NOTION
from services.sandbox.resend_api import RESEND
from services.sandbox.shell import AnyRequest, Provider, Work, handle

ROUTES: tuple[tuple[Method, str, Provider, Work], ...] = (
    ("POST", "/emails", RESEND, resend_api.send),
    ("POST", "/emails/batch", RESEND, resend_api.send_batch),
    ("GET", "/emails", RESEND, resend_api.list_emails),
    ("GET", "/emails/{target:str}", RESEND, resend_api.retrieve),
    ("PATCH", "/emails/{target:str}", RESEND, resend_api.update),
    ("POST", "/emails/{target:str}/cancel", RESEND, resend_api.cancel),
    ("GET", "/domains", RESEND, resend_domains.list_domains),
    ("GET", "/domains/{target:str}", RESEND, resend_domains.retrieve_domain),
    ("GET", "/v1/users/me", NOTION, notion_api.me),
    ("POST", "/v1/pages", NOTION, notion_api.create_page),
    ("GET", "/v1/pages/{target:str}", NOTION, notion_api.retrieve_page),
    ("PATCH", "/v1/pages/{target:str}", NOTION, notion_api.update_page),
    ("POST", "/v1/databases", NOTION, notion_schema_api.create_database),
    ("GET", "/v1/databases/{target:str}", NOTION, notion_schema_api.retrieve_database),
    ("PATCH", "/v1/databases/{target:str}", NOTION, notion_schema_api.update_database),
    ("POST", "/v1/data_sources", NOTION, notion_schema_api.create_source),
    ("GET", "/v1/data_sources/{target:str}", NOTION, notion_schema_api.retrieve_source),
    ("PATCH", "/v1/data_sources/{target:str}", NOTION, notion_schema_api.update_source),
    ("POST", "/v1/data_sources/{target:str}/query", NOTION, notion_api.query),
    ("GET", "/v1/blocks/{target:str}/children", NOTION, notion_children_api.list_children),
    ("PATCH", "/v1/blocks/{target:str}/children", NOTION, notion_children_api.append_children),
    ("POST", "/discord/api/webhooks/{target:str}/{token:str}", DISCORD, chat_api.execute),
    ("POST", "/slack/services/{target:str}/{channel:str}/{token:str}", SLACK, chat_api.incoming),
)


def api_routes() -> list[HTTPRouteHandler]:
    return [_route(*entry) for entry in ROUTES]


def _route(method: Method, path: str, provider: Provider, work: Work) -> HTTPRouteHandler:
    async def answer(request: AnyRequest) -> Response[bytes]:
        return await handle(request, provider, work, str(request.path_params.get("target", "")))

    return HTTPRouteHandler(path, http_method=method, status_code=200)(answer)


def unrouted(request: AnyRequest, error: Exception) -> Response[bytes]:
    """A path or method no API has, in the words of the API it was meant for."""
    status = getattr(error, "status_code", 404)
    if request.url.path.startswith("/v1/"):
        refused = NOTION.refuse(Refused(400, "invalid_request_url", "Invalid request URL."))
    elif request.url.path.startswith("/discord/"):
        refused = DISCORD.refuse(Refused(status, "0", f"{status}: Not Found" if status == 404 else "405"))
    elif status == 405:
        refused = RESEND.refuse(Refused(405, "method_not_allowed", "Method not allowed for this endpoint."))
    else:
        refused = RESEND.refuse(Refused(404, "not_found", "The requested endpoint does not exist."))
    return Response(refused.content, status_code=refused.status, media_type=refused.media_type)
