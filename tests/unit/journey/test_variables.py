"""Variables: a campaign's own, links, and values of every kind from outside."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.campaign import Campaign, load_campaign
from journey.templates import render
from journey.variables import TEXT_LIMIT, URL_LIMIT, money, number, text, url
from tests.unit.journey.campaign_folder import HELLO, TOML, line_with, refusals, write

OWN = """
offer = { fallback = "our offer" }
seats = { format = "number", fallback = "some" }
price = { format = "money", fallback = "N/A" }
report_url = { format = "url", fallback = "https://example.com/reports" }
meeting_link = { fallback = "https://example.com/" }
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    body = '<p>{{ offer }} <a href="{{ report_url }}">Report</a> {{ meeting_link }} '
    toml, hello = TOML.replace("[variables]", "[variables]" + OWN), HELLO.replace("<p>", body)
    return load_campaign(write(tmp_path_factory.mktemp("campaigns"), toml=toml, hello=hello))


def test_campaign_has_variables_of_its_own(own: Campaign) -> None:
    values = {"offer": "Basic", "seats": 3.0, "price": 1200, "report_url": "https://example.com/r/1"}
    shown = own.variables_for(values)
    assert (shown["offer"], shown["seats"], shown["price"]) == ("Basic", 3, "$1,200")
    assert (shown["report_url"], shown["has_report_url"]) == ("https://example.com/r/1", True)


