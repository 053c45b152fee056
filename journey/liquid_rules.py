"""The Liquid we allow: a small part of the language that stays bounded and harmless on hostile text.

The engine's own limits are not enough: `(1..10000000)` burns seconds before one trips, the stock `safe`
turns escaping off, the stock `date` reads the clock. So tags and filters are allow-listed and ranges refused. Its lexer
takes time quadratic in a tag that is not closed or full of spaces, so that is looked for before the engine is asked.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from difflib import get_close_matches
from functools import lru_cache, wraps
from typing import Any, NamedTuple

from liquid import BoundTemplate, Environment, RenderContext, StrictDefaultUndefined
from liquid.ast import Node
from liquid.builtin.expressions.primitive import RangeLiteral, StringLiteral
from liquid.exceptions import LiquidError, LiquidValueError, ResourceLimitError
from liquid.expression import Expression
from liquid.static_analysis import TemplateAnalysis
from liquid.token import Token

from journey.masking import pieces_of

TAGS = frozenset({"if", "unless", "case", "for", "assign", "echo", "break", "continue", "comment", "#"})
FILTERS = frozenset(
    {
        "default",
        "upcase",
        "downcase",
        "capitalize",
        "escape",
        "truncate",
        "strip",
        "size",
        "plus",
        "minus",
        "times",
        "url_encode",
    }
)
_BLOCK = re.compile(r"\{%-?\s*(?P<end>end)?(?P<name>if|unless|case|for|comment)\b")
_VERBATIM = re.compile(r"\{%-?\s*(raw|doc)\b")
PIECE_LIMIT = 500
"""Longest tag or expression, in characters: it bounds chains of filters, brackets and conditions as well."""

FILTER_LIMIT = 1_000
"""Filters applied in one rendering."""

BIGGEST = 10**30
"""Of what is calculated: far beyond anything an email says, and still quick to multiply."""

_MARKUP = re.compile(r"[<>\"]")

_INTERNAL_TAGS = frozenset({"content", "output", "illegal"})


NOWHERE = 0
"""The line of a finding about a text as a whole."""


class Finding(NamedTuple):
    """What is wrong with a Liquid text, and at which of its lines."""

    line: int
    reason: str


class Checked(NamedTuple):
    variables: frozenset[str]
    findings: tuple[Finding, ...]


class _Counting(RenderContext):
    """Counts the filters of one rendering: none is slow, but a thousand tags can have sixty each."""

    filters_used = 0

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        self.filters_used += 1
        if self.filters_used > FILTER_LIMIT:
            raise ResourceLimitError("filter limit reached", token=token)
        return super().filter(name, token)


class _Template(BoundTemplate):
    context_class = _Counting


class _Bounded(Environment):
    template_class = _Template
    loop_iteration_limit = 100
    output_stream_limit = 200_000
    context_depth_limit = 30
    local_namespace_limit = 20_000


def _environment(*, autoescape: bool) -> Environment:
    environment = _Bounded(undefined=StrictDefaultUndefined, strict_filters=True, autoescape=autoescape)
    for tag in environment.tags.keys() - TAGS - _INTERNAL_TAGS:
        del environment.tags[tag]
    for name in environment.filters.keys() - FILTERS:
        del environment.filters[name]
    for name in ("plus", "minus", "times"):
        environment.filters[name] = _within_bounds(environment.filters[name])
    return environment


def _within_bounds(calculate: Callable[..., Any]) -> Callable[..., float]:
    """The engine multiplies integers of any length, and no limit of its own looks at how long that takes."""

    @wraps(calculate)
    def bounded(*numbers: object) -> float:
        result: float = calculate(*numbers)
        if not -BIGGEST <= result <= BIGGEST:
            raise LiquidValueError("a number of more than 30 digits", token=None)
        return result

    return bounded


_HTML, _TEXT = _environment(autoescape=True), _environment(autoescape=False)


@lru_cache(maxsize=1024)
def _parsed(source: str, *, html: bool) -> BoundTemplate:
    return (_HTML if html else _TEXT).from_string(source)


def evaluate(source: str, variables: Mapping[str, object], *, html: bool) -> str:
    """Errors: any Exception; hostile text has been seen to raise a plain TypeError from the engine."""
    return _parsed(source, html=html).render(variables)


def holds(condition: str, values: Mapping[str, object]) -> bool:
    """Whether a checked condition is true. A comparison of a text with a number is not."""
    try:
        return evaluate(_conditional(condition), values, html=False) == "y"
    except LiquidError:
        return False


def _conditional(condition: str) -> str:
    return f"{{% if {condition} %}}y{{% endif %}}"


def check_condition(condition: str, sample: Mapping[str, object]) -> list[str]:
    """The reasons why a condition is not one boolean expression that the sample's names and types allow."""
    if "%}" in condition or "\n" in condition:
        return ["must be one expression on one line"]
    findings = check(_conditional(condition), sample.keys()).findings
    failure = None if findings else failure_of(_conditional(condition), sample)
    return [finding.reason for finding in (*findings, *filter(None, [failure]))]


