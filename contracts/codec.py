"""JSON on the wire: readable in `nats stream view`, decoded into frozen Structs."""

from typing import Any

import msgspec

from contracts.base import Fact
from contracts.facts import FACTS, AnyFact
from contracts.messages import EmailDue

_encoder = msgspec.json.Encoder()
_fact: msgspec.json.Decoder[AnyFact] = msgspec.json.Decoder(AnyFact)
_due = msgspec.json.Decoder(EmailDue)


class Undecodable(ValueError):
    """Bytes that no schema we know can read."""


class Unheard(Undecodable):
    """A fact of a kind this version does not know: a newer one wrote it, and can read it."""


class _Tagged(msgspec.Struct):
    type: str


_tag = msgspec.json.Decoder(_Tagged)
TAGS = frozenset(str(each.__struct_config__.tag) for each in FACTS)


def encode(value: msgspec.Struct) -> bytes:
    return _encoder.encode(value)


def decode_fact(payload: bytes) -> AnyFact:
    """Errors: Undecodable, naming the field, never its content; Unheard, where only the kind is not known."""
    try:
        return _fact.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise (Unheard if _is_unheard(payload) else Undecodable)(str(error)[:200]) from error


def fact_at(subject: str, payload: bytes) -> AnyFact:
    """A fact where it belongs. Errors: as `decode_fact`, and `require_place`."""
    fact = decode_fact(payload)
    require_place(fact, subject)
    return fact


def require_place(value: object, subject: str) -> None:
    """What may be stated by whom is known by subject (deploy/nats/users.conf), so no fact may say it is another.

    Errors: Undecodable, for a fact about somebody else or of another kind than its subject has.
    """
    if isinstance(value, Fact) and subject.split(".")[1:3] != [value.contact, value.tag]:
        raise Undecodable(f"a fact {value.tag} under the subject of another kind, or of somebody else")


def _is_unheard(payload: bytes) -> bool:
    try:
        return _tag.decode(payload).type not in TAGS
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def decode_due(payload: bytes) -> EmailDue:
    """Errors: Undecodable."""
    try:
        return _due.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Undecodable(str(error)[:200]) from error


def schema() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every fact and message, by tag."""
    types: tuple[type[msgspec.Struct], ...] = (*FACTS, EmailDue)
    _, components = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    return {str(t.__struct_config__.tag): _closed(t.__name__, components) for t in types}


def _closed(name: str, components: dict[str, Any]) -> dict[str, Any]:
    """One component with only the definitions it refers to."""
    text = msgspec.json.encode(components[name]).decode()
    defs = {other: body for other, body in components.items() if other != name and f"#/$defs/{other}" in text}
    return {**components[name], **({"$defs": defs} if defs else {})}
