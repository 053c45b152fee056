from cli.schema import page
from contracts.facts import FACTS
from services.settings import ROOT


def test_the_events_page_is_what_the_contracts_say() -> None:
    assert (ROOT / "docs" / "events.md").read_text() == page(), "run `make docs`"


def test_the_events_page_has_every_fact() -> None:
    assert all(f"## `{kind.__struct_config__.tag}`" in page() for kind in FACTS)
