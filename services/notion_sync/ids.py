"""Ids of pages and databases, in any spelling that people find them in. Pure."""

import re
from urllib.parse import SplitResult, parse_qs, urlsplit
from uuid import UUID

_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$", re.IGNORECASE)
_NOTION = re.compile(r"(^|\.)notion\.(so|site|com)$", re.IGNORECASE)


def page_id(text: str) -> str | None:
    """An id with dashes or without, or a link to the page; None for anything else.

    A page that stands open beside a database is named after it, as `p`.
    """
    link = _link(text)
    beside = parse_qs(link.query).get("p", [""])[0] if link else ""
    return _last_id(beside) or database_id(text)


def database_id(text: str) -> str | None:
    """As `page_id`; a view or a page that the link names as well is not what is meant."""
    link = _link(text)
    return _last_id(link.path.rstrip("/").rpartition("/")[2]) if link else None


def _link(text: str) -> SplitResult | None:
    """An id alone is all path. None for a link to somewhere else."""
    try:
        link = urlsplit(text.strip())
        return link if not link.netloc or _NOTION.search(link.hostname or "") else None
    except ValueError:
        return None


def _last_id(text: str) -> str | None:
    """Behind a title, which may hold as many such digits of its own."""
    found = _ID.search(text)
    return str(UUID(found[1])) if found else None
