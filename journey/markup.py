"""What MJML and HTML a template may hold: allow-lists, since escaping values makes no link safe."""

import re
from collections.abc import Iterator, Mapping, Set
from html.entities import name2codepoint
from xml.parsers import expat  # operators' own files, without entities: DOCTYPE is refused below

from journey.liquid_rules import Finding
from journey.masking import Masked

_HOLDERS = frozenset(
    {
        "mjml",
        "mj-head",
        "mj-attributes",
        "mj-body",
        "mj-wrapper",
        "mj-section",
        "mj-group",
        "mj-column",
    }
)
"""Elements that hold elements only: MJML drops text in them without a word."""

_OTHERS = frozenset(
    {
        "mj-title",
        "mj-preview",
        "mj-all",
        "mj-class",
        "mj-style",
        "mj-breakpoint",
        "mj-raw",
        "mj-text",
        "mj-button",
        "mj-divider",
        "mj-spacer",
        "mj-table",
        "mj-image",
    }
)
_HTML = frozenset(
    {
        "a",
        "b",
        "blockquote",
        "br",
        "div",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "hr",
        "i",
        "li",
        "meta",
        "ol",
        "p",
        "small",
    }
    | {"span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul"}
)
ELEMENTS = _HOLDERS | _OTHERS | _HTML

DEPTH_LIMIT = 30
"""Elements in elements: the MJML compiler goes down them on the stack, and ends the whole process where that ends."""

_LINKS = frozenset({"href", "src", "background", "background-url", "poster", "action"})
_MAY_HOLD_LIQUID = frozenset({"href", "src", "title", "alt", "aria-label"})
_SAFE_LINK = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?([/?#]|$)|mailto:|tel:")
_CONSTANT_LINK = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}([/?#]|$)")
_VARIABLE_LINK = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}")
_ACTIVE_CSS = re.compile(r"url\s*\(|expression\s*\(|@import|\\", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"[a-z][a-z-]*")
_MARKUP = re.compile(r"[\"<>]")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})


def with_plain_entities(source: str) -> str:
    """`&nbsp;` and the like as the characters they are; XML, and so MJML, knows only five names."""

    def character(match: re.Match[str]) -> str:
        name = match[1]
        return chr(name2codepoint[name]) if name in name2codepoint and name not in _XML_ENTITIES else match[0]

    return _ENTITY.sub(character, source)


def check_markup(masked: Masked, constants: Mapping[str, str], links: Set[str]) -> list[Finding]:
    """`links` are the variables that are checked to be https URLs for every recipient."""
    walk = _Walk(masked, constants, links)
    try:
        walk.parser.Parse(masked.text.encode(), True)
    except expat.ExpatError as error:
        return [*walk.findings, Finding(error.lineno, f"MJML: {expat.ErrorString(error.code)}")]
    return walk.findings


class _Walk:
    """One pass of the XML parser, which knows the line of each element."""

    def __init__(self, masked: Masked, constants: Mapping[str, str], links: Set[str]) -> None:
        self.masked, self.constants, self.links = masked, constants, links
        self.findings: list[Finding] = []
        self.open: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = lambda _: self.open.pop()
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = lambda *_: self._refuse("DOCTYPE is not allowed")
        self.parser.StartCdataSectionHandler = lambda: self._refuse("CDATA is not allowed")
        self.parser.ProcessingInstructionHandler = lambda *_: self._refuse("processing instructions are not allowed")

    def _refuse(self, reason: str) -> None:
        self.findings.append(Finding(self.parser.CurrentLineNumber, reason))

    def _start(self, element: str, attributes: dict[str, str]) -> None:
        self.open.append(element)
        if len(self.open) == DEPTH_LIMIT + 1:
            self._refuse(f"more than {DEPTH_LIMIT} elements inside each other")
        if element not in ELEMENTS:
            self._refuse(f"the element <{element}> is not allowed")
        for name, value in attributes.items():
            for reason in self._wrong(name, value):
                self._refuse(f"<{element} {name}>: {reason}")

    def _wrong(self, name: str, value: str) -> Iterator[str]:
        original = self.masked.restored(value).strip()
        if not _ATTRIBUTE.fullmatch(name):  # HREF and xlink:href are links as well; and Liquid has digits when masked
            yield "the names of attributes have small letters and '-' only"
        if name.startswith("on") or name == "http-equiv":
            yield "is not allowed"
        if _MARKUP.search(value):  # the compiler copies it between double quotes as it is
            yield "'\"', '<' and '>' are not allowed in it"
        if original != value.strip() and name not in _MAY_HOLD_LIQUID:
            yield "Liquid is allowed in links and titles only, where a value cannot become markup or style"
        if name in _LINKS and not self._is_safe_link(original) and not (name == "href" and self._is_url(original)):
            yield f"{original[:50]!r} does not begin with https://host/, mailto:, tel:, such a constant or a url"
        if name == "style" and _ACTIVE_CSS.search(original):
            yield "loads or runs something"

    def _is_safe_link(self, link: str) -> bool:
        constant = _CONSTANT_LINK.match(link)
        target = self.constants.get(constant[1], "") if constant else link
        return bool(_SAFE_LINK.match(target))

    def _is_url(self, link: str) -> bool:
        """A variable of the format url, and nothing after it. Only to follow: an image loads without being asked."""
        variable = _VARIABLE_LINK.fullmatch(link)
        return variable is not None and variable[1] in self.links

    def _text(self, text: str) -> None:
        inside = self.open[-1]
        if inside in _HOLDERS and text.strip():
            self._refuse(f"text directly in <{inside}> would be lost; put it inside an mj-text or mj-raw")
        if inside == "mj-style" and (_ACTIVE_CSS.search(text) or self.masked.restored(text) != text):
            self._refuse("<mj-style> must not load anything or hold Liquid")
