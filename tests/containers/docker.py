"""Docker as its users call it: the command line, and nothing behind it."""

import hashlib
import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from services.settings import ROOT
from tests.e2e.processes import Answer
from tests.ports import is_free

TREE = hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]
"""In every name that the engine knows: another checkout may run its tests on it at the same time."""

IMAGE = f"dripstream:test-{TREE}"
COMPOSE, CLUSTER = ROOT / "deploy" / "compose.yml", ROOT / "deploy" / "compose.cluster.yml"
PROFILES = ("dev", "notify", "monitoring", "cli")
PASSED_ON = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_BUILDKIT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
"""A setting of whoever runs the tests must not reach the stack."""

BUILD_S, UP_S, RUN_S = 1800, 900, 600
"""Only a hopeless run is ended by these. A command may stop containers one after the other, and each has a minute for
it.
"""

FIRST_PORT, PORTS = 32_000, 768
"""Below those that the kernel and the engine give to whoever asks for any, and above those of the other tests: a port
must not become somebody else's while its container is away.
"""


def docker(*args: str, within_s: float = RUN_S, environment: Mapping[str, str] | None = None) -> Answer:
    """Errors: subprocess.TimeoutExpired."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    done = subprocess.run(  # noqa: S603 - our own arguments
        ["docker", *args],  # noqa: S607 - whichever the PATH has, as for its users
        env={**passed, **(environment or {})}, capture_output=True, text=True, timeout=within_s, check=False,
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr)


def build_image() -> None:
    """As `up` does it where the image is missing. It is kept, so that the next build is short."""
    before = _image_id()
    passed = {name: os.environ[name] for name in ("PIP_INDEX_URL",) if name in os.environ}
    built = docker("compose", "-f", str(COMPOSE), "build", within_s=BUILD_S, environment={"IMAGE": IMAGE, **passed})
    assert built.code == 0, built.out[-3000:] + built.err[-3000:]
    if before not in {"", _image_id()}:
        docker("image", "rm", before)


def _image_id() -> str:
    return docker("images", "-q", "--no-trunc", IMAGE).out.strip()


_pairs = itertools.cycle(FIRST_PORT + (int(TREE, 16) + n) * 2 % PORTS for n in range(PORTS // 2))


def free_pair() -> int:
    """The first of two ports that follow each other; given to nobody else in this run."""
    return next(port for port in itertools.islice(_pairs, PORTS // 2) if is_free(port) and is_free(port + 1))


@dataclass
class Stack:
    """One project of compose, on ports of its own."""

    name: str
    profiles: Sequence[str] = ("dev",)
    files: Sequence[Any] = (COMPOSE,)
    settings: Mapping[str, str] = field(default_factory=dict)
    ingest_port: int = field(default_factory=free_pair)
    sandbox_port: int = field(default_factory=free_pair)
    nats_port: int = field(default_factory=free_pair)

    @property
    def project(self) -> str:
        return f"dripstream-test-{self.name}-{TREE}"

    def compose(self, *args: str, within_s: float = RUN_S) -> Answer:
        files = [part for file in self.files for part in ("-f", str(file))]
        profiles = [part for profile in self.profiles for part in ("--profile", profile)]
        return docker(
            "compose", "-p", self.project, *files, *profiles, "--env-file", "/dev/null", *args,
            within_s=within_s, environment=self.environment,
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        ports = {"SANDBOX_PORT": self.sandbox_port, "NATS_PORT": self.nats_port}
        ingest = f"{self.ingest_port}-{self.ingest_port + 1}" if CLUSTER in self.files else str(self.ingest_port)
        return {
            "IMAGE": IMAGE,
            "INGEST_PORT": ingest,
            **{name: str(port) for name, port in ports.items()},
            **self.settings,
        }

    def do(self, *args: str, within_s: float = RUN_S) -> str:
        answer = self.compose(*args, within_s=within_s)
        assert answer.code == 0, f"docker compose {' '.join(args)}: {answer.out[-2000:]}{answer.err[-2000:]}"
        return answer.out

    def up(self, *services: str) -> None:
        """Healthy, all of them. Nothing is pulled or built: what the tests need is here, or they fail."""
        self.do("up", "-d", "--wait", "--no-build", "--pull", "never", *services, within_s=UP_S)

    def cli(self, *args: str) -> Answer:
        """A command as an operator gives it."""
        return self.compose("run", "--rm", "-T", "--no-deps", "cli", *args)

    def containers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.do("ps", "-a", "--format", "json").splitlines()]

    def running(self) -> dict[str, str]:
        """The ids of what goes on running, by service; one-shots are not among them."""
        return {each["Service"]: each["ID"] for each in self.containers() if each["State"] == "running"}

    def says(self, service: str, text: str) -> None:
        """Waits until it does: the engine writes down what a container said a moment after that."""
        deadline = time.monotonic() + UP_S
        while text not in (said := self.do("logs", "--no-color", service)):
            assert time.monotonic() < deadline, f"{service} has not said {text!r}: {said[-2000:]}"
            time.sleep(0.2)

    def config(self) -> dict[str, Any]:
        """What compose makes of the files."""
        return dict(json.loads(self.do("config", "--format", "json")))

    def down(self) -> None:
        """Of every profile: one that was started may be left out now. What is thrown away need not finish anything."""
        every = replace(self, profiles=PROFILES)
        every.compose("kill")
        every.do("down", "--volumes", "--remove-orphans")


@contextmanager
def stack(**options: Any) -> Iterator[Stack]:
    """Nothing of it is left, whatever happens in the block; what the containers said is printed for a failed test."""
    made = Stack(**options)
    made.down()  # of a run that was killed
    try:
        yield made
    finally:
        print(made.compose("logs", "--no-color", "--tail", "40").out)
        made.down()
    assert left_of(made.project) == ""


def left_of(project: str) -> str:
    """Containers, volumes and networks, by their ids."""
    of_it = ("-q", "--filter", f"label=com.docker.compose.project={project}")
    return "".join(docker(*kind, *of_it).out for kind in (("ps", "-a"), ("volume", "ls"), ("network", "ls")))
