"""Wait until the nats-server of this machine has JetStream, or until whatever is at --url answers 200.

Exit code 1, and what it said, when it does not in time, or when the process of --pid has ended meanwhile.

It runs with `python -I -S`, so it needs the standard library alone.
"""

import argparse
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

URL = "http://127.0.0.1:8222/healthz?js-enabled-only=true"
PAUSE_S = 2.0
ANSWER_S = 5.0


def trouble(url: str) -> str:
    """Empty when it is well."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_S):  # noqa: S310 - an address of the operator's own
            return ""
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}: {error.read(200).decode(errors='replace').strip()}"
    except OSError as error:
        return str(error)


def has_ended(pid: int | None) -> bool:
    """Nobody should wait ten minutes for a server that has refused its configuration at once."""
    return pid is not None and not Path(f"/proc/{pid}").exists()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=URL)
    parser.add_argument("--within", type=float, default=0.0, help="seconds; asked again until then")
    parser.add_argument("--pid", type=int, help="who should answer")
    given = parser.parse_args()
    deadline = time.monotonic() + given.within
    while said := trouble(given.url):
        if has_ended(given.pid):
            sys.stderr.write(f"{given.url}: the process that should answer has ended\n")
            return 1
        if time.monotonic() + PAUSE_S > deadline:
            sys.stderr.write(f"{given.url}: {said}\n")
            return 1
        time.sleep(PAUSE_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
