"""The shipped examples of nginx and Caddy as running programs: only addresses, certificate and logs are of the test."""

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from eventlog.server import free_port
from services.settings import ROOT
from tests.deploy.programs import certificate, program
from tests.waiting import eventually

HOST = "hooks.example.com"
START_S, STOP_S = 60, 20


@dataclass(frozen=True)
class Proxy:
    """Clients that trust its certificate for HOST, as senders do, and that come without TLS."""

    secure: httpx.AsyncClient
    plain: httpx.AsyncClient


@asynccontextmanager
async def proxy(kind: str, upstream: str, folder: Path) -> AsyncIterator[Proxy]:
    """In front of `upstream`, which is host:port."""
    chain, key = certificate(folder, HOST)
    port, plain_port = free_port(), free_port()
    make = nginx if kind == "nginx" else caddy
    command = make(folder, upstream, chain, key, port, plain_port)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with (folder / "proxy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=environment)
        try:
            await eventually(lambda: _listens(port), timeout=START_S)
            async with _client(port, chain) as secure, _plain(plain_port) as plain:
                yield Proxy(secure, plain)
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), STOP_S)
            print((folder / "proxy.log").read_text()[-3000:])


def nginx(folder: Path, upstream: str, chain: Path, key: Path, port: int, plain_port: int) -> list[str]:
    site = (ROOT / "deploy/nginx/dripstream.conf").read_text()
    site = re.sub(r"\n *listen \[::\].*", "", site)
    site = site.replace("listen 443", f"listen 127.0.0.1:{port}").replace(
        "listen 80;", f"listen 127.0.0.1:{plain_port};"
    )
    site = site.replace("server 127.0.0.1:8000", f"server {upstream}").replace("/var/log/nginx/", f"{folder}/")
    for name, path in (("fullchain", chain), ("privkey", key)):
        site = site.replace(f"/etc/letsencrypt/live/{HOST}/{name}.pem", str(path))
    (folder / "site.conf").write_text(site)
    bodies = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # its workers have to get at files of the test
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ {bodies} include {folder}/site.conf; }}"
    )
    return [program("nginx", "nginx-light"), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def caddy(folder: Path, upstream: str, chain: Path, key: Path, port: int, plain_port: int) -> list[str]:
    site = (ROOT / "deploy/caddy/Caddyfile").read_text()
    ours = f"admin off\n http_port {plain_port}\n https_port {port}\n default_bind 127.0.0.1\n"
    site = site.replace("\n{\n", f"\n{{\n{ours}", 1).replace("127.0.0.1:8000", upstream)
    site = site.replace(f"\n{HOST} {{", f"\n{HOST} {{\n tls {chain} {key}", 1)
    (folder / "Caddyfile").write_text(site)
    return [program("caddy", "caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _client(port: int, chain: Path) -> httpx.AsyncClient:
    """It asks for HOST and checks the certificate for it, wherever that is."""
    return httpx.AsyncClient(
        base_url=f"https://127.0.0.1:{port}",
        headers={"host": HOST},
        verify=ssl.create_default_context(cafile=str(chain)),
        event_hooks={"request": [_names_the_host]},
        timeout=30,
    )


async def _names_the_host(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = HOST


def _plain(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"host": HOST})


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
