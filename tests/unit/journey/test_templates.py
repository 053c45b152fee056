"""Templates: what they become for a recipient, what hostile values cannot do, and what is refused at load."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.campaign import Campaign, load_campaign
from journey.templates import Rendered, RenderError, Template, render
from tests.unit.journey.campaign_folder import HELLO, LAYOUT, TOML, refusals, write


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return load_campaign(write(tmp_path_factory.mktemp("campaigns")))


def load_body(folder: Path, body: str, **files: str) -> Template:
    head = "---\nsubject: s\npreheader: p\n---\n"
    return load_campaign(write(folder, hello=head + body, **files)).templates["hello"]


def mail(folder: Path, body: str, **variables: object) -> Rendered:
    text = f"<mj-section><mj-column><mj-text>{body}</mj-text></mj-column></mj-section>"
    return render(load_body(folder, text), variables)


def markup_of(html: str) -> list[tuple[str, list[str]]]:
    """Elements with their attributes' names, as a lenient parser sees them."""
    found: list[tuple[str, list[str]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append((tag, [name for name, _ in attrs]))  # type: ignore[method-assign]
    parser.feed(html)
    return found


def hello(campaign: Campaign, **values: object) -> Rendered:
    return render(campaign.templates["hello"], campaign.variables_for(values))


def test_values_appear_in_subject_html_and_text(campaign: Campaign) -> None:
    got = hello(campaign, first_name="Ada", business_name="Ada & Co")
    assert got.subject == "Hello Ada"
    assert "Ada of Ada &amp; Co" in got.html
    assert got.text == "Ada of Ada & Co\n"


def test_hostile_value_stays_data(campaign: Campaign) -> None:
    name = "<script>alert('x')</script>{{ booking_url }}{% if %}"
    got = hello(campaign, first_name=name)
    assert "<script" not in got.html
    assert "&lt;script&gt;" in got.html
    assert f"{name} of your business" in " ".join(got.text.split())
    assert got.subject == f"Hello {name}"


def test_text_direction_cannot_be_turned_by_a_value(campaign: Campaign) -> None:
    got = hello(campaign, first_name="\u202eadA", business_name="\u05d0\u05d1\u05d2")
    assert "\u202e" not in got.subject + got.html + got.text
    assert "\u05d0\u05d1\u05d2" in got.text


def test_header_cannot_be_injected_through_subject(campaign: Campaign) -> None:
    for name in ("Ada\r\nBcc: eve@example.com", "Ada\u2028Bcc: eve@example.com", "Ada\x85Bcc: eve@example.com"):
        got = render(campaign.templates["hello"], {"first_name": name, "business_name": "b"})
        assert got.subject == "Hello Ada Bcc: eve@example.com"


def test_a_value_of_nothing_leaves_no_gap_in_the_subject(tmp_path: Path) -> None:
    gap = load_campaign(write(tmp_path, hello=HELLO.replace("Hello {{", "Hello, {{ business_name }} {{")))
    assert render(gap.templates["hello"], {"first_name": "Ada", "business_name": ""}).subject == "Hello, Ada"


def test_subject_is_bounded(campaign: Campaign) -> None:
    assert len(render(campaign.templates["hello"], {"first_name": "x" * 9_000, "business_name": "b"}).subject) == 200


@given(first=st.text(), business=st.text())
def test_rendering_never_fails_on_texts_from_outside(campaign: Campaign, first: str, business: str) -> None:
    got = hello(campaign, first_name=first, business_name=business)
    (got.subject + got.html + got.text).encode()
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", got.subject)
    assert len(got.subject) <= 200


@given(st.text(alphabet="<>&\"'{}%ab/= \n", min_size=1), st.text(alphabet="<>&\"'{}%ab/= \n"))
def test_no_value_becomes_markup(campaign: Campaign, first: str, business: str) -> None:
    plain = hello(campaign, first_name="x", business_name="y").html
    got = hello(campaign, first_name=first, business_name=business).html
    assert markup_of(got) == markup_of(plain)


def test_quotes_in_a_subject_stay_inside_the_label_of_the_body(tmp_path: Path) -> None:
    quoted = HELLO.replace("subject: Hello", 'subject: Say "hello" onclick="x" & go,')
    got = render(
        load_campaign(write(tmp_path, hello=quoted)).templates["hello"], {"first_name": "A", "business_name": "b"}
    )
    assert got.subject == 'Say "hello" onclick="x" & go, A'
    assert ("div", ["aria-label", "aria-roledescription", "role", "lang", "dir"]) in markup_of(got.html)


def test_missing_variable_is_an_error_that_names_the_template(campaign: Campaign) -> None:
    with pytest.raises(RenderError, match="template hello: 'first_name' is undefined"):
        render(campaign.templates["hello"], {})


def test_unexpected_failure_of_the_engine_is_a_render_error(campaign: Campaign) -> None:
    class Broken:
        def __str__(self) -> str:
            raise TypeError("no text")

    with pytest.raises(RenderError, match="template hello: no text"):
        render(campaign.templates["hello"], {"first_name": Broken(), "business_name": "b"})


def test_output_without_end_is_stopped(campaign: Campaign) -> None:
    with pytest.raises(RenderError, match="template hello: "):
        render(campaign.templates["hello"], {"first_name": "x" * 300_000, "business_name": "b"})


def test_template_knows_its_variables(campaign: Campaign) -> None:
    assert campaign.templates["hello"].variables == {"first_name", "business_name"}


@pytest.mark.parametrize("file", ["hello", "layout"])
def test_version_changes_with_template_and_layout(tmp_path: Path, campaign: Campaign, file: str) -> None:
    changed = {"hello": HELLO, "layout": LAYOUT}[file].replace("mj-body>", "mj-body >").replace(" of ", " at ")
    other = load_campaign(write(tmp_path, **{file: changed})).templates["hello"]
    assert other.version != campaign.templates["hello"].version
    assert re.fullmatch(r"[0-9a-f]{12}", other.version)


def test_layout_version_is_shared(campaign: Campaign) -> None:
    assert campaign.templates["hello"].version == campaign.templates["bye"].version


def test_preheader_is_in_html_but_not_in_text(campaign: Campaign) -> None:
    got = hello(campaign, first_name="Ada")
    assert "Look &amp; see" in got.html
    assert "Look" not in got.text


def test_comments_reach_nobody(tmp_path: Path) -> None:
    assert "secret" not in mail(tmp_path, "a<!-- secret {{ nobody }} -->b").html


def test_named_entities_may_be_written(tmp_path: Path) -> None:
    assert mail(tmp_path, "a&nbsp;b &amp; &eacute;").text == "a b & é\n"


def test_links_survive_in_text_as_label_and_address(tmp_path: Path) -> None:
    body = '<a href="{{ booking_url }}?a=1&amp;b=2">Pick a time</a> or <a href="mailto:a@example.com">a@example.com</a>'
    got = mail(tmp_path, body, booking_url="https://cal.com/example")
    assert got.text == "Pick a time: https://cal.com/example?a=1&b=2 or a@example.com\n"


def test_text_is_wrapped_and_lists_are_indented(tmp_path: Path) -> None:
    words = "word " * 20
    got = mail(tmp_path, f"<p>{words}</p><ol><li>{words}</li></ol><ul><li>{words}</li></ul>")
    lines = got.text.split("\n")
    assert max(map(len, lines)) <= 76
    assert [line[:5] for line in lines if line] == ["word ", "word ", " 1. w", "    w", "  * w", "    w"]


def test_long_links_are_not_broken(tmp_path: Path) -> None:
    link = "https://example.com/" + "x" * 90
    assert link in mail(tmp_path, f'<a href="{link}">Go</a>').text.split("\n")


def refused_body(folder: Path, body: str) -> list[str]:
    start = HELLO.index("<mj-section>")
    return refusals(write(folder, hello=HELLO[:start] + body, bye=HELLO))


def in_text(inner: str) -> str:
    return f"<mj-section>\n<mj-column><mj-text>\n\n{inner}\n</mj-text></mj-column></mj-section>"


REFUSED_INSIDE = {
    "an unknown variable": ("{{ frist_name }}", "nobody supplies the variable 'frist_name'; did you"),
    "a variable in a condition": ("{% if nobody %}x{% endif %}", "nobody supplies the variable 'nobody'"),
    "a has_ flag without fallback": ("{% if has_first_name %}x{% endif %}", "nobody supplies"),
    "a tag that loads": ("{% include 'x' %}", "include"),
    "a tag that renders": ("{% render 'x' %}", "render"),
    "a tag that captures": ("{% capture x %}a{% endcapture %}", "capture"),
    "raw": ("{% raw %}{{ x }}{% endraw %}", "raw"),
    "a filter that unescapes": ("{{ first_name | safe }}", "the filter 'safe' is not allowed"),
    "a filter that joins": ("{{ first_name | join: 'x' }}", "the filter 'join' is not allowed"),
    "the stock date": ("{{ 'now' | date: '%Y' }}", "the filter 'date' is not allowed"),
    "a range": ("{% for i in (1..10000000) %}x{% endfor %}", "a range such as (1..9) is not allowed"),
    "a range in a condition": ("{% if (1..9) contains 3 %}x{% endif %}", "a range such as (1..9) is not allowed"),
    "a range behind a filter": ("{{ (1..99999999) | size }}", "a range such as (1..9) is not allowed"),
    "a supplied name reused": ("{% assign booking_url = first_name %}", "'booking_url' is supplied"),
    "a supplied name in a loop": ("{% for booking_url in first_name %}x{% endfor %}", "'booking_url' is supplied"),
    "a tag left open": ("{% if first_name %}x", "the tag 'if' is never closed"),
    "an expression left open": ("{{ first_name", "expected"),
    "a text compared with a number": ("{% if money_score > 50 %}x{% endif %}", "not supported between"),
    "a script link": ('<a href="javascript:alert(1)">x</a>', "'javascript:alert(1)' does not begin with https://"),
    "a hidden script link": ('<a href="java&#115;cript:alert(1)">x</a>', "does not begin with https://"),
    "a data link": ('<a href="data:text/html,x">x</a>', "does not begin with https://"),
    "a link without scheme": ('<a href="//example.com">x</a>', "does not begin with https://"),
    "a link from outside": ('<a href="{{ first_name }}">x</a>', "does not begin with https://"),
    "a host from outside": ('<a href="https://{{ first_name }}/">x</a>', "does not begin with https://"),
    "a host made longer": ('<a href="{{ booking_url }}.{{ first_name }}">x</a>', "does not begin with https://"),
    "a link from a condition": ('<a href="{% if first_name %}javascript:{% endif %}">x</a>', "does not begin with"),
    "an image from outside": ('<img src="{{ first_name }}"/>', "<img> is not allowed"),
    "a script": ("<script>x</script>", "the element <script> is not allowed"),
    "a form": ("<form></form>", "the element <form> is not allowed"),
    "a handler": ('<p onclick="x()">x</p>', "<p onclick>: is not allowed"),
    "a script link in capitals": ('<a HREF="javascript:alert(1)">x</a>', "the names of attributes have small letters"),
    "a style in capitals": ('<p STYLE="background: url(https://a/x)">x</p>', "the names of attributes have small"),
    "a link with a prefix": ('<a xlink:href="javascript:alert(1)">x</a>', "the names of attributes have small letters"),
    "a name from Liquid": ("<a {{ 'href' }}='javascript:alert(1)'>x</a>", "the names of attributes have small letters"),
    "a quote in a link": ("""<a href='https://a/" onclick="x()'>x</a>""", "are not allowed in it"),
    "a quote as an entity": ('<a href="https://a/&quot; onclick=&quot;x()">x</a>', "are not allowed in it"),
    "a quote in a title": ("""<p title='x" onclick="x()'>x</p>""", "are not allowed in it"),
    "an element in a title": ('<p title="&lt;script&gt;">x</p>', "are not allowed in it"),
    "markup in an expression": ("{{ '<script>' }}", "must not hold '<'"),
    "markup in an echo": ("{% echo '<script>' %}", "must not hold '<'"),
    "markup in an assignment": ("{% assign z = '<script>' %}{{ z }}", "must not hold '<'"),
    "markup in a filter": ("{{ first_name | default: '<script>' }}", "must not hold '<'"),
    "markup in a named argument": ("{{ first_name | default: 'x', allow_false: '<b>' }}", "must not hold '<'"),
    "markup in a loop": ("{% for z in '<script>' %}{{ z }}{% endfor %}", "must not hold '<'"),
    "a quote from an expression": ("""<p title="{{ '" onclick="x' }}">x</p>""", "must not hold '<'"),
    "a value in a style": ('<p style="color: {{ first_name }}">x</p>', "Liquid is allowed in links and titles only"),
    "a style that loads": ('<p style="background: url(https://example.com/x)">x</p>', "loads or runs something"),
    "a tag not closed": ("<p>x<br></p>", "MJML: mismatched tag"),
    "a bare ampersand": ("a & b", "MJML: not well-formed"),
    "CDATA": ("<![CDATA[x]]>", "CDATA is not allowed"),
}  # fmt: skip


@pytest.mark.parametrize(("inner", "reason"), REFUSED_INSIDE.values(), ids=REFUSED_INSIDE.keys())
def test_body_is_refused_with_line_and_reason(tmp_path: Path, inner: str, reason: str) -> None:
    found = refused_body(tmp_path, in_text(inner))
    assert any(each.startswith("hello.mjml:8: ") and reason in each for each in found), found


REFUSED_BODIES = {
    "an unknown element": ("<mj-section><mj-colum></mj-colum></mj-section>", "the element <mj-colum> is not allowed"),
    "an include": ('<mj-include path="/etc/passwd" />', "the element <mj-include> is not allowed"),
    "lost text": ("<mj-section>Hi</mj-section>", "text directly in <mj-section> would be lost"),
    "lost Liquid": ("{{ first_name }}", "text directly in <mj-body> would be lost"),
    "style with a value": ("<mj-style>p { color: {{ first_name }} }</mj-style>", "<mj-style> must not load anything"),
    "style that loads": ("<mj-style>@import 'x';</mj-style>", "<mj-style> must not load anything"),
    "a processing instruction": ("<?php x ?>", "processing instructions are not allowed"),
    "a refresh": ('<mj-raw><meta http-equiv="refresh" /></mj-raw>', "is not allowed"),
}


@pytest.mark.parametrize(("body", "reason"), REFUSED_BODIES.values(), ids=REFUSED_BODIES.keys())
def test_structure_is_refused_with_line_and_reason(tmp_path: Path, body: str, reason: str) -> None:
    found = refused_body(tmp_path, f"\n{body}")
    assert any(each.startswith("hello.mjml:6: ") and reason in each for each in found), found


REFUSED_HEADS = {
    "no front matter": ("<mj-section />", 1, "must begin with front matter"),
    "front matter without end": ("---\nsubject: x\n", 1, "must begin with front matter"),
    "an empty file": (" \n", 1, "is empty"),
    "no subject": ("---\npreheader: x\n---\n", 1, "'subject' is missing"),
    "a blank subject": ("---\nsubject:\npreheader: x\n---\n", 2, "'subject' is missing"),
    "no preheader": ("---\nsubject: x\n---\n", 1, "'preheader' is missing"),
    "an unknown field": ("---\nsubject: x\npreheader: x\nform: x\n---\n", 4, "front matter holds"),
    "a folded subject": ("---\nsubject: x\n  y: z\npreheader: x\n---\n", 3, "front matter holds"),
    "a subject twice": ("---\nsubject: x\nsubject: x\npreheader: x\n---\n", 3, "'subject' is there twice"),
    "a carriage return": ("---\npreheader: x\nsubject: a\rBcc: x\n---\n", 3, "the subject holds a line break"),
    "a line separator": ("---\npreheader: x\nsubject: a\u2028b\n---\n", 3, "the subject holds a line break"),
    "a long subject": (f"---\npreheader: x\nsubject: {'x' * 151}\n---\n", 3, "the subject is 151 characters long"),
    "an unknown variable": ("---\npreheader: x\nsubject: {{ x }}\n---\n", 3, "subject: nobody supplies"),
    "bad Liquid": ("---\nsubject: x\npreheader: {% if %}\n---\n", 3, "preheader: "),
}


@pytest.mark.parametrize(("text", "line", "reason"), REFUSED_HEADS.values(), ids=REFUSED_HEADS.keys())
def test_head_is_refused_with_line_and_reason(tmp_path: Path, text: str, line: int, reason: str) -> None:
    found = refusals(write(tmp_path, hello=text))
    assert any(each.startswith(f"hello.mjml:{line}: ") and reason in each for each in found), found


def test_constant_that_is_no_link_is_refused_as_link(tmp_path: Path) -> None:
    body = in_text('<a href="{{ booking_url }}">x</a>')
    toml = TOML.replace("https://cal.com/example", "javascript:alert(1)")
    (found,) = refusals(write(tmp_path, toml=toml, hello=HELLO[: HELLO.index("<mj")] + body))
    assert found.startswith("hello.mjml:8: <a href>: ")


def test_mistake_in_the_layout_is_reported_once_at_its_line(tmp_path: Path) -> None:
    layout = LAYOUT.replace("<mj-body>\n", "<mj-body>\n<!-- two\nlines --><mj-text>{{ postal_address }}</mj-text>\n")
    (found,) = refusals(write(tmp_path, layout=layout))
    assert found == "_layout.mjml:5: nobody supplies the variable 'postal_address'"


def test_layout_without_place_for_content_is_refused(tmp_path: Path) -> None:
    (found,) = refusals(write(tmp_path, layout="<mjml></mjml>"))
    assert found == "_layout.mjml:1: must hold [[content]] once, on a line of its own"


def test_layout_that_is_no_mjml_is_refused(tmp_path: Path) -> None:
    found = refusals(write(tmp_path, layout="<p>\n[[content]]\n</p>"))
    assert "_layout.mjml:1: MJML: " in found[0]


def test_missing_layout_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "templates" / "_layout.mjml").unlink()
    assert "_layout.mjml:1: cannot be read" in refusals(root)[0]


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    template = load_campaign(write(tmp_path, hello=HELLO.replace("\n", "\r\n"))).templates["hello"]
    assert template.subject == "Hello {{ first_name }}"


def test_liquid_looking_words_of_the_author_stay_words(tmp_path: Path) -> None:
    assert mail(tmp_path, "liquid0000x liquid9999x {{ first_name }}", first_name="Ada").text.count("liquid") >= 1
