"""Is the service in this container there? For HEALTHCHECK: exit code 0 or 1, and one line that says why.

`healthcheck.py 8000/ready` asks that; without an argument the first port of ours that listens is asked for `/health`.
It runs every few seconds, so it imports next to nothing; the slim image has no curl.
"""

import http.client
import sys

KNOWN = ("8080/health", "8000/health", "8025/_control/counts")
TIMEOUT_S = 4


def ask(target: str) -> tuple[int, str]:
    """Errors: OSError where nobody listens."""
    port, _, path = target.partition("/")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_S)
    try:
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        return answer.status, answer.read(500).decode(errors="replace")
    finally:
        connection.close()


def main(targets: tuple[str, ...]) -> int:
    for target in targets:
        try:
            status, body = ask(target)
        except ConnectionRefusedError:
            continue
        except (OSError, http.client.HTTPException) as error:
            print(f"{target}: {type(error).__name__}")
            return 1
        print(f"{target}: {status} {body}")
        return int(status != http.client.OK)
    print(f"nobody listens: {', '.join(targets)}")
    return 1


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:]) or KNOWN))
