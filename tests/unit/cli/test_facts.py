import csv
import io

import msgspec
import pytest

from cli.facts import COLUMNS, Wanted, csv_line, document, line, row, safe, wanted
from cli.whom import Cannot
from contracts.codec import encode
from contracts.facts import AnyFact
from contracts.ids import contact_id
from contracts.subjects import fact_subject
from eventlog.direct import StoredMessage
from tests.factories import ADA, make_email_sent, make_held, make_signup

STORED = {"Nats-Time-Stamp": "2026-11-20T09:00:00.123456789Z"}
ME = contact_id(ADA)


def stored(fact: AnyFact, payload: bytes | None = None) -> StoredMessage:
    return StoredMessage(fact_subject(fact), 7, STORED, encode(fact) if payload is None else payload)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\n=1+1", "\uff1d1+1"])
def test_a_cell_that_begins_like_a_formula_is_text(text: str) -> None:
    assert safe(text) == f"'{text}"
    cells = row(stored(make_held(by=text)))
    assert dict(zip(COLUMNS, cells, strict=True))["by"] == f"'{text}"


def test_a_row_of_csv_has_every_column_and_the_whole_fact() -> None:
    fact = make_held(why='a "quoted", reason\nof two lines')
    [cells] = csv.reader(io.StringIO(csv_line(row(stored(fact)))))
    told = dict(zip(COLUMNS, cells, strict=True))
    assert (told["sequence"], told["type"], told["contact"], told["by"]) == ("7", "operator_held", ME, "grace")
    assert told["id"] == f"{ME}.0"
    assert msgspec.json.decode(told["fact"]) == msgspec.to_builtins(fact) | {
        "at": fact.at.isoformat().replace("+00:00", "Z")
    }


def test_a_line_names_nobody_by_address_unless_asked_to_and_obeys_no_text_from_outside() -> None:
    said = stored(make_signup(first_name="Ada\x1b[2J\n"))
    assert ADA not in line(said)
    assert ME in line(said)
    assert ADA in line(said, ADA)
    assert "\x1b" not in line(said)
    assert "\n" not in line(said)


def test_what_cannot_be_read_is_told_all_the_same() -> None:
    broken = stored(make_signup(), payload=b"\xff{")
    assert document(broken)["payload_base64"] == "/3s="
    assert "cannot be read" in line(broken)
    assert len(row(broken)) == len(COLUMNS)


def test_facts_are_chosen_by_person_and_type() -> None:
    sent = stored(make_email_sent())
    assert sent in Wanted(ME, frozenset({"email_sent"}))
    assert sent not in Wanted("cother")
    assert sent not in Wanted(types=frozenset({"operator_held"}))
    assert Wanted(ME, frozenset({"email_sent"})).subject == f"events.{ME}.email_sent.>"
    assert Wanted(types=frozenset({"email_sent", "email_failed"})).subject == "events.*.*.>"


def test_a_type_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(Cannot, match=r"no facts email_snet; there are: .*email_sent"):
        wanted(None, ["email_snet"], None, None)
