"""The supervisor hears its children, brings back the dead, and ends all of them, also those that do not want to."""

import io
import os
import signal
import subprocess
import textwrap
from pathlib import Path

import pytest

from services.local import children
from services.local.console import Console, readable
from tests.local.conftest import python, wait_for

pytestmark = pytest.mark.skipif(not children.CAN_FORK, reason="children are forked on Linux only")

PROGRAM = """
import os, signal, sys, time
from services.local.console import Console
from services.local.supervisor import Supervisor

class Plain(Console):
    def heard(self, name, line):
        self.say(f"{name}: {line}")

supervisor = Supervisor(Plain())

def keep(name, run, **how):
    supervisor.keep(name, lambda: supervisor.fork(run), **how)

def steady():
    print("up", os.getpid())
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    time.sleep(600)

with supervisor.listening():
    try:
        exec(sys.argv[1])
    finally:
        began = time.monotonic()
        supervisor.end()
        print(f"ended in {time.monotonic() - began:.2f}", flush=True)
"""


def run(body: str) -> subprocess.Popen[str]:
    return python("-c", PROGRAM, textwrap.dedent(body))


def said(process: subprocess.Popen[str], begin: str | tuple[str, ...]) -> str:
    """Reads on until a line begins with this, or with one of these."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(begin):
            return line.strip()
    pytest.fail(f"it never said {begin!r}")


def is_alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_told_supervisor_ends_its_children_and_then_itself(sign: signal.Signals) -> None:
    process = run("keep('one', steady); keep('two', steady); supervisor.run_until(lambda: False)")
    pids = [int(said(process, ("one: up", "two: up")).split()[-1]) for _ in range(2)]  # in whichever order they come
    assert all(is_alive(pid) for pid in pids)
    process.send_signal(sign)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "did not end" not in rest  # nobody had to be killed when the patience was over
    assert not any(is_alive(pid) for pid in pids)


def test_a_killed_child_is_back_with_another_pid() -> None:
    process = run("keep('one', steady); supervisor.run_until(lambda: False)")
    first = int(said(process, "one: up").split()[-1])
    os.kill(first, signal.SIGKILL)
    assert "SIGKILL" in said(process, "one ended")
    second = int(said(process, "one: up").split()[-1])
    assert second != first
    process.terminate()
    process.communicate(timeout=60)


def test_a_child_that_dies_at_once_waits_longer_each_time() -> None:
    process = run(
        """
        keep('weak', lambda: 3)
        supervisor.run_until(lambda: supervisor.processes[0].restarts >= 3)
        """
    )
    rest, _ = process.communicate(timeout=60)
    pauses = [float(line.split(" in ")[1].split()[0]) for line in rest.splitlines() if line.startswith("weak ended")]
    assert pauses[:3] == [0.25, 0.5, 1.0]
    assert "exit code 3" in rest


def test_an_exception_in_a_child_is_heard_and_runs_no_code_of_the_parent() -> None:
    process = run(
        """
        def breaks():
            raise RuntimeError('the tokenizer is gone')
        code = supervisor.once('step', lambda: supervisor.fork(breaks))
        print('code', code, flush=True)
        """
    )
    rest, _ = process.communicate(timeout=60)
    assert "step: RuntimeError: the tokenizer is gone" in rest
    assert "code 70" in rest
    assert rest.count("ended in") == 1  # the child did not go through the parent's `finally`


def test_a_stubborn_child_and_what_it_started_are_killed_in_time(tmp_path: Path) -> None:
    process = run(
        f"""
        import subprocess
        from pathlib import Path
        def stubborn():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            grandchild = subprocess.Popen([sys.executable, '-c', 'import signal, time; '
                                           'signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'])
            print('grandchild', grandchild.pid)
            while True:
                time.sleep(1)
        keep('stubborn', stubborn)
        supervisor.run_until(lambda: Path({str(tmp_path / "go")!r}).exists(), every=0.1)
        """
    )
    grandchild = int(said(process, "stubborn: grandchild").split()[-1])
    (tmp_path / "go").touch()
    rest, _ = process.communicate(timeout=60)  # they would sleep for ten minutes
    assert "stubborn did not end in 5 seconds and is killed" in rest
    assert float(rest.split("ended in ")[1]) >= 5
    wait_for(lambda: not is_alive(grandchild))


def test_a_killed_supervisor_takes_its_children_with_it() -> None:
    process = run("keep('one', steady); supervisor.run_until(lambda: False)")
    child = int(said(process, "one: up").split()[-1])
    process.kill()
    process.wait()
    wait_for(lambda: not is_alive(child))


def test_output_arrives_whole_and_in_order_even_when_a_child_ends_at_once() -> None:
    process = run(
        """
        def talks():
            for n in range(20_000):
                print(f'line {n} ' + 'ü' * 20)
            return 0
        supervisor.once('talker', lambda: supervisor.fork(talks))
        """
    )
    rest, _ = process.communicate(timeout=60)
    lines = [line for line in rest.splitlines() if line.startswith("talker: line")]
    assert lines == [f"talker: line {n} " + "ü" * 20 for n in range(20_000)]


def test_a_json_log_line_is_laid_out_for_reading() -> None:
    line = (
        '{"event": "mentions stored", "level": "info", "ts": "2026-11-22T12:30:05Z", "stored": 20, "service": "ingest"}'
    )
    assert readable(line) == "12:30:05 info    mentions stored  stored=20"
    assert readable("{not json") == "{not json"
    assert readable('["a list"]') == '["a list"]'


def test_a_terminal_shows_no_request_that_went_well_unless_asked() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    request = '{"event": "answered", "status": 200, "level": "info", "service": "api"}'
    failed = '{"event": "answered", "status": 500, "level": "error", "service": "api"}'
    quiet, verbose = Terminal(), Terminal()
    for line in (request, failed):
        Console(quiet).heard("api", line)
        Console(verbose, verbose=True).heard("api", line)
    assert ("status=200" in quiet.getvalue(), "status=500" in quiet.getvalue()) == (False, True)
    assert ("status=200" in verbose.getvalue(), "status=500" in verbose.getvalue()) == (True, True)


def test_a_log_file_keeps_json_as_it_is_and_names_who_wrote_the_rest() -> None:
    output = io.StringIO()
    console = Console(output)
    console.heard("triage", '{"event": "x"}')
    console.heard("triage", "Traceback")
    assert output.getvalue() == '{"event": "x"}\ntriage        | Traceback\n'


def test_a_closed_terminal_does_not_stop_the_work() -> None:
    class Closed(io.StringIO):
        def write(self, _: str, /) -> int:
            raise BrokenPipeError

    console = Console(Closed())
    console.say("nobody hears this")
    console.heard("triage", "nor this")
