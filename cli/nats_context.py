"""Contexts of the nats command, which keeps there how to reach a broker: we reach it the same way."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from services.settings import Settings

SELECTED = "."
"""In the place of a name: the one that `nats context select` chose. Never taken unasked."""

DEFAULT_URL = "nats://127.0.0.1:4222"

TEXTS = {"url": "nats_url", "user": "nats_user", "jetstream_domain": "nats_domain", "inbox_prefix": "nats_inbox_prefix"}
SECRETS = {"password": "nats_password", "token": "nats_token"}
FILES = {"creds": "nats_creds", "ca": "nats_tls_ca", "cert": "nats_tls_cert", "key": "nats_tls_key"}
NKEY = "nkey"
UNHEARD = ("nsc", "socks_proxy", "jetstream_api_prefix", "jetstream_event_prefix", "user_jwt", "user_seed", "tls_first",
           "windows_cert_store", "windows_cert_match", "windows_cert_match_by")  # fmt: skip
"""What the nats command knows and we do not do: it decides how one connects, so it is not passed over."""

FIELDS = ("nats_nkey_seed", *TEXTS.values(), *SECRETS.values(), *FILES.values())


class BadContext(ValueError):
    """No such context, or one that cannot be used; names the file and never a secret."""


def with_context(settings: Settings, *, chosen: bool) -> Settings:
    """The settings, with the broker of their context. `chosen`: on the command line, where it stands for all of them.

    Errors: BadContext.
    """
    if settings.nats_context is None:
        return settings
    both = [name for name in FIELDS if getattr(settings, name) is not None]
    if both and not chosen:
        variables = ", ".join(str(Settings.model_fields[name].alias) for name in both)
        raise BadContext(f"NATS_CONTEXT names a broker, and so does {variables}: keep one of them")
    return settings.model_copy(update=dict.fromkeys(FIELDS) | read_context(settings.nats_context))


def folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "nats"


def read_context(name: str) -> dict[str, object]:
    """As settings. Errors: BadContext."""
    path = folder() / "context" / f"{_selected() if name == SELECTED else _checked(name)}.json"
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        raise BadContext(f"no NATS context {path.stem!r} in {path.parent}; {_known()}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadContext(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not a text'}") from error
    return _settings(_fields(text, path), text, path)


def _selected() -> str:
    try:
        return _checked((folder() / "context.txt").read_text().strip())
    except OSError as error:
        raise BadContext(f"no NATS context is selected: `nats context select`, or name one; {_known()}") from error


def _checked(name: str) -> str:
    if not name or name.startswith(".") or "/" in name or "\\" in name:
        raise BadContext(f"{name!r} is not the name of a NATS context; {_known()}")
    return name


def _known() -> str:
    names = sorted(path.stem for path in (folder() / "context").glob("*.json"))
    return f"known: {', '.join(names)}" if names else "there are none: `nats context add` makes one"


def _fields(text: str, path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadContext(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    if not isinstance(found, dict):
        raise BadContext(f"{path}:1: not a JSON object")
    return {name: value for name, value in found.items() if value not in ("", None, False)}


def _settings(found: Mapping[str, Any], text: str, path: Path) -> dict[str, object]:
    for name, value in found.items():
        if name in UNHEARD:
            raise BadContext(f"{_place(path, text, name)}: Dripstream does not do {name}; use user, creds or nkey, "
                             "and ca, cert, key")  # fmt: skip
        if name in {*TEXTS, *SECRETS, *FILES, NKEY} and not isinstance(value, str):
            raise BadContext(f"{_place(path, text, name)}: {name} is not a text")
    made: dict[str, object] = {"nats_url": DEFAULT_URL}
    made |= {TEXTS[name]: value for name, value in found.items() if name in TEXTS}
    made |= {SECRETS[name]: SecretStr(value) for name, value in found.items() if name in SECRETS}
    files = {name: Path(found[name]).expanduser() for name in (*FILES, NKEY) if name in found}
    for name, file in files.items():
        if not file.is_file():
            raise BadContext(f"{_place(path, text, name)}: there is no file {file}")
    made |= {FILES[name]: file for name, file in files.items() if name in FILES}
    if NKEY in files:
        made["nats_nkey_seed"] = SecretStr(files[NKEY].read_text().strip())
    return made


def _place(path: Path, text: str, name: str) -> str:
    """`file:line` of a field."""
    lines = [number for number, line in enumerate(text.splitlines(), start=1) if f'"{name}"' in line]
    return f"{path}:{lines[0] if lines else 1}"
