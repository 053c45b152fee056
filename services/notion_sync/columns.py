"""Are the columns there that we write? Pure."""

from collections.abc import Mapping


def problems(wanted: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """One line for each column that is missing or of another type, by name."""
    return tuple(
        f"column {name!r} is missing" if name not in found else f"column {name!r} is {found[name]}, not {kind}"
        for name, kind in wanted.items()
        if found.get(name) != kind
    )
