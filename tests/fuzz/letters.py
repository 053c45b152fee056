"""From what a webhook was sent to the emails that come of it, and what must hold of each."""

import json
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

from icalendar import Calendar

from contracts.base import Fact
from contracts.codec import decode_fact, encode
from contracts.facts import AnyFact
from journey.campaign import Campaign, load_campaigns
from journey.contact import fold
from journey.plan import Pace, Planned, plan_all
from services.ingest import calcom, signup, trigger
from services.ingest.body import read_object
from services.sandbox.resend_rules import parse_email
from services.sender.render import claim_for
from services.settings import ROOT
from tests.factories import CAMPAIGN, NOW
from tests.fuzz.offers import Webhook, dumped

LONGEST = 210_000
"""Of an email's HTML: the limit of the template engine, in bytes."""

SCHEMES = ("https://", "http://", "mailto:", "tel:")

TOML = """\
name = "Everything"
from = "Business X <hello@mail.example.com>"
reply_to = "hello@example.com"
[constants]
booking_url = "https://cal.example.com/x"
[variables]
first_name = { fallback = "there" }
business_name = { fallback = "your business" }
weakest_system_1 = { fallback = "N/A" }
gps_score = { fallback = "N/A" }
revenue_leak_total = { format = "money", fallback = "N/A" }
meeting_title = { fallback = "our call" }
meeting_zone = { fallback = "your time" }
meeting_link = { fallback = "https://www.example.com" }
organizer_name = { fallback = "our team" }
extra = { fallback = "nothing" }
invoice_url = { format = "url", fallback = "https://www.example.com" }
amount = { format = "money", fallback = "N/A" }
[sequences.signup]
trigger = "signup"
[[sequences.signup.steps]]
id = "all"
after = "0h"
testing_after = "0m"
template = "all"
[sequences.call]
trigger = "booking_created"
anchor = "start"
guests = true
[[sequences.call.steps]]
id = "all"
after = "-24h"
testing_after = "-1m"
template = "all"
calendar = true
[sequences.off]
trigger = "booking_cancelled"
guests = true
[[sequences.off.steps]]
id = "all"
after = "0h"
testing_after = "0m"
template = "all"
calendar = true
[sequences.paid]
trigger = "paid"
[[sequences.paid.steps]]
id = "all"
after = "0h"
testing_after = "0m"
template = "all"
"""
TEXT_NAMES = (
    *("first_name", "business_name", "weakest_system_1", "gps_score", "revenue_leak_total", "meeting_title"),
    *("meeting_zone", "organizer_name", "extra", "amount"),
)
_LINE = """<p>{{ name }} <a href="https://example.com/?q={{ name | url_encode }}" title="{{ name }}">
{{ name | downcase }}</a> {% if has_name %}<b>{{ name | truncate: 20 }}</b>{% endif %}</p>"""
ALL = """\
---
subject: {{ first_name }}, {{ extra }} {{ meeting_title }}: {{ business_name }}
preheader: {{ first_name }} {{ extra }}
---
<mj-section><mj-column>
<mj-text>LINES <a href="{{ invoice_url }}">pay</a></mj-text>
<mj-button href="{{ meeting_link }}">{{ meeting_title }}</mj-button>
<mj-button href="https://example.com/?q={{ extra }}">{{ extra | upcase }}</mj-button>
</mj-column></mj-section>
""".replace("LINES", "\n".join(re.sub(r"\bname\b|(?<=has_)name\b", each, _LINE) for each in TEXT_NAMES))
"""Every variable in every place where a template may have one."""


class Letter(NamedTuple):
    """One email, as it is asked for at the provider."""

    body: dict[str, Any]

    @property
    def markup(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Its elements and their attributes' names, and everything else in it that is no text."""
        return tuple((kind, names) for kind, names, _ in _read(self.body["html"]))

    @property
    def links(self) -> list[str]:
        return [value for *_, values in _read(self.body["html"]) for value in values]

    @property
    def calendar(self) -> str:
        (file,) = self.body.get("attachments", [{"content": ""}])
        return b64decode(file["content"]).decode()


def _read(html: str) -> Iterator[tuple[str, tuple[str, ...], list[str]]]:
    parser = _Reader()
    parser.feed(html)
    parser.close()
    return iter(parser.found)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...], list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        links = [value or "" for name, value in attrs if name in {"href", "src", "background", "action"}]
        self.found.append((tag, tuple(name for name, _ in attrs), links))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}", (), []))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", (data,), []))

    def handle_decl(self, decl: str) -> None:
        self.found.append(("declaration", (decl,), []))

    def handle_pi(self, data: str) -> None:
        self.found.append(("instruction", (data,), []))


