"""Rich text: what may be written, and how it is read back."""

from services.sandbox.notion_model import body_invalid

MAX_TEXT, MAX_URL, MAX_ITEMS = 2000, 2000, 100
ITEM_FIELDS = frozenset(["type", "text", "annotations", "plain_text", "href"])
ANNOTATIONS: dict[str, object] = {
    "bold": False,
    "italic": False,
    "strikethrough": False,
    "underline": False,
    "code": False,
    "color": "default",
}


def length(text: str) -> int:
    """UTF-16 units, the likely measure: an emoji counts twice, so splitting by code points can fail here."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def too_long(path: str, size: int, limit: int) -> None:
    if size > limit:
        body_invalid(f"{path}.length", f"should be ≤ `{limit}`, instead was `{size}`")


def parse_rich_text(value: object, path: str) -> list[dict[str, object]]:
    """The list of text objects in the form Notion reads it back."""
    if not isinstance(value, list):
        body_invalid(path, f"should be an array, instead was `{shown(value)}`")
    too_long(path, len(value), MAX_ITEMS)
    return [_parse_item(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _parse_item(item: object, path: str) -> dict[str, object]:
    if not isinstance(item, dict) or not isinstance(item.get("text"), dict):
        body_invalid(f"{path}.text", "should be defined, instead was `undefined`")
    for name in sorted(item.keys() - ITEM_FIELDS):
        body_invalid(f"{path}.{name}", f"should be not present, instead was `{shown(item[name])}`")
    text = item["text"]
    content = text.get("content")
    if not isinstance(content, str):
        body_invalid(f"{path}.text.content", f"should be a string, instead was `{shown(content)}`")
    too_long(f"{path}.text.content", length(content), MAX_TEXT)
    url = _parse_link(text.get("link"), f"{path}.text.link")
    return text_object(content, url, _parse_annotations(item.get("annotations"), f"{path}.annotations"))


def _parse_link(link: object, path: str) -> str | None:
    if link is None:
        return None
    url = link.get("url") if isinstance(link, dict) else None
    if not isinstance(url, str) or not url:
        body_invalid(f"{path}.url", f"should be a string, instead was `{shown(url)}`")
    too_long(f"{path}.url", length(url), MAX_URL)
    return url


def _parse_annotations(value: object, path: str) -> dict[str, object]:
    given = {} if value is None else value
    if not isinstance(given, dict):
        body_invalid(path, f"should be an object, instead was `{shown(value)}`")
    for name in sorted(given.keys() - ANNOTATIONS.keys()):
        body_invalid(f"{path}.{name}", f"should be not present, instead was `{shown(given[name])}`")
    return given


def text_object(
    content: str, url: str | None = None, annotations: dict[str, object] | None = None
) -> dict[str, object]:
    return {
        "type": "text",
        "text": {"content": content, "link": {"url": url} if url else None},
        "annotations": {**ANNOTATIONS, **(annotations or {})},
        "plain_text": content,
        "href": url,
    }


def plain(items: object) -> str:
    return "".join(str(item["plain_text"]) for item in items) if isinstance(items, list) else ""


def shown(value: object) -> str:
    """A value as Notion quotes it in its messages."""
    if value is None:
        return "undefined"
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
