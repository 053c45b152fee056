"""The text part of an email, from its HTML: as if a person had typed it."""

import re
import textwrap
from typing import Any

from inscriptis.css_profiles import STRICT_CSS_PROFILE  # type: ignore[import-untyped]
from inscriptis.html_engine import Inscriptis  # type: ignore[import-untyped]
from inscriptis.html_properties import Display  # type: ignore[import-untyped]
from inscriptis.model.attribute import Attribute  # type: ignore[import-untyped]
from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped]
from inscriptis.model.css import CssParse  # type: ignore[import-untyped]
from inscriptis.model.html_element import HtmlElement  # type: ignore[import-untyped]
from inscriptis.model.tag import CustomHtmlTagHandlerMapping  # type: ignore[import-untyped]
from lxml.html import HtmlElement as Element  # type: ignore[import-untyped]
from lxml.html import document_fromstring

from journey.masking import mask

WIDTH = 76
_BULLET = re.compile(r" +(\*|\d+\.) ")


def text_of(html: str) -> str:
    tree = document_fromstring(html)
    for link in tree.iter("a"):
        _write_out(link)
    lines = Inscriptis(tree, _config()).get_text().split("\n")
    return _one_blank_between("\n".join(map(_wrapped, lines)))


def preview(html: str) -> str:
    """The text part of a template whose Liquid is still in it: for people to read, and to begin their own from."""
    masked = mask(html)
    return masked.restored(text_of(masked.text))


def _write_out(link: Element) -> None:
    """`label: https://…`; a link that is its own label is not said twice."""
    target = str(link.get("href", "")).removeprefix("mailto:").removeprefix("tel:")
    label = " ".join(str(link.text_content()).split())
    if target and target != label:
        link.tail = f": {target}{link.tail or ''}"


def _wrapped(line: str) -> str:
    bullet = _BULLET.match(line)
    return textwrap.fill(
        line[bullet.end() :] if bullet else line.strip(),
        WIDTH,
        initial_indent=bullet[0] if bullet else "",
        subsequent_indent=" " * bullet.end() if bullet else "",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _one_blank_between(text: str) -> str:
    blocks = (block.strip("\n") for block in text.split("\n\n"))
    return "\n\n".join(block for block in blocks if block.strip()) + "\n"


def _config() -> ParserConfig:
    """MJML lays out with tables, so cells are read as paragraphs and no style but `display` counts."""
    nothing: dict[str, Any] = {"table": None, "tr": None, "td": None, "th": None}
    config = ParserConfig(
        css=STRICT_CSS_PROFILE | _CELLS,
        custom_html_tag_handler_mapping=CustomHtmlTagHandlerMapping(nothing, nothing),
    )
    config.attribute_handler = Attribute()
    config.attribute_handler.attribute_mapping = {"style": _display}
    return config


def _display(style: str, element: HtmlElement) -> None:
    if "display:none" in style.replace(" ", "").lower():
        CssParse.attr_display("none", element)


def _block(margin: int = 0) -> HtmlElement:
    return HtmlElement(display=Display.block, margin_before=margin, margin_after=margin)


_CELLS = {"table": _block(), "tr": _block(), "td": _block(1), "th": _block(1)}
