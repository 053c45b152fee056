"""What the API says of itself: /schema/openapi.json, and a page to try it at /schema that needs no internet."""

from dataclasses import dataclass
from typing import Any, cast

from litestar import Request, Router
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import (
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    RequestBody,
    Schema,
)
from litestar.static_files import create_static_files_router
from swagger_ui_bundle import swagger_ui_path

from services.ingest.form import Form, Person, Scores
from services.ingest.problems import PROBLEM_JSON, Problem
from services.ingest.signup import NESTED

ASSETS = "/schema/assets"

LENIENT = (
    'Numbers may be sent as text; null and "" mean not given. Unknown fields are kept with the signup, at most 50 '
    "of them and 16 kB. The fields of the assessment may stand in the form itself or under `assessment_data`, on "
    "every route; where both are given, the form itself wins. Where SIGNUP_WEBHOOK_SECRET is set, the raw body must "
    "be signed (Standard Webhooks)."
)

_SENT = {
    "email": "ada@example.com",
    "first_name": "Ada",
    "business_name": "Ada's Bakery",
}
_SCORED = {
    "assessment_score": 42,
    "red_systems": 2,
    "orange_systems": 1,
    "yellow_systems": 1,
    "green_systems": 3,
    "gps_score": 35.5,
    "money_score": 50,
    "weakest_system_1": "Lead follow-up",
    "weakest_system_2": "Invoicing",
    "revenue_leak_total": 14500,
}


def _problem(description: str) -> ResponseSpec:
    return ResponseSpec(
        Problem,
        description=description,
        media_type=PROBLEM_JSON,
        generate_examples=False,
    )


PROBLEMS = {
    400: _problem("Not a form, or fields that are missing or wrong, each named. Nothing was stored."),
    401: _problem("Not signed, or not signed by us within the last five minutes. Nothing was stored."),
    404: _problem("No such campaign; the known ones are named. Nothing was stored."),
    408: _problem("The body did not arrive in time. Nothing was stored."),
    413: _problem("The body is over 64 kB. Nothing was stored."),
    500: _problem("A bug of ours. Send it again: the same signup counts once."),
    503: _problem("JetStream cannot be reached. Send it again after Retry-After: the same signup counts once."),
}
UNREADY = {503: _problem("Not now; the detail names what is missing.")}


def form_schema() -> dict[str, Any]:
    """Both nesting forms, as JSON Schema."""
    flat, person, scores = (model.model_json_schema() for model in (Form, Person, Scores))
    nested = {
        **person,
        "properties": {**person["properties"], NESTED: {**scores, "additionalProperties": True}},
        "required": [*person["required"], NESTED],
        "title": "Assessment nested",
    }
    return {
        "description": LENIENT,
        "anyOf": [{**each, "additionalProperties": True} for each in ({**flat, "title": "All on one level"}, nested)],
    }


@dataclass
class SignupOperation(Operation):
    """A route that reads the raw body (the signature covers its bytes), so the body's schema is told here."""

    def __post_init__(self) -> None:
        content = OpenAPIMediaType(
            schema=cast("Schema", form_schema()),
            examples={
                "flat": Example(summary="On one level", value={**_SENT, **_SCORED}),
                "nested": Example(summary="Nested", value={**_SENT, NESTED: _SCORED}),
            },
        )
        self.request_body = RequestBody(
            {"application/json": content}, description="The form, at most 64 kB.", required=True
        )
        unavailable = (self.responses or {}).get("503")
        if isinstance(unavailable, OpenAPIResponse):
            unavailable.headers = {
                "Retry-After": OpenAPIHeader(schema=cast("Schema", {"type": "integer"}), description="Seconds")
            }


class LocalSwagger(SwaggerRenderPlugin):
    """Swagger UI from the package swagger-ui-bundle."""

    def __init__(self) -> None:
        super().__init__(
            js_url=f"{ASSETS}/swagger-ui-bundle.js",
            css_url=f"{ASSETS}/swagger-ui.css",
            standalone_preset_js_url=f"{ASSETS}/swagger-ui-standalone-preset.js",
            favicon=f'<link rel="icon" type="image/png" href="{ASSETS}/favicon-32x32.png">',
            path="/",
        )

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, {**_as_3_0(openapi_schema), "openapi": "3.0.3"})

    def receive_router(self, router: Router) -> None:
        """Without the OAuth page: there is nothing to log in to."""


def _as_3_0(value: Any) -> Any:
    """For the page alone: Swagger UI 4 reads no OpenAPI 3.1, where null is a type of its own."""
    if isinstance(value, list):
        return [_as_3_0(item) for item in value]
    if not isinstance(value, dict):
        return value
    options = value.get("anyOf") or []
    others = [each for each in options if each != {"type": "null"}]
    if len(others) == 1 < len(options):
        rest = {name: _as_3_0(item) for name, item in value.items() if name != "anyOf"}
        return {**_as_3_0(others[0]), **rest, "nullable": True}
    return {name: _as_3_0(item) for name, item in value.items()}


def assets() -> Router:
    return create_static_files_router(
        ASSETS, directories=[swagger_ui_path], name="swagger-assets", include_in_schema=False
    )


def config(version: str) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Dripstream ingest",
        version=version,
        description="Webhooks in: each becomes a durable fact before it is answered.",
        path="/schema",
        render_plugins=[LocalSwagger()],
    )
