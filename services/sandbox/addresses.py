"""Which addresses Resend takes: `email@example.com` or `Name <email@example.com>`, nothing looser."""

import re

LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
BARE = re.compile(rf"(?P<local>{LOCAL})@(?:{LABEL}\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]")
NAMED = re.compile(r'(?P<name>"[^"<>]*"|[^"<>,;]+?) ?<(?P<address>[^<>]+)>')
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_address(text: str) -> bool:
    """A list in one string is no address, and neither is anything with a control character."""
    if CONTROL.search(text):
        return False
    named = NAMED.fullmatch(text.strip())
    return _is_bare(named["address"] if named else text.strip())


def _is_bare(text: str) -> bool:
    found = BARE.fullmatch(text)
    return found is not None and len(text) <= 254 and len(found["local"]) <= 64
