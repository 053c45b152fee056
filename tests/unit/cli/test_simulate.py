"""`dripstream simulate`: a person's calendar of emails, from files alone."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.simulate import run
from services.settings import Settings
from tests.calcom import cancelled, created, rescheduled
from tests.factories import CAMPAIGN

SIGNUP = {"email": "ada@example.com", "first_name": "Ada", "assessment_score": 34, "red_systems": 3}
BEGAN = datetime(2026, 12, 1, 9, 0)  # noqa: DTZ001 - as the command line gives it


@pytest.fixture
def files(tmp_path: Path) -> Any:
    def write(name: str, content: Any) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def simulated(capsys: pytest.CaptureFixture[str], **options: Any) -> list[dict[str, Any]]:
    values = {"campaign": CAMPAIGN, "signup": None, "bookings": (), "signed_up_at": BEGAN, "render": None} | options
    run(Settings.load(), as_json=True, **values)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_signup_leads_to_seven_emails_with_their_times_and_subjects(
    files: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    mails = simulated(capsys, signup=files("signup", SIGNUP))
    began = BEGAN.replace(tzinfo=UTC)
    assert [mail["step"] for mail in mails] == [f"email-{n}" for n in range(1, 8)]
    assert [datetime.fromisoformat(mail["at"]) - began for mail in mails] == [
        timedelta(hours=hours) for hours in (0, 24, 72, 120, 168, 216, 264)
    ]
    assert mails[0]["subject"] == "Ada, your results: 34 out of 100"


def test_bookings_may_be_given_in_any_order(files: Any, capsys: pytest.CaptureFixture[str]) -> None:
    book, move = files("created", created()), files("moved", rescheduled())
    assert simulated(capsys, bookings=(book, move)) == simulated(capsys, bookings=(move, book)) != []


def test_a_cancelled_booking_leads_to_nothing(files: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulated(capsys, bookings=(files("created", created()), files("cancelled", cancelled()))) == []


def test_the_emails_can_be_written_to_a_folder(files: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated(capsys, signup=files("signup", SIGNUP), render=tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == 14
    assert names[0] == "01-nurture-email-1.html"
    assert "Ada" in (tmp_path / "out" / "01-nurture-email-1.txt").read_text()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"campaign": "nope"}, "there is no campaign nope"),
        ({}, "nothing to simulate"),
        ({"signup": "{}"}, "email"),
        ({"signup": "not json"}, "signup.json"),
        ({"bookings": '{"triggerEvent":"FORM_SUBMITTED"}'}, "is not acted on"),
        ({"bookings": '{"triggerEvent":"BOOKING_CREATED","payload":{"uid":"x"}}'}, "bookings.json"),
    ],
)
def test_what_cannot_be_simulated_says_what_is_wrong(
    files: Any, capsys: pytest.CaptureFixture[str], options: dict[str, str], problem: str
) -> None:
    paths: dict[str, Any] = {}
    for name, content in options.items():
        path = content if name == "campaign" else files(name, content)
        paths[name] = (path,) if name == "bookings" else path
    with pytest.raises(ValueError, match=problem):
        simulated(capsys, **paths)


def test_two_people_are_not_simulated_at_once(files: Any, capsys: pytest.CaptureFixture[str]) -> None:
    signup = files("signup", SIGNUP | {"email": "bob@example.com"})
    with pytest.raises(ValueError, match="more than one person"):
        simulated(capsys, signup=signup, bookings=(files("created", created()),))
