"""Without profile dev: what was not set is asked for, and nothing of a stack of developers is taken in its place."""

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from services.settings import ROOT
from tests.containers.conftest import ANSWER_S
from tests.containers.docker import IMAGE, UP_S, Stack, docker, stack
from tests.e2e.people import MARIA

KEY = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()
NEXT = f"{IMAGE}-next"
SCRIPT = ROOT / "deploy" / "make-secrets.sh"


def make_secrets(folder: Path) -> None:
    subprocess.run([str(SCRIPT), str(folder)], check=True)  # noqa: S603 - our own script


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("production") / "secrets"
    make_secrets(folder)
    (folder / "ingest" / "signup_webhook_secret").write_text(KEY + "\n")
    return folder


@pytest.fixture(scope="module")
def production(image: str, secrets: Path) -> Iterator[Stack]:
    """On a server where somebody tried it out first, and left the sandbox running. The keys of Resend and Notion are
    forgotten.
    """
    settings = {"SECRETS_DIR": str(secrets), "SIGNUP_WEBHOOK_SECRET_FILE": "/run/dripstream/signup_webhook_secret"}
    with stack(name="production", profiles=(), settings=settings) as made:
        replace(made, profiles=("dev",), settings={}).up("sandbox")
        made.up("ingest")
        made.do("up", "-d", "--no-build", "sender", "notion-sync", within_s=UP_S)
        yield made


async def sign_up(production: Stack, *, key: str | None = KEY) -> httpx.Response:
    body, now = json.dumps(MARIA.form()), datetime.now(UTC)
    headers = {"content-type": "application/json"}
    if key:
        signature = Webhook(key).sign("msg_1", now, body)
        headers |= {
            "webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature
        }  # fmt: skip
    address = f"http://127.0.0.1:{production.ingest_port}"
    async with httpx.AsyncClient(base_url=address, timeout=ANSWER_S) as client:
        return await client.post("/webhook/christmas-signup", content=body, headers=headers)


def test_without_passwords_nothing_starts_and_it_is_said_what_to_do(image: str) -> None:
    with stack(name="bare", profiles=()) as bare:
        assert bare.compose("up", "-d", "--no-build", "--pull", "never").code != 0
        bare.says("prepare", "no password for NATS_INGEST_PASSWORD NATS_SCHEDULER_PASSWORD")
        bare.says("prepare", "make-secrets.sh")
        assert bare.running() == {}


def test_after_a_stack_of_developers_its_passwords_are_gone(image: str) -> None:
    """Somebody tried it out on the server first, and left the volumes there."""
    with stack(name="bare") as tried:
        tried.up("nats")
        tried.do("stop")
        later = Stack(tried.name, profiles=())
        assert later.compose("up", "-d", "--no-build", "--pull", "never").code != 0
        later.says("prepare", "no password for NATS_INGEST_PASSWORD")


async def test_signed_signups_are_taken_and_unsigned_ones_refused(production: Stack) -> None:
    assert (await sign_up(production)).status_code == 202
    assert (await sign_up(production, key=None)).status_code == 401
    assert KEY not in production.do("logs")


async def test_a_changed_password_is_taken_by_a_restart(production: Stack, secrets: Path) -> None:
    """As docs/compose.md says to do it."""
    shown = secrets / "ingest" / "nats_password"
    before = shown.read_text()
    for path in (secrets / "nats" / "nats_ingest_password", shown):
        path.unlink()
    make_secrets(secrets)
    assert shown.read_text() != before
    production.do("restart", "nats", "ingest")
    production.up("ingest")
    assert (await sign_up(production)).json()["duplicate"] is True


async def test_another_image_goes_on_with_what_is_stored(production: Stack) -> None:
    """An upgrade, and the way back. The broker is not touched by either."""
    broker = production.running()["nats"]
    try:
        docker("tag", IMAGE, NEXT)
        for image in (NEXT, IMAGE):
            replace(production, settings={**production.settings, "IMAGE": image}).up("ingest")
            assert docker("inspect", "-f", "{{.Config.Image}}", production.running()["ingest"]).out.strip() == image
            assert (await sign_up(production)).json()["duplicate"] is True
        assert production.running()["nats"] == broker
    finally:
        docker("image", "rm", "--force", NEXT)


@pytest.mark.parametrize(("service", "variable"), [("sender", "RESEND_API_KEY"), ("notion-sync", "NOTION_TOKEN")])
def test_a_forgotten_key_stops_its_service_and_is_named(production: Stack, service: str, variable: str) -> None:
    """Otherwise emails would go to a sandbox, and nobody would miss them."""
    assert "sandbox" in production.running()
    production.says(service, f"{variable} is not set, and no sandbox answers")


def test_passwords_are_made_once_and_nobody_else_gets_at_them(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    first = {path: path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}
    make_secrets(folder)
    assert {path: path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()} == first
    assert folder.stat().st_mode & 0o777 == 0o700
    for user in ("ingest", "scheduler", "sender", "notion-sync", "notifier", "operator"):
        at_the_server = folder / "nats" / f"nats_{user.replace('-', '_')}_password"
        assert at_the_server.read_text() == (folder / user / "nats_password").read_text()
        assert {path.name for path in (folder / user).iterdir()} == {".env", "nats_password"}
    passwords = {path.read_text() for path in (folder / "nats").iterdir()}
    assert len(passwords) == 6
    assert all(password[0] == "p" and len(password.strip()) == 49 for password in passwords)
