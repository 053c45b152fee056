"""docs/webhooks.md: its requests are made as they stand, and answered as it shows."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e import pages
from tests.e2e.pages import Block, same
from tests.e2e.processes import machine
from tests.e2e.site import Site, started

pytestmark = pages.TYPED

SIGNUPS = pages.section("webhooks.md", "Signups")
BOOKINGS = pages.section("webhooks.md", "Bookings from Cal.com")
DELIVERIES = pages.section("webhooks.md", "Deliveries from Resend")
TRIGGERS = pages.section("webhooks.md", "Triggers")
SIGNED, BOOKED = SIGNUPS[-1].text, BOOKINGS[0].text
CALCOM_SECRET = "a-secret-of-your-own"
SIGNUP_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """As `dripstream up` is started without any setting."""
    async for running in _running(tmp_path_factory.mktemp("open")):
        yield running


@pytest.fixture(scope="module")
async def signed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    secrets = {"CALCOM_WEBHOOK_SECRET": CALCOM_SECRET, "SIGNUP_WEBHOOK_SECRET": SIGNUP_SECRET}
    async for running in _running(tmp_path_factory.mktemp("signed"), **secrets):
        yield running


async def _running(folder: Path, **environment: str) -> AsyncIterator[Site]:
    with machine(folder, **environment) as made:
        pages.like_a_checkout(made)
        async with started(made) as running:
            yield running


def answered(said: str, shown: Block) -> None:
    """Status, type and body; the other headers are left out on the page."""
    head, _, body = said.replace("\r", "").partition("\n\n")
    wanted, _, wanted_body = shown.text.partition("\n\n")
    assert set(wanted.splitlines()) <= set(head.splitlines()), said
    assert same(body, wanted_body), said


async def test_a_signup_is_taken_then_known_and_a_bad_one_explained(site: Site) -> None:
    first, taken, again, bad, refused = SIGNUPS[:5]
    for request, shown in ((first, taken), (first, again), (bad, refused)):
        code, said = pages.types(site.machine, request.text.replace("curl -i", "curl -si"))
        assert code == 0
        answered(said, shown)


async def test_a_signature_made_by_the_page_is_taken(signed: Site) -> None:
    line, _, rest = SIGNED.partition("\n")
    assert line.startswith("export SIGNUP_WEBHOOK_SECRET=")
    _, said = pages.types(signed.machine, rest.replace("curl ", "curl -s "))
    assert json.loads(said)["status"] == "accepted"
    _, said = pages.types(signed.machine, rest.replace("curl ", "curl -s ").replace("v1,$sig", "v1,AAAA$sig"))
    assert json.loads(said)["status"] == 401


async def test_a_booking_is_taken_and_the_other_answers_are_as_shown(signed: Site) -> None:
    code, said = pages.types(signed.machine, BOOKED.replace("curl -i", "curl -si"))
    assert code == 0
    answered(said, BOOKINGS[1])
    body = BOOKED[BOOKED.index("body='") : BOOKED.index("sig=")]
    for changed, shown in zip(_variations(body), re.split(r"\n\n", BOOKINGS[2].text), strict=True):
        commands = BOOKED.replace(body, changed).replace("curl -i", "curl -s -w '\\n%{http_code}'")
        if "no signature" in shown:
            commands = commands.replace('"x-cal-signature-256: $sig"', '"x-other: 1"')
        _, said = pages.types(signed.machine, commands)
        answer, _, status = said.rpartition("\n")
        assert same(f"{status} {answer}", shown.partition("\n")[2]), said


def _variations(body: str) -> list[str]:
    ping = 'body=\'{"triggerEvent": "PING", "createdAt": "2026-11-20T15:00:00.000Z", "payload": {}}\'\n'
    nobody = re.sub(r'"attendees": \[.*?\]', '"attendees": []', body, flags=re.DOTALL)
    return [ping, nobody, body]


async def test_the_sandbox_takes_the_address_it_shall_tell(site: Site) -> None:
    [told] = [block for block in DELIVERIES if "_control/webhooks" in block.text]
    code, said = pages.types(site.machine, told.text.replace("curl ", "curl -sf "))
    assert code == 0, said


async def test_a_trigger_is_taken_known_and_checked(site: Site) -> None:
    [shown] = TRIGGERS
    for typed in re.split(r"^\$ ", shown.text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, output = typed.partition("\n")
        _, said = pages.types(site.machine, command)
        assert same(said, output), said
