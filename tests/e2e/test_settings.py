"""Settings that are wrong stop every command at once, with their names and never their values."""

import pytest

from eventlog.server import NatsServer
from tests.e2e.processes import Machine
from tests.e2e.site import started

SECRET = "s3cr3t-value"


@pytest.mark.parametrize("command", ["up", "demo", "ingest", "pending", "init"])
async def test_a_misspelt_setting_is_named(here: Machine, command: str) -> None:
    answer = await here.run(command, DRIPSTREAM_SPEDUP="60")
    assert answer.code == 1
    assert answer.err.startswith("dripstream: settings: unknown setting DRIPSTREAM_SPEDUP; known: ")
    assert "DRIPSTREAM_SPEEDUP" in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DRIPSTREAM_SPEEDUP", SECRET),
        ("DRIPSTREAM_SPEEDUP", "0"),
        ("DRIPSTREAM_PORT", "70000"),
        ("TESTING_MODE", SECRET),
        ("RESEND_RATE_LIMIT", "-1"),
        ("NOTION_EMAIL_SEQUENCE_DB_ID", SECRET),
    ],
)
async def test_a_bad_value_is_refused_by_name_and_not_repeated(here: Machine, name: str, value: str) -> None:
    answer = await here.run("up", environment={name: value})
    assert answer.code == 1
    assert answer.err.startswith(f"dripstream: settings: {name}: ")
    assert len(answer.err.splitlines()) == 1
    assert SECRET not in answer.err + answer.out


async def test_a_bad_format_of_the_log_is_refused_too(here: Machine) -> None:
    for command in ("up", "pending"):
        answer = await here.run(command, DRIPSTREAM_LOG="xml")
        assert answer.code == 1
        assert answer.err.startswith("dripstream: settings: DRIPSTREAM_LOG: ")


async def test_the_format_of_the_log_is_the_one_asked_for(here: Machine) -> None:
    async with started(here, DRIPSTREAM_LOG="console"):
        assert "ingest_started" in here.programs[0].err
        assert not here.programs[0].err.startswith("{")


@pytest.mark.parametrize("name", ["SIGNUP_WEBHOOK_SECRET", "RESEND_WEBHOOK_SECRET"])
async def test_a_bad_webhook_secret_is_refused_and_not_repeated(here: Machine, name: str) -> None:
    answer = await here.run("up", environment={name: f"whsec_{SECRET}!"})
    assert answer.code == 1
    assert name in answer.err
    assert SECRET not in answer.err + answer.out
    assert "Traceback" not in answer.err


async def test_the_password_of_a_broker_is_never_said(here: Machine) -> None:
    async with NatsServer(here.folder / "nats") as nats:
        url = nats.url.replace("//", f"//somebody:{SECRET}@")
        async with started(here, NATS_URL=url):
            assert nats.url.removeprefix("nats://") in here.programs[0].out
            assert SECRET not in here.programs[0].out + here.programs[0].err


async def test_an_empty_variable_is_an_unset_one(here: Machine) -> None:
    answer = await here.run("campaigns", "check", NOTION_TOKEN="", DRIPSTREAM_SPEEDUP="", RESEND_API_KEY="")
    assert (answer.code, answer.err) == (0, "")


async def test_a_file_of_settings_is_read_from_the_working_directory(here: Machine) -> None:
    (here.folder / ".env").write_text("RESEND_RATE_LIMIT=-1\n")
    answer = await here.run("pending")
    assert answer.code == 1
    assert "RESEND_RATE_LIMIT" in answer.err
