"""Nasty things to send: texts for any field, addresses, values, and whole bodies. All of our own making."""

import gzip
import json
import zlib
from typing import Any

from hypothesis import strategies as st

from tests.factories import ADA

MARK = "Zqx"
"""In every text that is sent: what must be found nowhere it does not belong."""

TEXTS: dict[str, str] = {
    "a script": f"{MARK}<script>alert(1)</script>",
    "an image that runs": f"{MARK}<img src=x onerror=alert(1)>",
    "an attribute's end": f"{MARK}\" onmouseover=\"alert(1)\" x='",
    "the end of everything": f"{MARK}--></style></title></textarea></td></table></body></html><h1>",
    "a conditional comment": f"{MARK}<!--[if mso]><script>x</script><![endif]-->",
    "entities": f"{MARK}&lt;script&gt;&#60;b&#62;&amp;nbsp;",
    "a broken entity": f"{MARK}&#x;&#99999999999;&",
    "CDATA": f"{MARK}]]><![CDATA[<b>",
    "Liquid output": f"{MARK}{{{{ 7 | times: 7 }}}}{{{{ booking_url }}}}",
    "Liquid tags": f"{MARK}{{% for i in (1..1000000000) %}}x{{% endfor %}}{{% raw %}}",
    "Liquid left open": f"{MARK}{{{{ {{% if %}} }}}} {{%",
    "another engine": f"{MARK}${{7*7}}#{{7*7}}<%= 7*7 %>[[subject]][[content]]",
    "a masked word": f"{MARK} liquid0000x liquid0001x",
    "a header": f"{MARK}\r\nBcc: eve@example.com\r\n\r\n<b>body</b>",
    "a lone carriage return": f"{MARK}\rBcc: eve@example.com",
    "a lone line feed": f"{MARK}\nX-Evil: 1",
    "a folded header": f"{MARK}\r\n\tX-Evil: 1",
    "Unicode's line ends": f"{MARK}\u2028X\u2029Evil\x85: 1\x0b\x0c",
    "an encoded header": f"{MARK}=?utf-8?q?=0D=0ABcc:_eve=40example.com?=",
    "a calendar's end": f"{MARK}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\nBEGIN:VCALENDAR",
    "a calendar's parameters": f'{MARK}";CN=Eve:mailto:eve@example.com,x;y\\n\\,^n^\'',
    "a turned direction": f"{MARK}\u202egnp.exe\u202c\u2066x\u2069\u200f\u061c",
    "zero width": f"{MARK}\u200b\u200c\u200d\ufeff\u2060\u00ad{MARK}",
    "invisible tags": MARK + "".join(map(chr, range(0xE0041, 0xE005B))),
    "nothing to see": "\u200b\u3164\u2800\u00ad",
    "stacked marks": f"{MARK}" + "a" + "\u0301\u0323\u0489" * 40,
    "a cut emoji": f"{MARK}\ud83d",
    "surrogates the wrong way round": f"{MARK}\ude00\ud83d",
    "a family": f"{MARK}\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466\U0001f3fd",
    "emoji to the brim": MARK + "\U0001f384" * 97,
    "emoji beyond the brim": MARK + "\U0001f384" * 98,
    "NUL": f"{MARK}\x00\x00{MARK}",
    "control characters": MARK + "".join(map(chr, [*range(32), 127, *range(128, 160)])),
    "a terminal's colours": f"{MARK}\x1b[31m\x1b]0;title\x07\x9b31m",
    "no characters": f"{MARK}\ufffe\uffff\ufdd0\U0001ffff",
    "a byte order mark": f"\ufeff{MARK}",
    "a hundred kilobytes": MARK + "x" * 100_000,
    "two thousand characters": (MARK + "x" * 2_000)[:2_000],
    "long without a space": MARK + "x" * 96,
    "case that grows": MARK + "ßŉǰΐΰİ" * 15,
    "compatibility": f"{MARK}\ufdfa\u2460\uff21\u212b\u1e9e",
    "right to left": f"{MARK}\u05d0\u05d3\u05d4 \u0639\u062f\u0627",
    "a script link": "javascript:alert(1)//" + MARK,
    "a split script link": f"java\tscript\n:alert(1)//{MARK}",
    "a data link": f"data:text/html,<script>{MARK}</script>",
    "an old script link": f"vbscript:msgbox({MARK})",
    "a link with a user": f"https://example.com@evil.example.com/{MARK}",
    "a link that ends early": f'https://example.com/{MARK}" onclick="x',
    "a link with a line": f"https://example.com/{MARK}\r\nX-Evil:1",
    "a backslashed link": f"https:\\\\example.com\\{MARK}",
    "SQL": f"{MARK}'; DROP TABLE contacts;--",
    "a spreadsheet's formula": f'=HYPERLINK("https://evil.example.com/{MARK}")',
    "a path": f"../../../../etc/passwd%00{MARK}",
    "a format": f"{MARK}%s%n{{0.__class__}}{{}}%(x)s",
    "a subject": f"events.{MARK}.>.*",
    "quotes": f"{MARK}'\"`´‘’“”«»",
    "backslashes": f"{MARK}\\\\\\u0000\\x00\\r\\n",
    "blanks": f"  \u00a0\u3000\t{MARK}\u2003 ",
}  # fmt: skip

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "an empty list": [],
    "an empty object": {},
    "a list of itself": [[[[[[[[["deep"]]]]]]]]],
    "an object": {"value": MARK, "__proto__": {"x": 1}, "$ne": None},
    "a huge integer": 10**400,
    "the first integer too large": 2**64,
    "a negative integer": -(2**63) - 1,
    "a tiny number": 5e-324,
    "minus zero": -0.0,
    "a fraction": 0.1,
    "a text of digits": "9" * 5_000,
    "an exponent": "1e400",
    "a hexadecimal": "0x10",
    "digits of another script": "\u0661\u0662",
    "a word for no number": "NaN",
}

