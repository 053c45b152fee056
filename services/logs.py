"""Logging: structlog, one line per delivery, no personal data beyond the contact id."""

import logging
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import structlog
from structlog.typing import EventDict, WrappedLogger

from eventlog import trace


def configure(style: str = "auto", *, file: Path | None = None) -> None:
    """`json` for machines, `console` for people, `auto` by who reads; to standard error, or appended to a file."""
    output = file.open("a", encoding="utf-8", buffering=1) if file else sys.stderr
    if style == "auto":
        style = "console" if output.isatty() else "json"
    render = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=file is None and output.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _with_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=output, force=True)  # what libraries say
    for noisy in ("httpx", "httpcore", "notion_client", "nats"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)  # they log addresses of requests, and errors we report


def _with_trace(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Which webhook it goes back to, for whatever is said while a message is handled."""
    if here := trace.current():
        line.setdefault("trace_id", here.trace_id)
    return line


def of_service(name: str) -> AbstractContextManager[None]:
    """Every line said in the block, and in tasks begun there, names the service: as its durable consumer is called."""
    return structlog.contextvars.bound_contextvars(service=name.replace("-", "_"))
