from datetime import UTC, datetime

from services.sandbox.mailbox import Mail, Tag
from services.sandbox.views import Link, leading_tags, links, query


def mail(html: str, headers: dict[str, str] | None = None) -> Mail:
    return Mail(
        sender="hello@example.com",
        to=["ann@example.com"],
        subject="Hi",
        html=html,
        headers=headers or {},
        sequence=1,
        id="m",
        accepted_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def test_links_are_listed_with_their_text_and_bad_ones_do_not_open() -> None:
    html = '<a href="https://example.com/a">Book <b>now</b></a> <a href="JavaScript:alert(1)">x</a><a name="t">no</a>'
    assert links(mail(html)) == [
        Link("https://example.com/a", "Book now", opens=True),
        Link("JavaScript:alert(1)", "x", opens=False),
    ]


def test_the_unsubscribe_header_is_a_link_too() -> None:
    header = {"List-Unsubscribe": "<https://example.com/u>, <mailto:u@example.com>"}
    assert [link.target for link in links(mail("", header))] == [
        "https://example.com/u",
        "mailto:u@example.com",
    ]


def test_campaign_sequence_and_step_lead() -> None:
    tags = [Tag("contact", "c1"), Tag("step", "email-1"), Tag("campaign", "welcome")]
    assert [tag.value for tag in leading_tags(tags)] == ["welcome", "email-1"]
    assert [tag.value for tag in leading_tags(tags[:1])] == ["c1"]


def test_a_list_link_escapes_what_was_searched() -> None:
    assert query('a&b="', "sent", 0) == "?order=sent&q=a%26b%3D%22"
