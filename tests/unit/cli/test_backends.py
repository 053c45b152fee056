"""A forgotten key stops the service that needs it, where the sandbox was named and is not there."""

from typing import Any

import pytest
from pydantic import SecretStr

from cli.backends import NoStandIn, require_stand_in, sandbox_address
from eventlog.server import free_port
from services.sandbox.app import Sandbox
from services.settings import Settings


def settings(url: str | None, **more: Any) -> Settings:
    return Settings.load(sandbox_url=url).model_copy(update=more)


@pytest.mark.parametrize(("service", "variable"), [("sender", "RESEND_API_KEY"), ("notion-sync", "NOTION_TOKEN")])
async def test_without_a_key_and_without_the_sandbox_a_service_is_refused(service: str, variable: str) -> None:
    given = settings(f"http://127.0.0.1:{free_port()}", resend_api_key=None, notion_token=None)
    with pytest.raises(NoStandIn, match=f"^{variable} is not set, .* set {variable} or {variable}_FILE"):
        await require_stand_in(service, given, patience_s=0)


@pytest.mark.parametrize("service", ["ingest", "scheduler"])
async def test_a_service_that_needs_no_key_does_not_ask_for_the_sandbox(service: str) -> None:
    given = settings(f"http://127.0.0.1:{free_port()}", resend_api_key=None, notion_token=None)
    await require_stand_in(service, given, patience_s=0)


async def test_with_its_key_the_sandbox_is_not_asked_for() -> None:
    given = settings(f"http://127.0.0.1:{free_port()}", resend_api_key=SecretStr("re_1"), notion_token=None)
    await require_stand_in("sender", given, patience_s=0)


async def test_a_sandbox_that_is_there_takes_the_place_of_a_key() -> None:
    async with Sandbox() as sandbox:
        await require_stand_in("sender", settings(sandbox.url, resend_api_key=None), patience_s=0)


def test_without_an_address_the_sandbox_is_on_this_machine() -> None:
    assert sandbox_address(settings(None, sandbox_port=9025)) == "http://127.0.0.1:9025"
    assert sandbox_address(settings("http://sandbox:8025")) == "http://sandbox:8025"
