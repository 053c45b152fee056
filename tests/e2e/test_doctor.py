"""`dripstream doctor` as it is run: each planted fault is found, with what to do, and in the healthy there is none."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eventlog import topology
from eventlog.connection import connect
from eventlog.server import NatsServer
from services.sandbox.app import Sandbox
from services.sandbox.options import UNLIMITED
from services.sandbox.seed import BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID
from services.settings import ROOT
from tests.ballast import fill_store
from tests.disk import Disk, require_disks
from tests.e2e.processes import Answer, Machine, machine
from tests.e2e.site import started
from tests.factories import CAMPAIGN
from tests.integration.doctor.kit import KEY, SECRET, TOKEN, dated_later, relayed
from tests.integration.doctor.test_broker import OLD, filled

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *ts) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int answer = real(id, ts);
  if (!answer && id == CLOCK_REALTIME) ts->tv_sec += 3600;
  return answer;
}
"""
"""A clock that is an hour ahead, for one process."""


@pytest.fixture(scope="module")
async def healthy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machine]:
    """`dripstream up` as in production, with stand-ins that behave as Resend and Notion."""
    async with Sandbox(options=UNLIMITED) as providers:
        with machine(tmp_path_factory.mktemp("healthy"), **accounts(providers)) as made:
            made.start("sandbox")  # what `started` waits for; nothing here uses it
            async with started(made):
                yield made


def accounts(providers: Sandbox) -> dict[str, str]:
    return {
        "RESEND_API_KEY": KEY,
        "RESEND_API_URL": providers.url,
        "NOTION_TOKEN": TOKEN,
        "NOTION_API_URL": providers.url,
        "NOTION_RATE_LIMIT": "1000",
        "NOTION_EMAIL_SEQUENCE_DB_ID": EMAIL_SEQUENCE_DB_ID,
        "NOTION_BUSINESSX_DB_ID": BUSINESSX_DB_ID,
    } | dict.fromkeys(("SIGNUP_WEBHOOK_SECRET", "CALCOM_WEBHOOK_SECRET", "RESEND_WEBHOOK_SECRET"), SECRET)


async def examined(here: Machine, **fault: str) -> tuple[Answer, dict[str, dict[str, Any]]]:
    """What the process says, and its findings: of several about one thing, the worst."""
    answer = await here.run("doctor", "--json", environment=fault, within_s=60)
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert answer.err == ""
    assert [each for each in (KEY, TOKEN, SECRET) if each in answer.out] == []
    return answer, {each["check"]: each for each in sorted(lines, key=lambda each: each["state"] == "trouble")}


def only_trouble(findings: dict[str, dict[str, Any]], *checks: str) -> None:
    assert {name for name, each in findings.items() if each["state"] == "trouble"} == {*checks}


async def test_the_healthy_have_no_finding(healthy: Machine) -> None:
    answer, found = await examined(healthy)
    bad = {name: each for name, each in found.items() if each["state"] in {"trouble", "warning"}}
    assert {name: each for name, each in bad.items() if not name.startswith("DMARC")} == {}, "DNS is not ours"
    assert answer.code == 0
    looked = {"NATS", "NATS version", "NATS passwords", "clock", "outside clock", "storage", "streams", "scheduler",
              "sender", "disk", "notion-sync", "sync_interval", "webhook secrets", "pace", "campaigns", "Resend key",
              "domain mail.example.com", "Notion Email Sequence", "Notion BusinessX Canada"}  # fmt: skip
    assert {name for name, each in found.items() if each["state"] == "ok"} >= looked


async def test_an_old_server_is_found(healthy: Machine, tmp_path: Path) -> None:
    async with NatsServer(tmp_path / "nats", binary=OLD) as server:
        answer, found = await examined(healthy, NATS_URL=server.url)
    assert answer.code == 1
    assert "2.11.11" in found["NATS version"]["detail"]
    assert "put nats-server 2.15.1 or newer in its place" in found["NATS version"]["do"]


