"""What can go wrong on one machine, always as a sentence that says what to do; a command prints it and ends."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

_DISK_FULL = ("no space left on device", "disk full", "disk quota exceeded")


class LocalTrouble(Exception):
    """A person has to do something. The message is whole sentences; no traceback is shown with it."""


def no_postgres(error: BaseException) -> LocalTrouble | None:
    """The sentence for a Postgres that cannot be reached or refuses us; None where `error` is something else.

    The URL is not shown: it holds a password."""
    reasons: list[type[BaseException]] = [ConnectionError, TimeoutError, socket.gaierror]
    if asyncpg := sys.modules.get("asyncpg"):  # where nobody has imported it, it cannot be its error
        reasons += [
            asyncpg.PostgresConnectionError,
            asyncpg.InterfaceError,
            asyncpg.CannotConnectNowError,
            asyncpg.TooManyConnectionsError,
            asyncpg.InvalidAuthorizationSpecificationError,
            asyncpg.InvalidCatalogNameError,
        ]
    if not any(isinstance(one, tuple(reasons)) for one in (error, error.__cause__, getattr(error, "orig", None))):
        return None
    return LocalTrouble(
        f"Postgres does not answer: {error}. See that WEBCARE_DATABASE_URL is right and that its server runs; "
        "`webcare doctor` looks at what else may be missing."
    )


def disk_is_full(words: str) -> bool:
    """Whether a server's or the system's own words say that the disk is full."""
    return any(sign in words.lower() for sign in _DISK_FULL)


def full_disk(folder: Path) -> LocalTrouble:
    """The sentence for a disk on which `folder` found no more room."""
    return LocalTrouble(
        f"The disk that holds {folder} is full. Make room on it, or give webcare another folder with WEBCARE_DATA_DIR; "
        "then start again. Nothing that was acknowledged is lost."
    )
