"""Are the columns there that we write, and are they the same ones as before? Pure."""

from collections.abc import Mapping

from contracts.ids import digest


def problems(wanted: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """One line for each column that is missing or of another type, by name."""
    return tuple(
        f"column {name!r} is missing" if name not in found else f"column {name!r} is {found[name]}, not {kind}"
        for name, kind in wanted.items()
        if found.get(name) != kind
    )


def identity(wanted: Mapping[str, str], found: Mapping[str, str], ids: Mapping[str, str]) -> str | None:
    """Of the columns we write. A column that is made anew has another id and is empty in every row.

    "" where one has another type: what Notion cannot convert is lost, and stays so when the type is put right.
    None while one is missing: renamed, it comes back as it was.
    """
    if any(found.get(name, kind) != kind for name, kind in wanted.items()):
        return ""
    if wanted.keys() - found.keys():
        return None
    return digest("\n".join(f"{name}: {ids[name]}" for name in sorted(wanted)))
