"""The bytes of a request to a JSON object. Pure.

Where JSON leaves it open, as a browser reads it: of a name that is there twice the last one counts, integers beyond
64 bits become floats, half an emoji is let through. What forms and calendars check before they send is read the same
way, and a lead is not lost for it. NaN and Infinity are no JSON and no browser writes them: refused.
"""

import json
from typing import Any, NoReturn


class NotAForm(ValueError):
    """The body is no JSON object. The message may be shown to the sender: it repeats nothing of the body."""


def read_object(body: bytes) -> dict[str, Any]:
    """Errors: NotAForm."""
    try:
        value = _decoder.decode(body.decode("utf-8-sig"))
    except _NoNumber as error:
        raise NotAForm(f"The body is not JSON: {error} is no number in JSON.") from error
    except UnicodeDecodeError as error:
        raise NotAForm("The body is not UTF-8 text.") from error
    except json.JSONDecodeError as error:
        raise NotAForm(f"The body is not JSON: see line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise NotAForm("The body is nested too deeply.") from error
    if not isinstance(value, dict):
        raise NotAForm("The body is not a JSON object.")
    return value


def _integer(text: str) -> int | float:
    """Python refuses very long integers, and the log's codec anything beyond 64 bits."""
    if len(text) <= 20 and -(2**63) <= (value := int(text)) < 2**64:
        return value
    return float(text)


class _NoNumber(ValueError):
    """One of the three words that Python would take for a number; the message is the word."""


def _refuse(word: str) -> NoReturn:
    raise _NoNumber(word)


_decoder = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse)