ADDRESSES: dict[str, str] = {
    "a header": f"ada@example.com\r\nBcc: {MARK}@example.com",
    "two": f"ada@example.com,{MARK}@example.com",
    "two by semicolon": f"ada@example.com;{MARK}@example.com",
    "a display name": f"{MARK} <ada@example.com>",
    "a quoted name": f'"{MARK} x"@example.com',
    "a comment": f"ada({MARK})@example.com",
    "a literal": f"{MARK}@[127.0.0.1]",
    "no domain": f"{MARK}@localhost",
    "NUL": f"{MARK}\x00@example.com",
    "a space": f"{MARK} x@example.com",
    "a Cyrillic letter before the @": f"{MARK}\u0430da@example.com",
    "full-width letters before the @": f"{MARK}\uff41da@example.com",
    "a dotless i": f"{MARK}\u0131@example.com",
    "two ats": f"{MARK}@ada@example.com",
    "a long local part": f"{MARK}{'x' * 64}@example.com",
    "a long domain": f"{MARK}@{'x' * 64}.example.com",
    "a long address": f"{MARK}@{'.'.join(['x' * 60] * 5)}.example.com",
    "a hundred kilobytes": f"{MARK}{'x' * 100_000}@example.com",
    "dots in a row": f"{MARK}..x@example.com",
    "a tag": f"<script>{MARK}</script>@example.com",
    "Liquid": f"{{{{{MARK}}}}}@example.com",
    "a percent hack": f"{MARK}%evil.example.com@example.com",
    "a bang path": f"{MARK}!ada@example.com",
    "a plus address": f"ada+{MARK}@example.com",
    "a turned direction": f"{MARK}\u202e@example.com",
    "an underscore in the domain": f"{MARK}@_dmarc.example.com",
    "an ideographic full stop": f"{MARK}@example\u3002com",
    "a Cyrillic domain": f"{MARK}@\u0435xample.com",
}

GOOD = {"email": ADA, "first_name": "Ada", "assessment_score": 42}


def _with(text: str) -> bytes:
    """A form that would be fine, with one thing more."""
    return json.dumps(GOOD).removesuffix("}").encode() + b", " + text.encode() + b"}"


