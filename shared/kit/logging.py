"""Logs: one JSON object a line, with the request and trace they belong to. No text of a mention is ever logged."""

import logging
import re
import sys
from typing import Any

import structlog

_SECRET = re.compile(r"(secret|password|token|authorization|api_key|cookie|^text$|^body$|^title$)", re.IGNORECASE)


def _hide(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Blanks what must not be in a log by the name of its field: the last line of defence, not the first."""
    for name in event:
        if _SECRET.search(name):
            event[name] = "[hidden]"
    return event


def configure(service: str, level: str = "INFO") -> None:
    """Sets up logging for a process; `service` stands in each line. Standard library loggers go the same way."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        _hide,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in (
        "uvicorn.access",
        "httpx",
        "httpcore",
        "arq.worker",
        "arq.jobs",
        "asyncio",
        "matplotlib",
        "fontTools",
    ):
        logging.getLogger(noisy).setLevel(logging.ERROR if noisy.startswith("arq") else logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


def get(name: str) -> Any:
    """A logger: `log.info("mentions stored", channel=…, stored=…)`."""
    return structlog.stdlib.get_logger(name)
