"""Lay out the pages for the docs site: `python docs/site.py` before `zensical build`; `make site` does both.

The README becomes the home page. A link to a file that is no page becomes its name, for the site has no such file; a
link that is called like its file is called like its page. The list of what is on a page is left out: the site has its
own beside each.
"""

import re
import shutil
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "site-src"
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
OUTSIDE = re.compile(r"https?://|mailto:|#")
FENCE = re.compile(r"^( *(?:```|~~~).*?^ *(?:```|~~~) *$)", re.MULTILINE | re.DOTALL)
OF_SECTIONS = re.compile(r"^(?:- \[[^\]]+\]\(#[^)]+\)\n)+\n", re.MULTILINE)
IN_MENU = re.compile(r'^ +- "?(.+?)"?: ([\w/-]+\.md)$', re.MULTILINE)


def pages() -> dict[Path, Path]:
    """Where each page of the repository is on the site."""
    found = {path: path.relative_to(ROOT / "docs") for path in sorted((ROOT / "docs").rglob("*.md"))}
    return {**found, ROOT / "README.md": Path("index.md"), ROOT / "CONTRIBUTING.md": Path("contributing.md"),
            ROOT / "CHANGELOG.md": Path("changelog.md")}  # fmt: skip


def laid_out(text: str, source: Path, on_site: dict[Path, Path]) -> str:
    """The page with its links as they are on the site; code is left alone."""
    parts = FENCE.split(OF_SECTIONS.sub("", text, count=1))
    parts[::2] = [LINK.sub(lambda match: _link(match, source, on_site), part) for part in parts[::2]]
    return "".join(parts)


def _link(match: re.Match[str], source: Path, on_site: dict[Path, Path]) -> str:
    mark, label, target = match.groups()
    if OUTSIDE.match(target):
        return match[0]
    name, _, anchor = target.partition("#")
    file = (source.parent / name).resolve()
    here = on_site[source].parent
    if file in on_site:
        shown = in_the_menu().get(on_site[file].as_posix(), label) if label.endswith(file.name) else label
        return f"{mark}[{shown}]({_relative(on_site[file], here)}{'#' + anchor if anchor else ''})"
    if mark:
        return f"![{label}]({_relative(file.relative_to(ROOT / 'docs'), here)})"
    return f"`{label}`" if "`" not in label and (label.endswith(file.name) or "/" in label) else label


def _relative(target: Path, folder: Path) -> str:
    return "../" * len(folder.parts) + target.as_posix()


@cache
def in_the_menu() -> dict[str, str]:
    """How each page is called there."""
    return {page: name for name, page in IN_MENU.findall((ROOT / "mkdocs.yml").read_text())}


def main() -> int:
    shutil.rmtree(OUT, ignore_errors=True)
    on_site = pages()
    for source, name in on_site.items():
        (OUT / name).parent.mkdir(parents=True, exist_ok=True)
        (OUT / name).write_text(laid_out(source.read_text(), source, on_site))
    shutil.copytree(ROOT / "docs" / "images", OUT / "images")
    shutil.copy(ROOT / "docs" / "site.css", OUT)
    listed = set(in_the_menu())
    there = {name.as_posix() for name in on_site.values()}
    for name in sorted(there ^ listed):
        sys.stderr.write(f"mkdocs.yml: nav {'lists no' if name in there else 'lists a missing'} {name}\n")
    return 1 if there != listed else 0


if __name__ == "__main__":
    sys.exit(main())