WRONG = {
    "nothing": None,
    "a table": {"a": 1},
    "a list": ["x"],
    "a truth": True,
    "a number without end": 10**5_000,
    "no number": float("nan"),
    "infinity": float("-inf"),
    "nothing to see": "\x00 \u2028",
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_value_of_the_wrong_kind_counts_as_missing(own: Campaign, value: object) -> None:
    shown = own.variables_for(dict.fromkeys(("offer", "seats", "price", "report_url", "first_name"), value))
    assert (shown["offer"], shown["seats"], shown["price"], shown["first_name"]) == ("our offer", "some", "N/A", "")
    assert (shown["report_url"], shown["has_report_url"]) == ("https://example.com/reports", False)


def test_numbers_can_be_shown_as_text() -> None:
    assert (text(3), text(2.5), text("7")) == ("3", "2.5", "7")
    assert (number("7"), money("7"), url(7)) == (None, None, None)


def test_numbers_nobody_can_read_are_missing() -> None:
    assert (number(10**15), money(-(10**15)), text(10**15)) == (None, None, None)
    assert money(10**15 - 1) == "$999,999,999,999,999"


LINKS = [
    "https://example.com",
    "https://example.com:8443/a/b?c=d&e=%20#f",
    "https://meet.example.com/x-y_z~(1)!$*+,;=:@[]",
    " https://example.com/x\n",
]
NO_LINKS = [
    "http://example.com/",
    "HTTPS://example.com/",
    "//example.com",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://",
    "https:///x",
    "https://.example.com",
    "https://bank.example@example.com/",
    "https://example.com:port/",
    "https://example.com\\@example.org",
    "https://example.com/a b",
    "https://example.com/a\nb",
    'https://example.com/"onclick="x',
    "https://example.com/'x",
    "https://example.com/<b>",
    "https://example.com/{{ x }}",
    "https://example.com/\u202e",
    "https://еxample.com/",
    "https://example.com/" + "x" * URL_LIMIT,
    "N/A",
    "",
]


@pytest.mark.parametrize("link", LINKS)
def test_https_links_are_shown(link: str) -> None:
    assert url(link) == link.strip()


@pytest.mark.parametrize("link", NO_LINKS)
def test_anything_else_is_no_link(own: Campaign, link: str) -> None:
    assert url(link) is None
    mail = render(own.templates["hello"], own.variables_for({"report_url": link}))
    assert 'href="https://example.com/reports"' in mail.html


@given(st.text() | st.text(alphabet="htps:/ex.ample\"'<>&{}% \n").map(lambda tail: f"https://{tail}"))
def test_no_link_leaves_its_attribute(own: Campaign, link: str) -> None:
    html = render(own.templates["hello"], own.variables_for({"report_url": link})).html
    target = html.split('href="', 1)[1].split(">Report", 1)[0]
    assert target.startswith("https://")
    assert target.count('"') == 1
    assert not set(target) & set("<>' \n")


def test_ampersands_in_links_reach_the_reader(own: Campaign) -> None:
    mail = render(own.templates["hello"], own.variables_for({"report_url": "https://example.com/?a=1&b=2"}))
    assert 'href="https://example.com/?a=1&amp;b=2"' in mail.html
    assert "Report: https://example.com/?a=1&b=2" in mail.text


@given(st.text())
def test_text_is_one_printable_bounded_line(value: str) -> None:
    shown = text(value)
    assert shown is None or (0 < len(shown) <= TEXT_LIMIT and "\n" not in shown)


REFUSED = {
    "an own variable without fallback": ("offer = {}", "variable offer: one of your own may be missing and needs a"),
    "a typo": ("buisness_name = {}", "did you mean 'business_name'? One of your own may be missing"),
    "an own variable in no format": ('x = { format = "date", fallback = "x" }', "one of text, number, money, url"),
    "a variable no template can name": ('"a b" = { fallback = "x" }', "variable 'a b' is not a name templates can use"),
    "a variable that is a flag": ('has_money_score = { fallback = "x" }', "is a name that is there already"),
    "a variable called segment": ('segment = { fallback = "x" }', "variable segment: is a name that is there already"),
    "a link that falls back to none": ('meeting_link = { fallback = "N/A" }', "'fallback' must be an https URL"),
    "a link without fallback": ("meeting_link = {}", "variable meeting_link: may be missing and needs a 'fallback'"),
    "a link shown as text": ('meeting_link = { format = "text", fallback = "x" }', "'format' must be one of url"),
    "a text shown as link": ('meeting_day = { format = "url", fallback = "x" }', "'format' must be one of text"),
    "no table": ('offer = "x"', "'offer' must be a table"),
}


@pytest.mark.parametrize(("line", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_variable_is_refused_with_line_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    toml = TOML.replace("[variables]", f"[variables]\n{line}")
    found = refusals(write(tmp_path, toml=toml))
    assert found[0].startswith(f"campaign.toml:{line_with(toml, line)}: ")
    assert any(reason in each for each in found), found


def test_constant_named_like_an_own_variable_is_refused(tmp_path: Path) -> None:
    toml = TOML.replace("[variables]", '[variables]\nbooking_url = { fallback = "x" }')
    line = line_with(toml, 'booking_url = "https')
    (found,) = refusals(write(tmp_path, toml=toml))
    assert found == f"campaign.toml:{line}: constant 'booking_url' is the name of a variable"


LINK_TARGETS = {
    "a variable that is no url": '<a href="{{ business_name }}">x</a>',
    "a url made longer": '<a href="{{ meeting_link }}/x">x</a>',
    "a url in the middle": '<a href="https://{{ meeting_link }}">x</a>',
    "a filtered url": '<a href="{{ meeting_link | upcase }}">x</a>',
    "a url to load": '<p background="{{ meeting_link }}">x</p>',
}


@pytest.mark.parametrize("body", LINK_TARGETS.values(), ids=LINK_TARGETS.keys())
def test_only_a_whole_url_variable_is_a_link(tmp_path: Path, body: str) -> None:
    toml = TOML.replace("[variables]", "[variables]" + OWN)
    (found, *_) = refusals(write(tmp_path, toml=toml, hello=HELLO.replace("</p>", f"</p>{body}")))
    assert found.startswith("hello.mjml:6: ")


def test_image_from_a_url_variable_is_refused(tmp_path: Path) -> None:
    toml = TOML.replace("[variables]", "[variables]" + OWN)
    image = '<mj-image src="{{ meeting_link }}" /></mj-column>'
    (found,) = refusals(write(tmp_path, toml=toml, hello=HELLO.replace("</mj-column>", image)))
    assert found.startswith("hello.mjml:7: <mj-image src>: '{{ meeting_link }}' does not begin with https://host/")


def test_url_variable_cannot_be_assigned(tmp_path: Path) -> None:
    toml = TOML.replace("[variables]", "[variables]" + OWN)
    hello = HELLO.replace("<p>", "{% assign meeting_link = first_name %}<p>")
    (found,) = refusals(write(tmp_path, toml=toml, hello=hello))
    assert found == "hello.mjml:6: 'meeting_link' is supplied; choose another name"