@cache
def christmas() -> dict[str, Campaign]:
    return {CAMPAIGN: load_campaigns(ROOT / "campaigns")[CAMPAIGN]}


def everything(folder: Path) -> dict[str, Campaign]:
    """A campaign under the same id that says all it can, in every place it can."""
    templates = folder / CAMPAIGN / "templates"
    templates.mkdir(parents=True)
    (templates.parent / "campaign.toml").write_text(TOML)
    (templates / "_layout.mjml").write_text(
        "<mjml><mj-head><mj-title>[[subject]]</mj-title><mj-preview>[[preheader]]</mj-preview></mj-head><mj-body>\n"
        "[[content]]\n</mj-body></mjml>\n"
    )
    (templates / "all.mjml").write_text(ALL)
    return load_campaigns(folder)


def facts_of(webhook: Webhook, body: Mapping[str, object]) -> tuple[AnyFact, ...]:
    """What is stored of it, read back; nothing where it is refused."""
    form = read_object(dumped(body))
    found: object
    if "signup" in webhook.path:
        found = signup.translate(form, CAMPAIGN, NOW)
    elif "trigger" in webhook.path:
        found = trigger.translate_trigger(form, CAMPAIGN, "paid", NOW)
    else:
        found = calcom.translate(form, NOW, "digest")
    told = found.facts if isinstance(found, calcom.Told) else (found,)
    stored = tuple(decode_fact(encode(each)) for each in told if isinstance(each, Fact))
    before = (fact for each in webhook.before for fact in facts_of(Webhook(webhook.path, each, ()), each))
    return (*before, *stored) if stored else ()


def letters_of(facts: Iterable[AnyFact], campaigns: Mapping[str, Campaign]) -> dict[str, Letter]:
    """Every email that these facts could lead to, wanted or not, by sequence and step; each checked."""
    everybody: dict[str, list[AnyFact]] = {}
    for fact in facts:
        everybody.setdefault(fact.contact, []).append(fact)
    letters = {}
    for contact_id, known in everybody.items():
        contact = fold(contact_id, known)
        for planned in plan_all(contact, campaigns, Pace()).values():
            claim = claim_for(planned, campaigns[CAMPAIGN], contact, attempt=1, now=NOW)
            letters[_step(planned)] = letter = Letter(json.loads(claim.body or ""))
            check(letter)
    return letters


def _step(planned: Planned) -> str:
    return f"{planned.sequence.id} {planned.step.id}"


def check(letter: Letter) -> None:
    body = letter.body
    parse_email(body, NOW)  # what the provider's stand-in says of it, at its strictest
    assert body["subject"].isprintable() or not _hidden(body["subject"])
    assert 0 < len(body["subject"]) <= 200
    assert len(body["html"].encode()) <= LONGEST
    assert len(body["text"].encode()) <= LONGEST
    assert not _hidden(body["text"].replace("\n", "").replace("\t", ""))
    assert all(link.startswith(SCHEMES) for link in letter.links), letter.links
    _check_calendar(letter.calendar)


def _hidden(text: str) -> set[str]:
    """Characters that end lines, steer terminals or turn a text around."""
    return {each for each in text if each < " " or "\x7f" <= each <= "\x9f" or each in "\u2028\u2029\u202a\u202b\u202c"
            "\u202d\u202e\u2066\u2067\u2068\u2069"}  # fmt: skip


EVENT = {"UID", "SEQUENCE", "STATUS", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "ORGANIZER", "ATTENDEE"}


def _check_calendar(file: str) -> None:
    """One event with the lines it always has, and at most a place and a link more."""
    if not file:
        return
    calendar = Calendar.from_ical(file)
    assert calendar.keys() == {"VERSION", "PRODID", "METHOD"}
    (event,) = calendar.subcomponents
    assert not event.subcomponents
    assert EVENT <= event.keys() <= EVENT | {"LOCATION", "URL"}
    names = [line.partition(":")[0].partition(";")[0] for line in file.replace("\r\n ", "").split("\r\n")]
    assert len(names) == len(event.keys()) + len(calendar.keys()) + 5  # two beginnings, two ends, a last line end
    assert str(event["ATTENDEE"]).startswith("mailto:")
    assert event["ATTENDEE"].params.keys() <= {"CN", "ROLE", "PARTSTAT", "RSVP"}
    assert re.search(r"^SEQUENCE:[0-9]{1,7}\r$", file, re.MULTILINE)
