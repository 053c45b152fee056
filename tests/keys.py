"""Keys, .creds files and certificates of our own making, as `nk`, `nsc` and an authority would hand them out."""

import base64
import hashlib
import ipaddress
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventlog.nkeys import SEED, encoded

OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3


class Pair(NamedTuple):
    """An nkey of some kind."""

    seed: str
    public: str
    key: Ed25519PrivateKey


def pair(kind: int) -> Pair:
    key = Ed25519PrivateKey.generate()
    head = bytes([SEED | kind >> 5, (kind & 31) << 3])
    return Pair(
        encoded(head + key.private_bytes_raw()), encoded(bytes([kind]) + key.public_key().public_bytes_raw()), key
    )


def jwt(issuer: Pair, subject: str, name: str, kind: str, **claims: Any) -> str:
    """As NATS signs them."""
    said = {"iat": int(time.time()), "iss": issuer.public, "name": name, "sub": subject}
    said["nats"] = {"type": kind, "version": 2, **claims}
    said["jti"] = base64.b32encode(hashlib.sha256(msgspec.json.encode(said)).digest()).decode().rstrip("=")
    text = f"{_part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_part(said)}"
    return f"{text}.{_base64(issuer.key.sign(text.encode()))}"


def _part(value: object) -> str:
    return _base64(msgspec.json.encode(value))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def creds(token: str, seed: str) -> str:
    return (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        "************************* IMPORTANT *************************\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )


class Authority:
    """It signs certificates for loopback, into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(_pem(self._signed(self._name, self._key.public_key(), is_authority=True)))

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        cert, secret = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert.write_bytes(_pem(self._signed(subject, key.public_key(), is_authority=False)))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert, secret

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
