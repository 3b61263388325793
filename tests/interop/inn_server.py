"""INN, the news server of Usenet, on loopback. Its files are Debian's own, so it needs root and a machine that may be used up."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.interop import processes
from tests.interop.programs import CannotInstall, Failed, free_port, from_apt, listens, said_by, until_true

BIN = Path("/usr/lib/news/bin")
ETC = Path("/etc/news")
RUN = Path("/run/news")


@dataclass(frozen=True)
class RunningInn:
    """A running server with one group."""

    port: int
    group: str

    def cancel(self, message_id: str) -> None:
        """Takes an article away, as its news master does."""
        as_news(f"{BIN}/ctlinnd cancel '<{message_id}>'")


def as_news(command: str) -> str:
    """Runs a command as the user that INN runs as. Raises Failed."""
    return said_by("su", "-s", "/bin/sh", "news", "-c", command, what="INN")


def install_inn() -> None:
    """Raises CannotInstall or Failed."""
    if os.geteuid() != 0:
        raise CannotInstall("INN is configured under /etc/news, which only root may.")
    history = Path("/var/lib/news/history")
    try:
        from_apt("innd", "inn2", has=lambda: (BIN / "innd").exists() and history.exists())
    except Failed:
        # its installation ends in an error where the machine has no domain; with a configuration it goes on
        if not (BIN / "innd").exists():
            raise
        _configure(free_port())
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        said_by("dpkg", "--configure", "inn2", what="configuring INN", timeout_s=120, env=quiet)
    if _number().isdigit() and processes.of_session(int(_number())):
        raise CannotInstall("A news server of this machine is running already, and there is one configuration only.")


@contextmanager
def inn_server() -> Iterator[RunningInn]:
    """The server, configured and started; its configuration is put back at the end."""
    port, group = free_port(), "acme.support"
    (RUN / "innd.pid").unlink(missing_ok=True)
    kept = {name: (ETC / name).read_text() for name in ("inn.conf", "readers.conf") if (ETC / name).exists()}
    try:
        _configure(port)
        RUN.mkdir(exist_ok=True)
        shutil.chown(RUN, "news", "news")
        as_news(str(BIN / "innd"))
        until_true(lambda: listens(port) and _number().isdigit(), "INN", 60)
        processes.watch(int(_number()))
        with suppress(Failed):  # there from a former run
            as_news(f"{BIN}/ctlinnd newgroup {group} y test")
        yield RunningInn(port, group)
    finally:
        with suppress(Failed):
            as_news(f"{BIN}/ctlinnd throttle ending")
            as_news(f"{BIN}/ctlinnd shutdown ending")
        for name, text in kept.items():
            (ETC / name).write_text(text)


def _number() -> str:
    """The process that INN says it is; empty before it says so."""
    file = RUN / "innd.pid"
    return file.read_text().strip() if file.exists() else ""


def _configure(port: int) -> None:
    text = (ETC / "inn.conf").read_text()
    told = {
        "domain": "example.test",
        "pathhost": "news.example.test",
        "port": port,
        "bindaddress": "127.0.0.1",
        "bindaddress6": "none",
    }
    lines = [line for line in text.splitlines() if line.partition(":")[0].strip() not in told]
    (ETC / "inn.conf").write_text("\n".join([*lines, *(f"{name}: {value}" for name, value in told.items())]) + "\n")
    (ETC / "readers.conf").write_text(
        'auth "local" {\n hosts: "127.0.0.1"\n default: "<LOCAL>"\n}\n'
        'access "local" {\n users: "<LOCAL>"\n newsgroups: "*"\n access: RPA\n}\n'
    )