async def test_a_wrong_clock_of_this_machine_is_found(healthy: Machine, tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("cc is not installed: it gives one process a clock of its own; the next test gives the broker one")
    (tmp_path / "shim.c").write_text(SHIM)
    made = ["-shared", "-fPIC", "-o", str(tmp_path / "shim.so"), str(tmp_path / "shim.c"), "-ldl"]
    await asyncio.to_thread(subprocess.run, [compiler, *made], check=True)
    answer, found = await examined(healthy, LD_PRELOAD=str(tmp_path / "shim.so"))
    assert answer.code == 1
    only_trouble(found, "clock", "outside clock")
    assert "this machine is 3600 s ahead of the broker" in found["clock"]["detail"]
    assert "timedatectl set-ntp true" in found["clock"]["do"]


async def test_a_wrong_clock_of_the_broker_is_found(healthy: Machine) -> None:
    async with relayed(healthy.nats_url, _ahead) as port:
        answer, found = await examined(healthy, NATS_URL=f"nats://127.0.0.1:{port}")
    assert answer.code == 1
    assert re.search(r"this machine is (3599|3600|3601) s behind the broker", found["clock"]["detail"])
    assert "compare both with `date -u`" in found["clock"]["do"]


def _ahead(said: bytes) -> bytes:
    return re.sub(rb'(?<="ts":")[0-9T:-]{19}', _later, said)


def _later(found: re.Match[bytes]) -> bytes:
    time = datetime.fromisoformat(found[0].decode()).replace(tzinfo=UTC) + timedelta(hours=1)
    return f"{time:%Y-%m-%dT%H:%M:%S}".encode()


async def test_a_wrong_clock_that_the_broker_shares_is_found(healthy: Machine) -> None:
    """As on one machine: only somebody else's can show it."""
    async with relayed(healthy.environment["RESEND_API_URL"], dated_later(timedelta(hours=-1))) as port:
        answer, found = await examined(healthy, RESEND_API_URL=f"http://127.0.0.1:{port}")
    assert answer.code == 1
    only_trouble(found, "outside clock")
    ahead = re.fullmatch(r"this machine is (\d+) s ahead of 127\.0\.0\.1", found["outside clock"]["detail"])
    assert ahead
    assert abs(int(ahead[1]) - 3600) < 10  # as long as an answer may take to come
    assert "timedatectl set-ntp true" in found["outside clock"]["do"]


async def test_a_missing_column_is_found(healthy: Machine) -> None:
    async with Sandbox(options=UNLIMITED) as other:
        other.person.delete_columns(EMAIL_SEQUENCE_DB_ID, ["Segment"])
        answer, found = await examined(healthy, NOTION_API_URL=other.url)
    assert answer.code == 1
    only_trouble(found, "Notion Email Sequence")
    assert "'Segment' is missing" in found["Notion Email Sequence"]["detail"]
    assert "put it right in Notion" in found["Notion Email Sequence"]["do"]


async def test_a_bad_key_is_found(healthy: Machine) -> None:
    answer, found = await examined(healthy, RESEND_API_KEY="re-typed-wrong")
    assert answer.code == 1
    only_trouble(found, "Resend key")
    assert "put it into RESEND_API_KEY, and restart the sender" in found["Resend key"]["do"]
    assert "re-typed-wrong" not in answer.out


async def test_a_missing_template_is_found(healthy: Machine, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "campaigns", tmp_path / "campaigns")
    (tmp_path / "campaigns" / CAMPAIGN / "templates" / "noshow_1.mjml").unlink()
    answer, found = await examined(healthy, DRIPSTREAM_CAMPAIGNS_DIR=str(tmp_path / "campaigns"))
    assert answer.code == 1
    only_trouble(found, "campaigns")
    assert re.search(r"campaign\.toml:\d+: .*noshow_1", found["campaigns"]["detail"])
    assert "mend that line" in found["campaigns"]["do"]


async def test_a_full_disk_is_found(healthy: Machine, tmp_path: Path) -> None:
    require_disks(tmp_path)
    with Disk(tmp_path, megabytes=64) as small:
        async with NatsServer(small.path / "nats") as server:
            async with connect(server.url, name="test", patience_s=20) as broker:
                await topology.init(broker)
            await asyncio.to_thread(small.fill)
            answer, found = await examined(healthy, DRIPSTREAM_DATA_DIR=str(small.path))
    assert answer.code == 1
    assert {found["disk"]["state"], found["storage"]["state"]} == {"trouble"}
    assert found["disk"]["detail"].startswith("0 B free of ")
    assert "free the disk or give it a larger one" in found["disk"]["do"]


async def test_a_full_store_is_found(healthy: Machine, tmp_path: Path) -> None:
    async with NatsServer(tmp_path / "nats", options={"max_file_store": "16MB"}) as server:
        async with connect(server.url, name="test", patience_s=20) as broker:
            await topology.init(broker)
            await fill_store(broker)
        answer, found = await examined(healthy, NATS_URL=server.url)
    assert answer.code == 1
    assert "JetStream refuses to store" in found["storage"]["detail"]
    assert "NATS_MAX_FILE_STORE" in found["storage"]["do"]


async def test_a_store_that_fills_is_found_before_it_refuses(healthy: Machine, tmp_path: Path) -> None:
    async with NatsServer(tmp_path / "nats", options={"max_file_store": "16MB"}) as server:
        async with connect(server.url, name="test", patience_s=20) as broker:
            await topology.init(broker)
            await filled(broker, 14 * 1024**2)
        answer, found = await examined(healthy, NATS_URL=server.url, NATS_MAX_FILE_STORE="16MB")
    assert answer.code == 1, "nobody listens there"
    assert (found["JetStream"]["state"], found["storage"]["state"]) == ("warning", "ok")
    assert "of 16.0 MB used (8" in found["JetStream"]["detail"]
    assert "raise NATS_MAX_FILE_STORE" in found["JetStream"]["do"]


async def test_in_a_narrow_terminal_every_line_fits(healthy: Machine) -> None:
    answer = await healthy.run("doctor", COLUMNS="80", RESEND_API_KEY="re-typed-wrong")
    assert answer.code == 1
    assert max(map(len, answer.out.splitlines())) <= 80
    assert "1 trouble" in answer.out.splitlines()[-1]
