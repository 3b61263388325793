"""INN, the news server of Usenet, on loopback. Its files are Debian's own, so it needs root and a machine that may be used up."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.interop.programs import CannotStart, free_port, from_apt, listens, once_running, said_by, until_true

BIN = Path("/usr/lib/news/bin")
ETC = Path("/etc/news")


@dataclass(frozen=True)
class RunningInn:
    """A running server with one group."""

    port: int
    group: str

    def cancel(self, message_id: str) -> None:
        """Takes an article away, as its news master does."""
        with once_running():
            as_news(f"{BIN}/ctlinnd cancel '<{message_id}>'")


def as_news(command: str) -> str:
    """Runs a command as the user that INN runs as."""
    return said_by("su", "-s", "/bin/sh", "news", "-c", command, what="INN")


@contextmanager
def inn_server() -> Iterator[RunningInn]:
    """The server, configured and started; its configuration is put back at the end. Raises CannotStart."""
    if os.geteuid() != 0:
        raise CannotStart("INN is configured under /etc/news, which only root may.")
    _installed()
    if Path("/run/news/innd.pid").exists() and listens(119):
        raise CannotStart("A news server of this machine is running already.")
    port, group = free_port(), "acme.support"
    kept = {name: (ETC / name).read_text() for name in ("inn.conf", "readers.conf") if (ETC / name).exists()}
    try:
        _configure(port)
        Path("/run/news").mkdir(exist_ok=True)
        shutil.chown("/run/news", "news", "news")
        as_news(str(BIN / "innd"))
        until_true(lambda: listens(port), "INN")
        with suppress(CannotStart):  # there from a former run
            as_news(f"{BIN}/ctlinnd newgroup {group} y test")
        yield RunningInn(port, group)
    finally:
        with suppress(CannotStart):
            as_news(f"{BIN}/ctlinnd throttle ending")
            as_news(f"{BIN}/ctlinnd shutdown ending")
        for name, text in kept.items():
            (ETC / name).write_text(text)


def _installed() -> None:
    if (BIN / "innd").exists() and not Path("/var/lib/dpkg/info/inn2.postinst").exists():
        return
    try:
        from_apt("innd", "inn2", has=lambda: (BIN / "innd").exists() and Path("/var/lib/news/active").exists())
    except CannotStart:
        # its installation ends in an error where the machine has no domain; with a configuration it goes on
        if not (BIN / "innd").exists():
            raise
        _configure(free_port())
        subprocess.run(
            ["dpkg", "--configure", "inn2"], capture_output=True, check=False, env={**os.environ, "RUNLEVEL": "1"}
        )


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
