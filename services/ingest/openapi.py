"""What the API says of itself: /schema/openapi.json, and a page to try it at /schema that needs no internet."""

from typing import Any

from litestar import Request, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.static_files import create_static_files_router
from swagger_ui_bundle import swagger_ui_path

ASSETS = "/schema/assets"


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
    for choice in ("anyOf", "oneOf"):
        options = value.get(choice) or []
        others = [each for each in options if each != {"type": "null"}]
        if len(others) == 1 < len(options):
            rest = {name: _as_3_0(item) for name, item in value.items() if name != choice}
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
