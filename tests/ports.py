"""Ports for the servers of tests: each is given out once in a long while, and to one worker.

What the kernel gives (port 0, bound and let go again) it may give to another worker, or to an outgoing connection,
until the server has bound it, and once more while that server is down. So each worker of pytest-xdist goes through
ports of its own, below those that the kernel gives.
"""

import itertools
import os
import socket

FIRST, EACH = 10_000, 2_000
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 11
_start = os.getpid() * 13 % EACH  # another run of the tests beside this one begins elsewhere
_ports = itertools.cycle(FIRST + _worker * EACH + (_start + n) % EACH for n in range(EACH))


def free_port() -> int:
    return next(port for port in itertools.islice(_ports, EACH) if is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
