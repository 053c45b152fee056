"""What operators decide on the command line, and what people get then: production's delays, days ahead."""

import csv
import io
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.people import MARIA, PEOPLE, Person
from tests.e2e.processes import Answer, Program, machine
from tests.e2e.site import Site, started
from tests.waiting import eventually

BY = ("--by", "grace", "--why", "asked by phone")


@pytest.fixture(scope="module")
async def slow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Everybody has got the first email; the others are pending."""
    with machine(tmp_path_factory.mktemp("slow")) as made:
        async with started(made) as up:
            for person in PEOPLE:
                assert await up.sign_up(person)
            await up.has_sent(3)
            yield up


async def ok(site: Site, *args: str) -> str:
    answer: Answer = await site.machine.run(*args)
    assert (answer.code, answer.err) == (0, "")
    return answer.out


async def told(site: Site, *args: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await ok(site, *args, "--json")).splitlines()]


async def states(site: Site, email: str = MARIA.email) -> dict[str, str]:
    [story] = await told(site, "contact", email)
    return {each["step"]: each["state"] for each in story["emails"] if each["sequence"] == "nurture"}


async def is_pending(site: Site, number: int) -> bool:
    return len([each for each in await told(site, "pending") if each["contact"] == MARIA.contact]) == number


async def test_what_is_held_leaves_the_bucket_and_is_back_after_a_resume(slow: Site) -> None:
    [held] = await told(slow, "hold", MARIA.email, *BY)
    assert held == {
        "did": "held",
        "what": MARIA.contact,
        "changed": True,
        "emails": {"pending": 0, "held": 6, "skipped": 0},
    }
    await eventually(lambda: is_pending(slow, 0))
    assert "is held already" in await ok(slow, "hold", MARIA.email)
    assert "(6 pending)" in await ok(slow, "resume", MARIA.contact, *BY)
    await eventually(lambda: is_pending(slow, 6))
    story = await ok(slow, "contact", MARIA.email)
    assert "operator_held" in story
    assert "by grace: asked by phone" in story
    assert await ok(slow, "contact", MARIA.contact[:12]) == story, "by what `tail` and `pending` call them"


async def test_one_email_is_cancelled_and_brought_back(slow: Site) -> None:
    await ok(slow, "cancel", MARIA.email, "--step", "nurture/email-3", *BY)
    assert (await states(slow))["email-3"] == "skipped"
    await ok(slow, "resume", MARIA.email_id("email-3"), *BY)
    assert (await states(slow))["email-3"] == "pending"


async def test_an_email_that_was_sent_can_be_held_no_more(slow: Site) -> None:
    answer = await slow.machine.run("hold", MARIA.email, "--step", "email-1")
    assert answer.code == 1
    assert "has ended, it is sent: there is nothing to hold" in answer.err


async def test_a_whole_campaign_is_held_and_resumed(slow: Site) -> None:
    lines = await told(slow, "hold", "--campaign", "christmas-2025", "--all", "--force", *BY)
    assert {each["what"] for each in lines} == {f"{person.contact}.christmas-2025" for person in PEOPLE}
    answer = await slow.machine.run("resume", MARIA.email)
    assert f"still kept back: {MARIA.contact}.christmas-2025, by grace" in answer.out
    back = await slow.machine.run("resume", "--campaign", "christmas-2025", "--all", "--force", *BY)
    assert (back.code, back.out.strip()) == (0, "resumed: christmas-2025 for 3 of 3 people; 0 were so already")
    assert set((await states(slow)).values()) == {"sent", "pending"}


async def test_nothing_is_done_to_everybody_without_a_yes(slow: Site) -> None:
    answer = await slow.machine.run("cancel", "--campaign", "christmas-2025", "--all")
    assert answer.code == 1
    assert "cancel christmas-2025 for 3 people?" in answer.err
    assert "skipped" not in (await states(slow)).values()


async def test_a_service_is_paused_and_resumed(slow: Site) -> None:
    [paused] = await told(slow, "pause", "--for", "2h", *BY)
    assert (paused["service"], paused["reason"]) == ("sender", "by grace: asked by phone")
    assert "sender is paused until" in await ok(slow, "failures")
    assert "sender goes on (it was paused: by grace: asked by phone)" in await ok(slow, "resume", *BY)
    assert "sender was not paused" in await ok(slow, "resume", "sender")
    assert (await told(slow, "resume", "notion-sync"))[0]["changed"] is False


async def test_an_email_is_sent_now_and_once_and_a_second_time_refused(slow: Site) -> None:
    omar = next(person for person in PEOPLE if person != MARIA)
    before = await slow.mails(omar)
    [hurried] = await told(slow, "send-now", omar.email, "--step", "email-4", *BY)
    assert (hurried["email_id"], hurried["changed"]) == (omar.email_id("email-4"), True)
    await eventually(lambda: sent_now(slow, omar))
    assert len(await slow.mails(omar)) == len(before) + 1
    answer = await slow.machine.run("send-now", omar.email_id("email-4"))
    assert answer.code == 1
    assert "cannot be sent now: it is sent; nothing sends it again" in answer.err
    story = await ok(slow, "contact", omar.email)
    assert "operator_hurried" in story


async def sent_now(site: Site, person: Person) -> bool:
    return (await states(site, person.email))["email-4"] == "sent"


async def test_what_is_held_is_not_sent_now_and_what_would_help_is_said(slow: Site) -> None:
    await ok(slow, "hold", MARIA.email, "--step", "email-5")
    answer = await slow.machine.run("send-now", MARIA.email, "--step", "email-5")
    assert answer.code == 1
    assert "`dripstream resume` first" in answer.err
    await ok(slow, "resume", MARIA.email, "--step", "email-5")
    answer = await slow.machine.run("send-now", MARIA.email)
    assert "which email? Say --step; pending: nurture/email-2" in answer.err


async def test_facts_are_shown_live_until_somebody_interrupts(slow: Site) -> None:
    tail = slow.machine.start("tail", "--type", "operator_hurried", "--type", "service_paused", "--since", "1h")
    await ok(slow, "pause", "notion-sync", "--for", "1h", *BY)
    await ok(slow, "resume", "notion-sync")
    await eventually(lambda: says(tail, "notion_sync until"))
    assert await tail.stop(signal.SIGINT) == 0
    assert "@" not in tail.out
    assert "Traceback" not in tail.err
    assert {line.split()[2] for line in tail.out.splitlines()} <= {"operator_hurried", "service_paused"}


async def says(program: Program, text: str) -> bool:
    return text in program.out


async def test_every_fact_is_exported_in_order_and_a_file_is_whole_and_private(slow: Site) -> None:
    lines = [json.loads(line) for line in (await ok(slow, "export")).splitlines()]
    assert [each["sequence"] for each in lines] == sorted(each["sequence"] for each in lines)
    assert len([each for each in lines if each["fact"]["type"] == "signup_received"]) == len(PEOPLE)
    file = slow.machine.folder / "mine.csv"
    answer = await slow.machine.run("export", "--contact", MARIA.email, "--format", "csv", "-o", str(file))
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert (answer.code, answer.out, answer.err) == (0, "", f"{len(rows)} facts in {file}\n")
    assert {each["contact"] for each in rows} == {MARIA.contact}
    assert len(rows) == len([each for each in lines if each["fact"]["contact"] == MARIA.contact])
    assert file.stat().st_mode & 0o077 == 0
    assert not list(slow.machine.folder.glob(".mine*"))


async def test_an_export_that_fails_leaves_the_file_as_it_was(slow: Site) -> None:
    file = slow.machine.folder / "kept.csv"
    file.write_text("kept")
    answer = await slow.machine.run("export", "--contact", "czzz", "-o", str(file))
    assert (answer.code, file.read_text()) == (1, "kept")
    assert "nobody we know" in answer.err
    assert "there are no facts email_snet" in (await slow.machine.run("export", "--type", "email_snet")).err


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("resume", "sendr"), "is neither a service (sender, scheduler, notion-sync, notifier) nor a person"),
        (("hold",), "name a person, or say --campaign NAME --all"),
        (("hold", MARIA.email, "--all"), "name a person, or say --campaign NAME --all"),
        (("cancel", "--all"), "name a person, or say --campaign NAME --all"),
        (("resume", "--campaign", "christmas-2025"), "whose? name a person"),
        (("pause",), "say how long"),
        (("pause", "--for", "2 weeks"), "is no duration"),
        (("pause", "--until", "2020-01-01"), "--until is over already"),
    ],
)
async def test_what_is_not_clear_is_refused_with_the_usage(slow: Site, args: tuple[str, ...], hint: str) -> None:
    answer = await slow.machine.run(*args)
    assert answer.code == 2
    assert hint in " ".join(answer.err.replace("│", " ").split())


async def test_an_email_sent_now_while_the_sender_is_paused_goes_once_when_it_goes_on(slow: Site) -> None:
    await ok(slow, "pause", "--for", "1h", *BY)
    [hurried] = await told(slow, "send-now", MARIA.email, "--step", "email-6", *BY)
    assert hurried["sender_paused_until"]
    [again] = await told(slow, "send-now", MARIA.email, "--step", "email-6", *BY)
    assert (again["changed"], again["email_id"]) == (False, hurried["email_id"])
    before = len(await slow.mails(MARIA))
    await ok(slow, "resume", *BY)
    await eventually(lambda: slow_sent(slow, before + 1))
    assert [mail.idempotency_key for mail in await slow.mails(MARIA)].count(hurried["email_id"]) == 1


async def slow_sent(site: Site, number: int) -> bool:
    return len(await site.mails(MARIA)) == number
