"""A clean server to install on: a container in which systemd is process 1."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from services.settings import ROOT
from tests.containers.docker import TREE, docker
from tests.e2e.processes import Answer

IMAGE = "dripstream-test-server"
NAME = f"{IMAGE}-{TREE}"
CHECKOUT = "/root/dripstream"
PARTS = (
    "pyproject.toml", "requirements", "contracts", "journey", "eventlog", "services", "cli", "campaigns", "deploy",
    "docs", "README.md", ".env.example", "LICENSE",
)  # fmt: skip
"""What install.sh reads. A whole checkout holds what was built here as well."""

RIGHTS = ("SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN", "SYSLOG")
"""Beside those of every container: what systemd needs to shut its services in. `--privileged` may not be had."""

BUILD_S, COMMAND_S, INSTALL_S = 1800, 600, 1800
"""Only a hopeless run is ended by these. To stop all of Dripstream may take a minute and a half by its units alone."""


class Server:
    def __call__(self, command: str, *, within_s: float = COMMAND_S) -> Answer:
        """A command of root's. Errors: subprocess.TimeoutExpired."""
        index = [f"--env=PIP_INDEX_URL={os.environ['PIP_INDEX_URL']}"] if "PIP_INDEX_URL" in os.environ else []
        return docker("exec", *index, NAME, "bash", "-c", command, within_s=within_s)

    def do(self, command: str, *, within_s: float = COMMAND_S) -> str:
        answer = self(command, within_s=within_s)
        assert answer.code == 0, f"{command}: {answer.out[-3000:]}{answer.err[-3000:]}"
        return answer.out

    def install(self, *options: str) -> str:
        return self.do(f"{CHECKOUT}/deploy/install.sh {' '.join(options)}", within_s=INSTALL_S)

    def is_active(self, unit: str) -> bool:
        return self(f"systemctl is-active --quiet {unit}").code == 0

    def shows(self, unit: str, name: str) -> str:
        return self.do(f"systemctl show --property={name} --value {unit}").strip()

    def eventually(self, command: str, *, within_s: float = COMMAND_S) -> str:
        """What it said once it succeeded."""
        deadline = time.monotonic() + within_s
        while (answer := self(command)).code != 0:
            assert time.monotonic() < deadline, f"not within {within_s} s: {command}: {answer.out}{answer.err}"
            time.sleep(0.2)
        return answer.out


@contextmanager
def server() -> Iterator[Server]:
    """With a checkout on it and nothing else of ours; nothing of it is left."""
    _built()
    docker("rm", "--force", "--volumes", NAME)  # of a run that was killed
    rights = [f"--cap-add={right}" for right in RIGHTS]
    unconfined = [f"--security-opt={name}=unconfined" for name in ("seccomp", "apparmor", "systempaths")]
    temporary = ["--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp:exec"]
    started = docker("run", "--detach", "--name", NAME, *rights, *unconfined, *temporary, "--cgroupns=private",
                     "--env=container=docker", f"--volume={ROOT}:/src:ro", IMAGE)  # fmt: skip
    try:
        assert started.code == 0, started.err
        machine = Server()
        machine.eventually("systemctl is-system-running --wait")
        machine.do(f"mkdir {CHECKOUT} && cd /src && cp -r {' '.join(PARTS)} {CHECKOUT}")
        yield machine
    finally:
        print(docker("logs", "--tail", "20", NAME).out)
        docker("rm", "--force", "--volumes", NAME)


def _built() -> None:
    folder = ROOT / "tests" / "systemd"
    base = os.environ.get("SERVER_BASE", "python:3.13-slim")
    done = docker("build", "-t", IMAGE, f"--build-arg=BASE={base}", str(folder), within_s=BUILD_S)
    assert done.code == 0, done.out[-2000:] + done.err[-2000:]
