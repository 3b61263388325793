"""The five processes of webcare: what each is for, and how one is run until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import logging as logger
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn

from services.local.trouble import LocalTrouble, no_postgres
from shared.kit import logging
from shared.kit.errors import WebcareError
from shared.kit.running import runner
from shared.kit.settings import Settings

GRACE_S = 3
"""How long an app's open requests may take to end once it is told to stop, in seconds."""


@dataclass(frozen=True)
class Process:
    """One process: `module` holds `create_app(settings)` when `port` names a setting, else `run(settings, stop)`."""

    name: str
    does: str
    module: str
    port: str | None = None

    def port_of(self, settings: Settings) -> int | None:
        """The port it listens on; None for a worker."""
        return int(getattr(settings, self.port)) if self.port else None


PROCESSES = {
    process.name: process
    for process in (
        Process("api", "REST, GraphQL and feeds", "services.api.app", "api_port"),
        Process("ingest", "takes mentions and pushes in", "services.ingest.app", "ingest_port"),
        Process("ingest-worker", "reads channels and sends replies", "services.ingest.worker"),
        Process("triage", "understands mentions and routes them", "services.triage.worker"),
        Process("api-worker", "delivers webhooks, watches baselines, renders reports", "services.api.worker"),
    )
}


FOR_ALL = ("shared.models.tables", "shared.kit.database", "shared.kit.jobs")
FOR_MOST = ("fastapi", "shared.kit.http")
"""What several processes import: the larger part of what starting one costs. What only one of them needs, and the
services' own modules, each process imports for itself, beside the others."""


def preload(modules: Iterable[str]) -> None:
    """Imports what processes need, once, before they are forked from this one."""
    for module in modules:
        importlib.import_module(module)


def run_process(name: str, settings: Settings) -> int:
    """Runs one process until SIGTERM or SIGINT. Returns its exit code; a trouble is logged as a sentence."""
    process = PROCESSES[name]
    logging.configure(process.name, settings.log_level.upper())
    log = logging.get(__name__)
    try:
        module = importlib.import_module(process.module)
        with runner() as process_runner:
            if process.port is None:
                process_runner.run(_until_told(lambda stop: module.run(settings, stop)))
            else:
                process_runner.run(_serve(module.create_app(settings), listening_socket(process, settings)))
    except (WebcareError, LocalTrouble) as trouble:
        log.error(str(trouble))
        return 1
    except Exception as error:
        if away := no_postgres(error):
            log.error(str(away))
            return 1
        log.exception("a process ended", process=name)
        return 1
    return 0


def listening_socket(process: Process, settings: Settings) -> socket.socket:
    """The socket an app listens on. Raises LocalTrouble naming the port and the setting where it is taken."""
    port = process.port_of(settings)
    assert port is not None
    setting = f"WEBCARE_{str(process.port).upper()}"
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise LocalTrouble(
                f"Port {port} on {settings.host}, which {process.name} needs, is taken by another program. "
                f"End that program, or choose another port with {setting}, as in {setting}={port + 10}."
            ) from error
        if isinstance(error, PermissionError):
            raise LocalTrouble(
                f"Port {port}, which {process.name} needs, may only be used by root. "
                f"Choose one above 1023 with {setting}."
            ) from error
        raise LocalTrouble(
            f"{process.name} cannot listen on {settings.host}, port {port}: {error.strerror}. Set WEBCARE_HOST to an "
            "address of this machine."
        ) from error
    return listener


async def _until_told(run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    await run(stop)
    if not stop.is_set():
        raise LocalTrouble("A worker ended without being told to.")


class _Server(uvicorn.Server):
    """uvicorn, told to stop by our own handlers, so that a stop ends with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, self.handle_exit, sign, None)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # a second request to stop means: at once
        self.force_exit = self.should_exit
        self.should_exit = True


async def _serve(app: Any, listener: socket.socket) -> None:
    logger.getLogger("uvicorn.error").setLevel(logger.WARNING)  # what it says of starts and stops, we say
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="websockets-sansio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    logging.get(__name__).info("listening", address="{}:{}".format(*listener.getsockname()[:2]))
    await server.serve(sockets=[listener])
    if not server.started:
        raise LocalTrouble("The app did not start; what it said stands above.")
