"""`dripstream demo` without a terminal: to the end, once more, and taken up after a kill."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from eventlog.server import NatsServer
from tests.e2e.people import PEOPLE
from tests.e2e.processes import Answer, Machine, machine
from tests.e2e.site import CONTACTS, SEQUENCES, broker_of, facts_of, redeliver_soon, site

DEMO_S = 180
"""It gives itself 150, and takes half a minute."""

DONE = "6 Notion rows right."
NURTURED, AROUND_CALLS = 21, 4


@pytest.fixture(scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machine]:
    with machine(tmp_path_factory.mktemp("whole")) as made:
        yield made


@pytest.fixture(scope="module")
async def killed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machine]:
    with machine(tmp_path_factory.mktemp("killed")) as made:
        yield made


@pytest.fixture(scope="module")
async def answers(whole: Machine, killed: Machine) -> dict[str, Answer]:
    """Two demos beside each other, as they mostly wait: one left alone, one killed half-way."""
    first, taken_up = await asyncio.gather(whole.run("demo", within_s=DEMO_S), interrupted(killed))
    return {"first": first, "taken up": taken_up}


async def interrupted(here: Machine) -> Answer:
    program = here.start("demo")
    async with site(here) as outside:
        await outside.ready()
        await outside.has_rows(*PEOPLE)
        async with broker_of(here, here.data / "demo") as broker:
            await redeliver_soon(broker)
        await outside.has_sent(6)
    await program.kill()
    assert DONE not in program.out
    return await here.run("demo", within_s=DEMO_S)


async def test_a_demo_ends_by_itself_and_says_what_it_did(answers: dict[str, Answer]) -> None:
    assert answers["first"].code == 0, answers["first"]
    assert DONE in answers["first"].out
    assert f"{NURTURED} nurture emails and {AROUND_CALLS} around calls sent, each exactly once" in answers["first"].out
    assert "Resend stand-in" in " ".join(answers["first"].out.split())
    assert answers["first"].err == ""


async def test_a_demo_that_was_killed_is_taken_up(answers: dict[str, Answer]) -> None:
    assert answers["taken up"].code == 0, answers["taken up"]
    assert "Taking up the demo that was interrupted" in answers["taken up"].out
    assert DONE in answers["taken up"].out
    assert f"{NURTURED} nurture emails" in answers["taken up"].out


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("name", ["whole", "killed"])
async def test_a_demo_leaves_each_email_once_and_6_rows(request: pytest.FixtureRequest, name: str) -> None:
    """A call whose time passed while nobody ran has no reminders, so only the undisturbed demo has all four."""
    here: Machine = request.getfixturevalue(name)
    around_calls = await everything_was_sent_once(here)
    assert around_calls == AROUND_CALLS if name == "whole" else around_calls <= AROUND_CALLS


async def everything_was_sent_once(here: Machine) -> int:
    """As the sandbox and nats-server have it on disk; how many emails were about calls."""
    folder = here.data / "demo"
    here.start("sandbox", "--data-dir", str(folder))
    async with NatsServer(folder / "nats"), broker_of(here, folder) as broker, site(here) as outside:
        facts = (await facts_of(broker)).values()
        await outside.has_sent(NURTURED)
        keys = Counter(mail.idempotency_key for mail in await outside.mails())
        rows = [*await outside.rows(SEQUENCES), *await outside.rows(CONTACTS)]
        await here.programs[-1].stop()
    nurtured = [key for key in keys if ".nurture." in str(key)]
    assert (len(nurtured), set(keys.values()), len(rows)) == (NURTURED, {1}, 6)
    assert sum(each["email_sent"] for each in facts) == len(keys)
    assert [each["signup_received"] for each in facts] == [1] * 3
    return len(keys) - len(nurtured)


@pytest.mark.usefixtures("answers")
async def test_a_demo_can_be_run_again(whole: Machine) -> None:
    again = await whole.run("demo", within_s=DEMO_S)
    assert again.code == 0, again
    assert DONE in again.out
    assert "Taking up" not in again.out
