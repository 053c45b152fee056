"""Which property of a database is which of our columns, and are they the same ones as before? Pure.

People rename columns. A property keeps its id, so that is what a column is known by once it was found by its name.
"""

from collections.abc import Mapping

import msgspec

from contracts.ids import digest


class Property(msgspec.Struct, frozen=True):
    """A column as Notion has it."""

    id: str
    type: str


class Resolved(msgspec.Struct, frozen=True):
    """Our columns among those of a database: the id and type of each, and the name it goes by where that is another.

    `problems`: one line for each that is missing or of another type, by name.
    """

    ids: Mapping[str, str]
    renamed: Mapping[str, str]
    problems: tuple[str, ...]
    identity: str | None
    types: Mapping[str, str] = {}


def resolve(wanted: Mapping[str, str], found: Mapping[str, Property], known: Mapping[str, str]) -> Resolved:
    """`found` is by name as people see it; `known` are the ids of our columns when they were last there."""
    names = {each.id: name for name, each in found.items()}
    moved = {name: names[known[name]] for name in wanted if known.get(name) in names}
    there = {name: name for name in wanted if name not in moved.values()} | moved
    present = {name: found[theirs] for name, theirs in there.items() if theirs in found}
    return Resolved(
        ids={name: each.id for name, each in present.items()},
        renamed={name: theirs for name, theirs in there.items() if name in present and theirs != name},
        problems=tuple(filter(None, (_problem(name, kind, present.get(name)) for name, kind in wanted.items()))),
        identity=_identity(wanted, present),
        types={name: each.type for name, each in present.items()},
    )


def _problem(name: str, kind: str, found: Property | None) -> str | None:
    if found is None:
        return f"column {name!r} is missing"
    return None if found.type == kind else f"column {name!r} is {found.type}, not {kind}"


def _identity(wanted: Mapping[str, str], present: Mapping[str, Property]) -> str | None:
    """Of the columns we write. A column that is made anew has another id and is empty in every row.

    "" where one has another type: what Notion cannot convert is lost, and stays so when the type is put right.
    None while one is missing: whoever deleted it may bring it back.
    """
    if any(each.type != wanted[name] for name, each in present.items()):
        return ""
    if wanted.keys() - present.keys():
        return None
    return digest("\n".join(f"{name}: {present[name].id}" for name in sorted(wanted)))
