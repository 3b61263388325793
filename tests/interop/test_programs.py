"""Starting other people's programs: what hangs is ended with its children, what cannot be had is skipped with a reason, all is ended."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.interop import programs
from tests.interop.processes import of_session
from tests.interop.programs import CannotInstall, Failed, free_port, from_apt, listens, running, said_by, until_true

ROOT = Path(__file__).resolve().parents[2]
SERVER = "import http.server, sys; http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), None).serve_forever()"


def lives(process_id: int) -> bool:
    return process_id in of_session(process_id)


def test_what_hangs_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "PATIENCE_S", 1.0)
    began = time.monotonic()
    child = tmp_path / "child"
    script = (
        f"sleep 600 & echo $! > {child}; trap '' TERM; wait; sleep 600"  # a child that holds the output, and deaf ears
    )
    with pytest.raises(Failed, match="hanging took longer than 1 seconds and was ended"):
        said_by("sh", "-c", script, what="hanging", timeout_s=1)
    assert time.monotonic() - began < 30
    assert not lives(int(child.read_text()))


def test_what_fails_says_why() -> None:
    with pytest.raises(Failed, match="building: exit code 3: no such thing"):
        said_by("sh", "-c", "echo no such thing >&2; exit 3", what="building")
    with pytest.raises(Failed, match=r"building: .*nowhere"):
        said_by("/nowhere/program", what="building")


def test_a_daemon_that_keeps_the_output_open_holds_up_nothing() -> None:
    began = time.monotonic()
    assert said_by("sh", "-c", "sleep 40 & echo started", what="starting") == "started\n"
    assert time.monotonic() - began < 30


def test_without_root_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CannotInstall, match="innd is not here, and only root on Debian installs it: inn2"):
        from_apt("innd", "inn2", has=lambda: False)


def test_all_installations_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_until", [time.monotonic() + 30])
    assert 25 < programs.time_to_install() <= 30
    monkeypatch.setattr(programs, "_until", [time.monotonic() - 1])
    with pytest.raises(CannotInstall, match="minutes for installing programs are over"):
        programs.time_to_install()


def test_a_server_is_for_this_machine_alone(tmp_path: Path) -> None:
    for address, allowed in (("127.0.0.1", True), ("0.0.0.0", False)):
        port = free_port()
        command = [sys.executable, "-c", SERVER, address, str(port)]
        if allowed:
            with running(command, tmp_path / "log", ready=lambda: listens(port)):  # noqa: B023
                assert listens(port)
        else:
            starting = running(command, tmp_path / "log", ready=lambda: listens(port))  # noqa: B023
            with pytest.raises(AssertionError, match=rf"listens beyond loopback: 0\.0\.0\.0:{port}"), starting:
                pass
        assert not listens(port)


FILE = """
import sys, time
import pytest
from pathlib import Path
from tests.interop.programs import CannotInstall, installing, listens, running, said_by

installed = installing(lambda: {install})

def test_it(tmp_path):
    with running([sys.executable, "-c", {server!r}, "127.0.0.1", "{port}"], tmp_path / "log", ready=lambda: listens({port})) as one:
        Path({told!r}).write_text(str(one.pid))
        {body}
"""


class Run:
    """A run of pytest over one test that starts a server."""

    def __init__(self, folder: Path, body: str, install: str = "None") -> None:
        self.told = folder / "told"
        file = folder / "test_one.py"
        text = FILE.format(install=install, server=SERVER, port=free_port(), told=str(self.told), body=body)
        file.write_text(textwrap.dedent(text))
        (folder / "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-m", "pytest", "-rs", "-p", "tests.interop.conftest", "-p", "no:cacheprovider"]
        self.process = subprocess.Popen(
            [*command, "-c", folder / "pytest.ini", file], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # we may run where Ctrl-C is ignored
        )  # fmt: skip

    def said(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=120)
        return self.process.returncode, out

    def server_is_gone(self) -> bool:
        return not lives(int(self.told.read_text()))


def test_a_failing_test_leaves_no_server(tmp_path: Path) -> None:
    run = Run(tmp_path, "assert False")
    code, said = run.said()
    assert (code, "1 failed" in said) == (1, True), said
    assert run.server_is_gone()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_no_server(tmp_path: Path, number: signal.Signals) -> None:
    run = Run(tmp_path, "time.sleep(60)")
    until_true(lambda: run.told.exists() and bool(run.told.read_text()), "the server", 60)
    os.kill(run.process.pid, number)
    code, said = run.said()
    assert (code, "KeyboardInterrupt" in said) == (2, True), said
    assert run.server_is_gone()


def test_a_reason_not_to_install_is_printed(tmp_path: Path) -> None:
    reason = "said_by('sh', '-c', 'echo there is no network >&2; exit 100', what='installing INN')"
    code, said = Run(tmp_path, "pass", install=reason).said()
    assert code == 0, said
    assert "installing INN: exit code 100: there is no network" in said
    assert "1 skipped" in said


def test_what_is_installed_and_fails_is_no_reason_to_skip(tmp_path: Path) -> None:
    code, said = Run(tmp_path, "said_by('sh', '-c', 'exit 1', what='starting it')").said()
    assert (code, "1 failed" in said) == (1, True), said
    assert "skipped" not in said
