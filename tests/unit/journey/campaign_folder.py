"""A small campaign on disk, valid until a test changes it."""

from pathlib import Path

import pytest

from journey.campaign import CampaignError, load_campaign

TOML = """\
name = "Spring"
from = "Business X <hello@mail.example.com>"
reply_to = "hello@example.com"
[constants]
booking_url = "https://cal.com/example"
[[segments]]
name = "CRITICAL"
when = "red_systems >= 2"
[[segments]]
name = "OTHERS"
[variables]
first_name = {}
business_name = { fallback = "your business" }
assessment_score = {}
money_score = { fallback = "N/A" }
revenue_leak_total = { format = "money", fallback = "N/A" }
[sequences.nurture]
trigger = "signup"
[[sequences.nurture.steps]]
id = "email-1"
after = "0h"
testing_after = "0m"
template = "hello"
[[sequences.nurture.steps]]
id = "email-2"
after = "24h"
testing_after = "90s"
expires_after = "2d"
template = { CRITICAL = "hello", OTHERS = "bye" }
"""
CALL = """\
[sequences.call]
trigger = "booking_created"
anchor = "start"
min_notice = "2h"
testing_min_notice = "1m"
guests = true
exit_on = ["paid", "no_show_reported"]
[[sequences.call.steps]]
id = "reminder"
after = "-24h"
testing_after = "-90s"
template = "hello"
again_when_moved = false
calendar = true
"""
LAYOUT = """\
<mjml>
  <mj-head><mj-title>[[subject]]</mj-title><mj-preview>[[preheader]]</mj-preview></mj-head>
  <mj-body>
    [[content]]
  </mj-body>
</mjml>
"""
HELLO = """\
---
subject: Hello {{ first_name }}
preheader: Look & see
---
<mj-section><mj-column><mj-text>
  <p>{{ first_name }} of {{ business_name }}</p>
</mj-text></mj-column></mj-section>
"""


def write(
    folder: Path, *, toml: str = TOML, hello: str = HELLO, layout: str = LAYOUT, bye: str = HELLO, name: str = "spring"
) -> Path:
    root = folder / name
    (root / "templates").mkdir(parents=True)
    (root / "campaign.toml").write_text(toml)
    for file, text in {"_layout": layout, "hello": hello, "bye": bye}.items():
        (root / "templates" / f"{file}.mjml").write_bytes(text.encode())
    return root


def line_with(text: str, part: str) -> int:
    """The line of the one place where the text says this."""
    assert text.count(part) == 1, (part, text.count(part))
    return text[: text.index(part)].count("\n") + 1


def refusals(root: Path) -> list[str]:
    """What is refused, as `file:line: reason`, with the file's folders left out."""
    with pytest.raises(CampaignError) as caught:
        load_campaign(root)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [f"{Path(each.file).name}:{each.line}: {each.reason}" for each in caught.value.problems]
