"""Secrets out of files: `RESEND_API_KEY_FILE=/run/secrets/resend` in the place of `RESEND_API_KEY=re_…`.

Containers and systemd hand secrets over as files, since an environment is shown by `inspect` and inherited by children.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

SUFFIX = "_FILE"
LIMIT = 64 * 1024
"""Far above any key; somebody who names a log or a device by mistake is told."""


def secrets_in_files(environment: Mapping[str, str | None], secrets: Iterable[str]) -> dict[str, str]:
    """The secrets that are given by file, by their own names.

    Errors: ValueError, naming the variable and the path and never the content.
    """
    named = {secret: environment.get(secret + SUFFIX) or "" for secret in secrets}
    both = sorted(secret for secret, path in named.items() if path and environment.get(secret))
    if both:
        raise ValueError("; ".join(f"{each} and {each}{SUFFIX} are both set: leave one out" for each in both))
    return {secret: _content(secret + SUFFIX, Path(path)) for secret, path in named.items() if path}


def _content(variable: str, path: Path) -> str:
    """Without what an editor or `echo` leaves around it: no secret begins or ends with a blank or a line end."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1).decode()
    except OSError as error:
        raise ValueError(f"{variable}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{variable}: {path} is not text in UTF-8") from None
    if len(content) > LIMIT:
        raise ValueError(f"{variable}: {path} is too large for a secret")
    content = content.strip()
    if not content:
        raise ValueError(f"{variable}: {path} is empty")
    return content
