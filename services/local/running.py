"""What a running `webcare up` tells the other commands: one lock and one small file in the data folder."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from services.local.locks import FileLock


@dataclass(frozen=True)
class RunningProcess:
    """One child of the supervisor; without a `pid` it waits to be started again."""

    name: str
    pid: int | None
    restarts: int


@dataclass(frozen=True)
class Running:
    """The supervisor of one data folder."""

    pid: int
    started_at: str
    state: Literal["starting", "ready", "ending", "failed"]
    api_url: str
    ingest_url: str
    processes: list[RunningProcess] = field(default_factory=list)


def up_lock(home: Path) -> FileLock:
    """Held by the one `webcare up` of this data folder, and by its children until the last of them has ended."""
    return FileLock(home / "up.lock")


def write(home: Path, running: Running) -> None:
    """Tells how things stand."""
    draft = home / f"up.json.{os.getpid()}"
    draft.write_text(json.dumps(asdict(running)), encoding="utf-8")
    draft.replace(home / "up.json")


def read(home: Path) -> Running | None:
    """The supervisor that runs now; None when none does."""
    if not home.is_dir() or not up_lock(home).held_by_anyone:
        return None
    try:
        found = json.loads((home / "up.json").read_text(encoding="utf-8"))
        return Running(**{**found, "processes": [RunningProcess(**each) for each in found["processes"]]})
    except (OSError, ValueError, TypeError, KeyError):
        return None