GOOD_BYTES = json.dumps(GOOD).encode()
DEEP = 100_000

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "a blank": b" \r\n\t",
    "a byte": b"\x00",
    "cut short": GOOD_BYTES[:-1],
    "cut in a text": GOOD_BYTES[:14],
    "cut in a character": '{"email": "ü'.encode()[:-1],
    "two objects": GOOD_BYTES * 2,
    "a comma too many": b'{"email": "ada@example.com",}',
    "a comment": b'{"email": "ada@example.com"} // x',
    "single quotes": str(GOOD).encode(),
    "a form": b"email=ada%40example.com&first_name=Ada&assessment_score=42",
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "YAML": b"email: ada@example.com\nfirst_name: !!python/object:os.system x\n",
    "a list": json.dumps([GOOD]).encode(),
    "a text": b'"ada@example.com"',
    "null": b"null",
    "NaN": _with('"x": NaN'),
    "Infinity": _with('"x": [Infinity]'),
    "minus Infinity": _with('"x": {"y": -Infinity}'),
    "beyond floats": _with('"x": 1e400'),
    "beyond floats where it counts": _with('"money_score": 1e400'),
    "ten thousand digits": _with('"x": ' + "9" * 10_000),
    "ten thousand digits where it counts": _with('"red_systems": ' + "9" * 10_000),
    "ten thousand decimals": _with('"gps_score": 0.' + "3" * 10_000),
    "an exponent of ten thousand digits": _with('"x": 1e' + "9" * 10_000),
    "lists in lists": b"[" * DEEP,
    "lists in lists, closed": b'{"x": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "objects in objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "lists in lists, as deep as is read": _with('"x": ' + "[" * 500 + "]" * 500),
    "many fields": _with(", ".join(f'"f{n}": {n}' for n in range(5_000))),
    "many names that hash alike": _with(", ".join(f'"{n * (2**61 - 1)}": 1' for n in range(1_500))),
    "a name of ten thousand characters": _with(f'"{"x" * 10_000}": 1'),
    "a name of nothing": _with('"": 1'),
    "a name with NUL": _with('"\\u0000": "\\u0000"'),
    "a name that is half an emoji": _with('"\\ud83d": "\\ude00"'),
    "names of JavaScript": _with('"__proto__": {"email": "eve@example.com"}, "constructor": {"prototype": {}}'),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD_BYTES,
    "two byte order marks": b"\xef\xbb\xbf" * 2 + GOOD_BYTES,
    "UTF-16": GOOD_BYTES.decode().encode("utf-16"),
    "UTF-16 without a mark": GOOD_BYTES.decode().encode("utf-16-be"),
    "UTF-32": GOOD_BYTES.decode().encode("utf-32"),
    "UTF-7": b"+AHsAfQ-",
    "Latin-1": b'{"email": "ada@example.com", "first_name": "Zo\xeb", "assessment_score": 42}',
    "invalid UTF-8": _with('"x": "?"').replace(b"?", b"\xff\xfe"),
    "overlong UTF-8": _with('"x": "?"').replace(b"?", b"\xc0\xaf"),
    "surrogates in UTF-8": _with('"x": "?"').replace(b"?", b"\xed\xa0\xbd"),
    "a raw line end in a text": _with('"x": "\n"'),
    "gzip": gzip.compress(GOOD_BYTES),
    "deflate": zlib.compress(GOOD_BYTES),
    "a bomb": gzip.compress(b" " * 10_000_000),
    "a megabyte": GOOD_BYTES.ljust(1_000_000),
}  # fmt: skip

TWICE: dict[str, tuple[bytes, str]] = {
    "an address": (_with('"email": "eve@example.com"'), "eve@example.com"),
    "a name": (_with('"first_name": "Eve"'), "ada@example.com"),
}
"""A field that is there twice, and whose form it is then."""

HEADERS: dict[str, dict[str, str]] = {
    "no JSON": {"content-type": "text/html"},
    "no type": {"content-type": ""},
    "many types": {"content-type": "application/json, text/html; charset=utf-7"},
    "a form": {"content-type": "multipart/form-data; boundary=x"},
    "a charset": {"content-type": "application/json; charset=utf-16"},
    "compressed, it says": {"content-type": "application/json", "content-encoding": "gzip"},
    "another method": {"x-http-method-override": "DELETE"},
    "an expectation": {"expect": "200-maybe"},
    "a long header": {"x-long": "x" * 8_000},
}

PATHS = [
    "%0d%0aX-Evil:%201",
    "%00",
    "%ff%fe",
    "%ed%a0%bd",
    "..%2f..%2fetc%2fpasswd",
    "x" * 4_000,
    "%E2%80%AE",
    "%7B%7B7*7%7D%7D",
    "%3Cscript%3E",
    "christmas-2025%20",
    "CHRISTMAS-2025",
    "*",
    "%3E",
    "christmas-2025.x",
]
"""Where the name of a campaign should stand."""

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=40)
    | st.sampled_from([*TEXTS.values()])
    | st.sampled_from([*VALUES.values()]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
"""A JSON value, with what is in this file more often than chance has it."""


def torn(body: bytes) -> st.SearchStrategy[bytes]:
    """A body with a few bytes changed, taken out or put in."""
    places = st.integers(0, len(body))
    changes = st.lists(st.tuples(places, st.integers(0, 8), st.binary(max_size=4)), min_size=1, max_size=4)
    return changes.map(lambda each: _changed(body, each))


def _changed(body: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, gone, new in changes:
        body = body[:place] + new + body[place + gone :]
    return body
