"""What a forked process of the installation runs; its imports are what the fork server loads once."""

import os
import sys
from pathlib import Path

import services.api.app
import services.api.worker
import services.ingest.app
import services.ingest.worker
import services.triage.worker  # noqa: F401  # loaded for the processes that are forked
from services.local.processes import run_process
from shared.kit.settings import Settings


def run(name: str, settings: Settings, log: Path) -> None:
    """Runs one process in a session of its own until it is killed; what it says goes to `log`."""
    os.setsid()
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(run_process(name, settings))