def check(source: str, supplied: Set[str]) -> Checked:
    """Parse, and refuse what is not allowed: unknown variables, filters and tags, ranges, shadowed names."""
    unfit = _unfit(source)
    if unfit:
        return Checked(frozenset(), (unfit,))
    try:
        template = _parsed(source, html=True)
        used = template.analyze(include_partials=False)
    except Exception as error:  # noqa: BLE001 - the parser is not only expected to raise LiquidError
        return Checked(frozenset(), (_unclosed(source) or _failure(error),))
    findings = [
        *_unsupplied(used, supplied, source),
        *_disallowed(used, source),
        *_misused(template, supplied, source),
    ]
    return Checked(frozenset(used.globals), tuple(sorted(findings)))


def _unfit(source: str) -> Finding | None:
    """What the engine must not even begin to read."""
    for start, end in pieces_of(source):
        if end is None:
            return Finding(line_of(source, start), f"{source[start : start + 2]!r} is never closed; expected its end")
        if end - start > PIECE_LIMIT:
            reason = f"a tag or expression of {end - start} characters; {PIECE_LIMIT} are allowed"
            return Finding(line_of(source, start), reason)
    return next(_verbatim(source), None)


def _unclosed(source: str) -> Finding | None:
    """The engine reports a block without an end at the end of the file, which helps nobody."""
    still_open: list[re.Match[str]] = []
    for match in _BLOCK.finditer(source):
        if not match["end"]:
            still_open.append(match)
        elif still_open and still_open[-1]["name"] == match["name"]:
            still_open.pop()
    last = still_open[-1] if still_open else None
    return Finding(line_of(source, last.start()), f"the tag {last['name']!r} is never closed") if last else None


def _verbatim(source: str) -> Iterator[Finding]:
    """Tags that the engine's lexer takes out before its list of tags is asked."""
    for match in _VERBATIM.finditer(source):
        yield Finding(line_of(source, match.start()), f"the tag {match[1]!r} is not allowed")


def _unsupplied(used: TemplateAnalysis, supplied: Set[str], source: str) -> Iterator[Finding]:
    for name, places in used.globals.items():
        for place in places if name not in supplied else ():
            close = get_close_matches(name, supplied, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            yield Finding(line_of(source, place.span.index), f"nobody supplies the variable {name!r}{hint}")


def _disallowed(used: TemplateAnalysis, source: str) -> Iterator[Finding]:
    for name, places in used.filters.items():
        for place in places if name not in FILTERS else ():
            yield Finding(line_of(source, place.index), f"the filter {name!r} is not allowed")


def _misused(template: BoundTemplate, supplied: Set[str], source: str) -> Iterator[Finding]:
    """Ranges; local names that would hide a supplied one (a checked link could then be replaced); and texts that are
    markup, since the engine escapes what is supplied, but no text that stands in the template.
    """
    for node in _nodes(template.nodes, RenderContext(template)):
        for name in (*node.template_scope(), *node.block_scope()):
            if name in supplied:
                yield Finding(
                    line_of(source, node.token.start_index), f"{str(name)!r} is supplied; choose another name"
                )
        expressions = [*_expressions(node.expressions())]
        if any(isinstance(each, RangeLiteral) for each in expressions):
            yield Finding(line_of(source, node.token.start_index), "a range such as (1..9) is not allowed")
        if any(isinstance(each, StringLiteral) and _MARKUP.search(each.value) for each in expressions):
            reason = "a text in a tag or expression must not hold '<', '>' or '\"'"
            yield Finding(line_of(source, node.token.start_index), reason)


def _nodes(nodes: Iterable[Node], context: RenderContext) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _nodes(node.children(context, include_partials=False), context)


def _expressions(expressions: Iterable[Expression]) -> Iterator[Expression]:
    for expression in expressions:
        yield expression
        yield from _expressions(expression.children())


def failure_of(source: str, variables: Mapping[str, object]) -> Finding | None:
    """What goes wrong when it is rendered with these variables, if anything."""
    try:
        evaluate(source, variables, html=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, it would stop an email later
        return _failure(error)
    return None


def _failure(error: Exception) -> Finding:
    token = error.token if isinstance(error, LiquidError) else None
    line = line_of(token.source, token.start_index) if token is not None and token.start_index >= 0 else NOWHERE
    return Finding(line, reason_of(error))


def reason_of(error: Exception) -> str:
    """One line, without the engine's drawing of the place."""
    said = error.message if isinstance(error, LiquidError) else error
    return " ".join(str(said or type(error).__name__).split())


def line_of(source: str, index: int) -> int:
    return source.count("\n", 0, max(index, 0)) + 1
