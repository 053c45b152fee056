"""The OpenAPI page is a promise: whatever it allows to be sent is answered as it says, and never with a 500."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from eventlog.connection import Broker
from tests.integration.ingest import running

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 40


async def test_every_operation_answers_as_the_page_says(broker: Broker) -> None:
    async with running(broker) as client:
        answers = await asyncio.to_thread(try_everything, str(client.base_url))
    assert {"202", "400", "404"} <= answers.keys(), "too few kinds of answers to prove anything"


def try_everything(url: str) -> Counter[str]:
    """Generated requests to each operation; how often each status was the answer. Errors: what a check found."""
    answers: Counter[str] = Counter()
    schema = schemathesis.openapi.from_url(f"{url}/schema/openapi.json")
    operations = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    for operation in operations:
        trial(operation.as_strategy(), url, answers)()
    return answers


def trial(cases: SearchStrategy[Any], url: str, answers: Counter[str]) -> Callable[[], None]:
    @seed(20261201)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def run(case: Any) -> None:
        response = case.call(base_url=url)
        answers[str(response.status_code)] += 1
        case.validate_response(response, checks=CHECKS)

    trial_run: Callable[[], None] = run
    return trial_run
