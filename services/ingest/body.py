"""The bytes of a request to a JSON object. Pure.

Looser than JSON where a form's junk must not cost a lead: NaN and Infinity are read (and refused where a number
counts), integers beyond 64 bits become floats as they would in a browser, half an emoji is let through.
"""

import json
from typing import Any


class NotAForm(ValueError):
    """The body is no JSON object. The message may be shown to the sender: it repeats nothing of the body."""


def read_object(body: bytes) -> dict[str, Any]:
    """Errors: NotAForm."""
    try:
        value = _decoder.decode(body.decode("utf-8-sig"))
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


_decoder = json.JSONDecoder(parse_int=_integer)
