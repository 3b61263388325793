"""The `webcare` command in a process of its own, forked from one that has its imports already: importing is most of the time
that a command takes, and is asked for by the tests that start it from nothing.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.local.cli import main
from shared.kit.database import Database

ROOT = Path(__file__).resolve().parents[2]
WANTED = (
    "tests.local.warm", "services.api.desk.workspaces", "services.api.worker", "services.ingest.worker",
    "services.local.demo.decision", "services.local.detached", "services.local.first_start", "services.local.health",
    "services.local.importing", "services.local.operator", "services.local.processes", "alembic.command", "migrations",
)  # fmt: skip
PATIENCE_S = 1.0
"""For how long a process waits for a Postgres that is just coming back; in earnest, longer."""
LONGEST_S = 120.0


def webcare(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a command in this environment and no other. What it said and its exit code are those of the real one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(WANTED))
    with tempfile.TemporaryDirectory(prefix="webcare-said-") as folder:
        said = [Path(folder, name) for name in ("stdout", "stderr")]
        process = context.Process(target=_run, args=(list(arguments), dict(environment), [str(file) for file in said]))
        process.start()
        process.join(LONGEST_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), LONGEST_S)
        stdout, stderr = (file.read_text(encoding="utf-8") for file in said)
        return subprocess.CompletedProcess(list(arguments), process.exitcode, stdout, stderr)


def _run(arguments: list[str], environment: dict[str, str], said: list[str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    for number, file in enumerate(said, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", buffering=1, closefd=False) for number in (1, 2))
    sys.argv = ["webcare", *arguments]
    Database.open.__func__.__kwdefaults__["patience_s"] = PATIENCE_S  # type: ignore[attr-defined]  # a class method's
    main()
