"""An email template and what it becomes for one recipient: subject, HTML and a text part."""

import re
from collections.abc import Mapping
from typing import Self

from msgspec import Struct

from journey.liquid_rules import evaluate, reason_of
from journey.variables import printable

SUBJECT_LIMIT = 200
_BLANK_LINES = re.compile(r"\n\s*\n")


class Sources(Struct, frozen=True):
    """What an author writes of one template, in a file or in Notion; the layout is the campaign's."""

    subject: str
    preheader: str
    body: str
    text: str = ""
    """The text part, where it is written by hand; "": it is made from the HTML."""

    @classmethod
    def of(cls, fields: Mapping[str, str], body: str, text: str) -> Self:
        return cls(fields.get("subject", ""), fields.get("preheader", ""), body, text)


class Template(Struct, frozen=True):
    """Checked at load; `html` is compiled MJML with the Liquid still in it."""

    name: str
    version: str
    """Short SHA-256 of its sources, layout included."""

    subject: str
    preheader: str
    html: str
    variables: frozenset[str]
    sources: Sources
    layout: str


class Rendered(Struct, frozen=True):
    subject: str
    html: str
    text: str


class RenderError(ValueError):
    """A template that cannot be rendered with these variables."""


def render(template: Template, variables: Mapping[str, object]) -> Rendered:
    """Errors: RenderError, naming the template and the reason.

    Values are data: escaped in HTML, plain in subject and text, never read as Liquid.
    """
    values = {name: printable(value) if isinstance(value, str) else value for name, value in variables.items()}
    try:
        subject = evaluate(template.subject, values, html=False)
        html = evaluate(template.html, values, html=True)
        return Rendered(_one_line(subject), html, _text_part(template.sources.text, html, values))
    except Exception as error:
        raise RenderError(f"template {template.name}: {reason_of(error)}") from error


def _one_line(subject: str) -> str:
    return " ".join(printable(subject).split())[:SUBJECT_LIMIT].rstrip()


def _text_part(by_hand: str, html: str, values: Mapping[str, object]) -> str:
    if by_hand:  # a line of Liquid that says nothing leaves no gap
        return _BLANK_LINES.sub("\n\n", evaluate(by_hand, values, html=False)).strip() + "\n"
    from journey.text_part import text_of  # noqa: PLC0415 - only who renders pays for its parser

    return text_of(html)
