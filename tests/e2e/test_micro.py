"""Every service is listed and answers, all in one process and each in its own."""

import json
from pathlib import Path
from typing import Any

from cli.names import SERVICES
from contracts.subjects import question
from eventlog.connection import Broker
from eventlog.server import NatsServer
from tests.e2e.people import MARIA
from tests.e2e.processes import START_S, machine
from tests.e2e.site import SIGNUP, broker_of, started
from tests.waiting import SOON_S, eventually

NAMES = {f"dripstream-{name}" for name in SERVICES}


async def listed(broker: Broker, *, expected: int = 1) -> set[str]:
    """Who answers: so many are waited for, and whoever else answers soon."""
    inbox = broker.nc.new_inbox()
    subscription = await broker.nc.subscribe(inbox)
    await broker.nc.publish("$SRV.PING", reply=inbox)
    found = set[str]()
    try:
        # an empty answer: the server says that nobody listens
        while data := (await subscription.next_msg(timeout=SOON_S if len(found) < expected else 0.3)).data:
            found.add(json.loads(data)["name"])
    except TimeoutError:
        pass
    await subscription.unsubscribe()
    return found


async def ask(broker: Broker, name: str, **request: object) -> Any:
    answer = await broker.nc.request(question(name), json.dumps(request).encode(), timeout=SOON_S)
    return json.loads(answer.data)


async def test_up_lists_each_service_and_answers_for_all_of_them(tmp_path: Path) -> None:
    with machine(tmp_path) as made:
        chat = f"http://127.0.0.1:{made.sandbox_port}/discord/api/webhooks/12/t0ken"
        async with started(made, NOTIFY_WEBHOOK_URL=chat) as site, broker_of(made) as broker:
            assert await listed(broker, expected=len(NAMES)) == NAMES
            (await site.webhooks.post(SIGNUP, json=MARIA.form())).raise_for_status()
            await site.has_sent(1)
            story = await ask(broker, "contact", email=MARIA.email)
            told = await made.run("contact", MARIA.email, "--json")
            assert {**json.loads(told.out), "more": False} == story
            paused = await ask(broker, "pause", **{"for": "1h"}, by="ada")
            assert paused["paused"]["reason"] == "by ada"
            assert "sender is paused" in (await made.run("failures")).out
            assert (await ask(broker, "resume", by="ada"))["before"] == paused["paused"]


async def test_a_service_alone_is_listed_until_it_is_stopped(tmp_path: Path) -> None:
    with machine(tmp_path) as made:
        async with NatsServer(tmp_path / "nats") as nats:
            made.environment["NATS_URL"] = nats.url
            assert (await made.run("init")).code == 0
            async with broker_of(made) as broker:

                async def is_alone(name: str) -> bool:
                    return await listed(broker) == {name}

                program = made.start("scheduler")
                await eventually(lambda: is_alone("dripstream-scheduler"), timeout=START_S)
                assert await ask(broker, "pending") == {"total": 0, "more": False, "emails": []}
                assert await program.stop() == 0
                assert await listed(broker) == set()
