"""Ingest as an application."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from eventlog.connection import Broker
from eventlog.log import EventLog
from services.ingest import calcom_routes, openapi, problems, resend_routes, routes, trigger_routes
from services.ingest.counting import Counting
from services.ingest.guard import calcom_guard, resend_guard, signup_guard
from services.ingest.metrics import REQUESTS
from services.ingest.shell import MAX_BODY, Shell
from services.ingest.story import told
from services.metrics import metrics
from services.ready import Readiness
from services.settings import Settings

APPEND_S = 5.0
"""A form waits for the answer; after that it is better told to try again."""


def create_app(
    broker: Broker,
    settings: Settings,
    campaigns: Mapping[str, Collection[str]],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Litestar:
    """`campaigns` are the trigger names each campaign knows, by id. Errors: BadSecret, where one cannot be read."""
    shell = Shell(
        events=EventLog(replace(broker, timeout_s=min(broker.timeout_s, APPEND_S))),
        campaigns={id_: frozenset(names) for id_, names in campaigns.items()},
        signups=signup_guard(settings, clock),
        bookings=calcom_guard(settings),
        deliveries=resend_guard(settings, clock),
        readiness=Readiness(broker, settings.replicas),
        clock=clock,
    )
    counting = Counting(broker, clock)
    return Litestar(
        route_handlers=[
            routes.christmas_signup,
            routes.campaign_signup,
            calcom_routes.calcom_booking,
            resend_routes.resend_delivery,
            trigger_routes.campaign_trigger,
            routes.health,
            routes.ready,
            metrics,
            openapi.assets(),
        ],
        state=State({"ingest": shell}),
        middleware=[counting.middleware, REQUESTS.middleware, told],
        lifespan=[counting.telling],
        exception_handlers={
            problems.Refusal: problems.on_refusal,
            problems.NotReady: problems.on_not_ready,
            HTTPException: problems.on_http_error,
            Exception: problems.on_bug,
        },
        cors_config=_cors(settings.cors_origins),
        openapi_config=openapi.config(routes.VERSION),
        request_max_body_size=MAX_BODY,
        logging_config=None,  # our own lines say what happened, without bodies and headers
    )


def _cors(origins: Collection[str]) -> CORSConfig | None:
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "POST"],
        allow_headers=["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"],
    )
