"""A server to install on, and the same with Dripstream at work on it. A Docker engine that is missing fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.sandbox.seed import BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID
from tests.systemd.server import Server, server

SANDBOX = "http://127.0.0.1:8025"
SETTINGS = f"""
DRIPSTREAM_HOST=0.0.0.0
RESEND_API_URL={SANDBOX}
NOTION_API_URL={SANDBOX}
NOTION_EMAIL_SEQUENCE_DB_ID={EMAIL_SEQUENCE_DB_ID}
NOTION_BUSINESSX_DB_ID='{BUSINESSX_DB_ID}'
"""
GIVEN = {"RESEND_API_KEY": "re_example", "NOTION_TOKEN": "ntn_example", "NOTIFY_WEBHOOK_URL": "http://127.0.0.1:8026/"}
CHAT = """
import http.server
class Chat(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        open('/root/told', 'ab').write(self.rfile.read(int(self.headers['content-length'])) + b'\\n')
        self.send_response(200); self.end_headers(); self.wfile.write(b'ok')
http.server.HTTPServer(('127.0.0.1', 8026), Chat).serve_forever()
"""
PYTHON = "/opt/dripstream/current/venv/bin/python"


@dataclass
class Installed:
    """`first` is what install.sh said without the three given secrets, `again` with them."""

    first: str
    before: dict[str, bool]
    again: str


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.container)


@pytest.fixture(scope="session")
def empty() -> Iterator[Server]:
    with server() as machine:
        yield machine


@pytest.fixture
def installed(empty: Server) -> Installed:
    """Once for all tests, and again after one that has removed it."""
    if empty("test -e /opt/dripstream").code == 0:
        return _known[0]
    first = empty.install()
    before = {name: empty.is_active(f"dripstream-{name}") for name in
              ("nats", "init", "ingest", "scheduler", "sender", "notion-sync", "notifier")}  # fmt: skip
    _stand_ins(empty)
    empty.do(f"cat >>/etc/dripstream/env <<'EOF'\n{SETTINGS}EOF")
    for name, value in GIVEN.items():
        empty.do(f"echo '{value}' >/etc/dripstream/secrets/{name}")
    empty.do("systemctl restart dripstream.target")
    _known[:] = [Installed(first, before, empty.install())]
    return _known[0]


_known: list[Installed] = []


def _stand_ins(machine: Server) -> None:
    """The sandbox in the place of Resend and Notion, and something that is told alerts; both answer."""
    machine("systemctl stop sandbox chat; rm -f /root/told")
    run = "systemd-run --collect -p WorkingDirectory=/root"
    machine.do(f"{run} --unit=sandbox /opt/dripstream/current/venv/bin/dripstream sandbox")
    machine.do(f"cat >/root/chat.py <<'EOF'{CHAT}EOF\n{run} --unit=chat python3 /root/chat.py")
    for port in (8025, 8026):
        machine.eventually(f"{PYTHON} -c \"import socket; socket.create_connection(('127.0.0.1', {port}), 60)\"")


@pytest.fixture
def machine(empty: Server, installed: Installed) -> Server:
    """All of Dripstream is at work."""
    return empty
