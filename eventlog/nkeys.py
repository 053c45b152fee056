"""Signing the server's nonce with an nkey: an Ed25519 seed as `nk -gen user` writes it, alone or in a .creds file."""

import base64
import binascii
import re
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED, USER = 18 << 3, 20 << 3
"""The first bits of a key say what it is: S for a seed, U for a user."""

_BLOCK = r"-{3,} *BEGIN %s *-{3,}\s+(\S+)\s+-{3,} *END %s *-{3,}"


class BadKey(ValueError):
    """Not an nkey, or not one of a user. Never says which text."""


class Signer(NamedTuple):
    """Who signs: the public key, and for a .creds file the JWT that says what the key may do."""

    key: Ed25519PrivateKey
    public: str
    jwt: str | None = None

    def sign(self, nonce: str) -> str:
        return base64.urlsafe_b64encode(self.key.sign(nonce.encode())).decode().rstrip("=")


def from_seed(seed: str, jwt: str | None = None) -> Signer:
    """Errors: BadKey."""
    raw = _decoded(seed.strip())
    if len(raw) != 34 or raw[0] & 0xF8 != SEED or (raw[0] & 7) << 5 | raw[1] >> 3 != USER:
        raise BadKey("not the seed of a user's nkey: that begins with SU and has 58 characters")
    key = Ed25519PrivateKey.from_private_bytes(raw[2:])
    return Signer(key, encoded(bytes([USER]) + key.public_key().public_bytes_raw()), jwt)


def from_creds(path: Path) -> Signer:
    """Errors: BadKey, naming the file."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadKey(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not a text'}") from error
    jwt, seed = (re.search(_BLOCK % (kind, kind), text) for kind in ("NATS USER JWT", "USER NKEY SEED"))
    if not (jwt and seed):
        raise BadKey(f"{path}: not a .creds file: it has no user JWT with its seed")
    try:
        return from_seed(seed[1], jwt[1])
    except BadKey as error:
        raise BadKey(f"{path}: {error}") from error


def encoded(raw: bytes) -> str:
    """As text, with its checksum."""
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError) as error:
        raise BadKey("not an nkey: it has other characters than A to Z and 2 to 7") from error
    if binascii.crc_hqx(raw[:-2], 0).to_bytes(2, "little") != raw[-2:]:
        raise BadKey("not an nkey: its checksum is wrong, so a character is missing or mistyped")
    return raw[:-2]
