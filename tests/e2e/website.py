"""The website's code as JavaScript, run by Node in processes that know nothing of this environment."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.settings import ROOT
from tests.integration.ingest import ROUTE

EXAMPLE = ROOT / "examples" / "website"
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
WITHIN_S = 60
EMAIL = "ada@example.com"
ASSESSMENT: dict[str, Any] = {
    "email": EMAIL,
    "firstName": "Ada",
    "businessName": "Ada's Bakery",
    "revenueLeak": 4200,
    "systems": [
        {"name": "Invoicing", "colour": "red", "score": 12},
        {"name": "Hiring", "colour": "red", "score": 20},
        {"name": "Stock", "colour": "yellow", "score": 55},
        {"name": "Sales", "colour": "green", "score": 91},
    ],
}

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed: the website's function is not tried")


def compiled(folder: Path) -> Path:
    """Made by the compiler that package-lock.json pins. Next resolves `@/`, and Node does not."""
    compiler = EXAMPLE / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():
        pytest.skip("website: the compiler is not here; `make website` gets it with npm")
    (folder / "package.json").write_text('{"type": "module"}')
    done = subprocess.run([compiler, "--outDir", folder], cwd=EXAMPLE, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout
    route = folder / "app/api/assessment/route.js"
    route.write_text(re.sub(r'"@/(.*)"', rf'"{folder}/\1.js"', route.read_text()))
    return folder


async def node(*args: str | Path, given: bytes, environment: dict[str, str] | None = None) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        str(NODE), *map(str, args), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **(environment or {})},
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(given), WITHIN_S)
    said: dict[str, Any] = json.loads(out)
    return said


async def send(website: Path, url: str, assessment: object = ASSESSMENT, **options: Any) -> dict[str, Any]:
    """What `sendSignup` returned or threw."""
    order = {"assessment": assessment, "options": {"url": url + ROUTE, "secret": SECRET, "firstWaitMs": 20, **options}}
    return await node(EXAMPLE / "try.mjs", website / "lib/dripstream.js", given=json.dumps(order).encode())


async def visit(website: Path, url: str, form: bytes, **environment: str) -> dict[str, Any]:
    """What the route answered to a browser, and what it logged."""
    set_up = {"DRIPSTREAM_SIGNUP_URL": url + ROUTE, "SIGNUP_WEBHOOK_SECRET": SECRET, **environment}
    route = website / "app/api/assessment/route.js"
    return await node(ROOT / "tests/e2e/route.mjs", route, given=form, environment=set_up)
