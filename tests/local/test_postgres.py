"""The embedded Postgres comes up, keeps what it was given through every kind of end, and says what is wrong."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from services.local import accounts
from services.local.postgres import Postgres
from services.local.programs import find_postgres
from services.local.trouble import LocalTrouble
from tests.local.conftest import python, wait_for

AS_ROOT = os.geteuid() == 0


async def ask(server: Postgres, *statements: str) -> object:
    connection = await asyncpg.connect(server.url, timeout=60)
    try:
        answer = None
        for statement in statements:
            answer = await connection.fetchval(statement)
        return answer
    finally:
        await connection.close()


async def test_a_first_start_makes_an_18_in_utf8_that_keeps_every_promise_of_durability(
    home: Path, sockets: Path
) -> None:
    server = Postgres(home, sockets, print)
    server.start()
    try:
        assert str(await ask(server, "SHOW server_version")).startswith("18.")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await ask(server, f"SHOW {setting}") == "on"
        assert await ask(server, "SHOW server_encoding") == "UTF8"
        assert await ask(server, "SHOW TimeZone") == "UTC"
        assert await ask(server, "SHOW listen_addresses") == ""
        # letters beyond ASCII are letters, quotation marks and emoji are not
        assert await ask(server, "SELECT to_tsvector('simple', '“Ünï” 😀 kapot')::text") == "'kapot':2 'ünï':1"
        assert await ask(server, "SELECT upper('ïé')") == "ÏÉ"
    finally:
        server.stop()
    assert not server.alive()


@pytest.mark.usefixtures("made")
async def test_a_second_start_finds_everything(home: Path, sockets: Path) -> None:
    first = Postgres(home, sockets, print)
    first.start()
    await ask(first, "CREATE TABLE kept AS SELECT 42 AS n")
    first.stop()
    second = Postgres(home, sockets, print)
    second.start()
    try:
        assert await ask(second, "SELECT n FROM kept") == 42
    finally:
        second.stop()


@pytest.mark.usefixtures("made")
async def test_after_a_kill_it_starts_again_with_everything_that_was_committed(home: Path, sockets: Path) -> None:
    server = Postgres(home, sockets, print)
    server.start()
    try:
        await ask(server, "CREATE TABLE kept (n int)")
        for round_ in range(2):
            await ask(server, "INSERT INTO kept SELECT generate_series(1, 1000)")
            assert server.pid
            os.kill(server.pid, signal.SIGKILL)
            wait_for(lambda: not server.alive())
            server.start()
            assert await ask(server, "SELECT count(*) FROM kept") == 1000 * (round_ + 1)
    finally:
        server.stop()


@pytest.mark.usefixtures("made")
async def test_a_postmaster_that_outlived_its_parent_is_ended_and_replaced(home: Path, sockets: Path) -> None:
    # started without the request to die with the parent, as on a system that has no such thing
    orphan = python(
        "-c",
        "import sys, os; from pathlib import Path; from services.local import daemon; "
        "daemon.die_with_parent = lambda sign: (lambda: None)\n"
        "from services.local.postgres import Postgres\n"
        "server = Postgres(Path(sys.argv[1]), Path(sys.argv[2]), print); server.start(); print(server.pid)\n"
        "sys.stdout.flush(); os._exit(0)",
        str(home), str(sockets),
    )  # fmt: skip
    said, _ = orphan.communicate(timeout=60)
    left_over = int(said.strip())
    os.kill(left_over, 0)  # it does live on

    server = Postgres(home, sockets, print)
    server.start()
    try:
        assert server.pid != left_over
        assert await ask(server, "SELECT 1") == 1
        assert not is_running(left_over)
    finally:
        server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@pytest.mark.usefixtures("made")
def test_a_killed_parent_takes_its_postgres_with_it(home: Path, sockets: Path) -> None:
    parent = python(
        "-c",
        "import sys, time; from pathlib import Path; from services.local.postgres import Postgres\n"
        "server = Postgres(Path(sys.argv[1]), Path(sys.argv[2]), print); server.start()\n"
        "print(server.pid, flush=True); time.sleep(60)",
        str(home), str(sockets),
    )  # fmt: skip
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    wait_for(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.parametrize("pid", ["1", "999999", "ours", "nonsense"])
@pytest.mark.usefixtures("made")
async def test_a_stale_pid_file_is_no_obstacle(home: Path, sockets: Path, pid: str) -> None:
    server = Postgres(home, sockets, print)
    server.start()
    server.stop()
    # what a machine that lost power leaves: by now the number may be anybody's, even another of our own processes
    number = str(os.getpid()) if pid == "ours" else pid
    stale = server.data / "postmaster.pid"
    stale.write_text(f"{number}\n{server.data}\n1700000000\n5432\n{sockets}\n\n  1234 5678\nready\n")
    server.start()
    try:
        assert await ask(server, "SELECT 1") == 1
        assert stale.read_text().splitlines()[0] == str(server.pid)
    finally:
        server.stop()


async def test_a_half_made_folder_of_an_earlier_start_is_swept_away(home: Path, sockets: Path) -> None:
    half_made = home / "postgres.making-123"
    (half_made / "base").mkdir(parents=True)
    server = Postgres(home, sockets, print)
    server.start()
    try:
        assert await ask(server, "SELECT 1") == 1
        assert not half_made.exists()
    finally:
        server.stop()


def test_a_killed_initdb_leaves_no_cluster_behind(home: Path, sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Postgres(home, sockets, print)
    real = Postgres._run

    def dies_at_the_database(
        self: Postgres, account: object, arguments: list[str | Path], purpose: str, given: str = ""
    ) -> None:
        if given:
            raise LocalTrouble("killed")
        real(self, account, arguments, purpose, given)  # type: ignore[arg-type]

    monkeypatch.setattr(Postgres, "_run", dies_at_the_database)
    with pytest.raises(LocalTrouble):
        server.start()
    assert not server.data.exists()
    assert not list(home.glob("postgres.making-*"))


@pytest.mark.usefixtures("made")
def test_data_of_another_version_is_named_and_left_alone(home: Path, sockets: Path) -> None:
    server = Postgres(home, sockets, print)
    server.start()
    server.stop()
    (server.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(LocalTrouble, match=r"made by Postgres 16.*pg_upgrade"):
        Postgres(home, sockets, print).start()
    assert (server.data / "base").exists()


def test_a_folder_that_is_no_cluster_is_never_overwritten(home: Path, sockets: Path) -> None:
    accounts.make_own(home / "postgres", accounts.server_account(home / "postgres"))
    (home / "postgres" / "letters.txt").write_text("mine")
    with pytest.raises(LocalTrouble, match="PG_VERSION is missing"):
        Postgres(home, sockets, print).start()
    assert (home / "postgres" / "letters.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ('PANIC:  could not write to file "pg_wal/xlogtemp.99": No space left on device', "disk that holds .* is full"),
        ("FATAL:  could not map anonymous shared memory: Cannot allocate memory", "not enough free memory"),
        ('FATAL:  Unix-domain socket path "/x" is too long (maximum 107 bytes)', "Set TMPDIR to a short one"),
        ('FATAL:  lock file "/tmp/x/.s.PGSQL.5432.lock" already exists', "its socket in .* cannot be made"),
        ('FATAL:  could not open file "pg_hba.conf": Permission denied', "a file may not be written"),
        ("FATAL:  the stars are against us", 'Its last words: "FATAL:  the stars are against us"'),
        ("", "it said nothing"),
    ],
)
def test_what_postgres_says_becomes_a_sentence_that_helps(home: Path, sockets: Path, words: str, sentence: str) -> None:
    server = Postgres(home, sockets, print)
    with pytest.raises(LocalTrouble, match=sentence):
        raise server._explained(words, "Postgres did not start")


def test_a_full_disk_is_said_before_anything_is_made(
    home: Path, sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 0))
    with pytest.raises(LocalTrouble, match=r"is full\. Make room"):
        Postgres(home, sockets, print).start()
    assert not list(home.glob("postgres*"))


@pytest.mark.usefixtures("made")
def test_a_start_that_fails_tells_the_real_reason(home: Path, sockets: Path) -> None:
    server = Postgres(home, sockets, print)
    server.start()
    server.stop()
    with (server.data / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(LocalTrouble, match=r"no_such_setting|configuration file"):
        server.start()


@pytest.mark.skipif(not AS_ROOT, reason="only root has to run Postgres as somebody else")
class TestAsRoot:
    def test_it_runs_as_an_account_without_rights_that_was_there_before(self, home: Path, sockets: Path) -> None:
        before = Path("/etc/passwd").read_bytes()
        server = Postgres(home, sockets, print)
        server.start()
        try:
            owner = subprocess.run(
                ["ps", "-o", "uid=", "-p", str(server.pid)], capture_output=True, text=True, check=True
            )
            assert int(owner.stdout) == pwd.getpwnam("nobody").pw_uid
            assert server.data.stat().st_mode & 0o777 == 0o700
            # nobody but that account and root gets through the socket's folder
            assert sockets.stat().st_mode & 0o777 == 0o700
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(sockets / ".s.PGSQL.5432"))
        finally:
            server.stop()
        assert Path("/etc/passwd").read_bytes() == before

    async def test_data_and_programs_out_of_reach_go_where_they_can_be_reached(
        self, home: Path, sockets: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        system = home / "var-lib"
        monkeypatch.setattr(accounts, "SYSTEM_FOLDER", system)
        closed = home / "closed"
        (closed / "data").mkdir(parents=True)
        closed.chmod(0o700)
        package = Path(find_postgres(None, print).folder).parents[1]
        shutil.copytree(
            package / "pginstall18",
            closed / package.name / "pginstall18",
            symlinks=True,
            ignore=shutil.ignore_patterns("*.a"),
        )
        libraries = f"{package.name}.libs"
        shutil.copytree(package.parent / libraries, closed / libraries)
        monkeypatch.syspath_prepend(str(closed))
        (closed / package.name / "__init__.py").touch()

        said: list[str] = []
        server = Postgres(closed / "data", sockets, said.append)
        server.start()
        try:
            assert await ask(server, "CREATE TABLE kept AS SELECT 7 AS n", "SELECT n FROM kept") == 7
            programs = Path(f"/proc/{server.pid}/exe").readlink()
        finally:
            server.stop()
        assert server.data.is_relative_to(system)
        assert programs.is_relative_to(system / "programs")
        assert any(str(server.data) in line for line in said), said
        assert any(str(system / "programs") in line for line in said), said

        # once chosen, the place stays, even when the folder could be entered by now
        closed.chmod(0o755)
        again = Postgres(closed / "data", sockets, said.append)
        assert again.data == server.data
        again.start()
        try:
            assert await ask(again, "SELECT n FROM kept") == 7
        finally:
            again.stop()

    async def test_data_that_an_ordinary_account_made_stays_its_own(self, home: Path, sockets: Path) -> None:
        daemon = pwd.getpwnam("daemon")
        os.chown(home, daemon.pw_uid, daemon.pw_gid)
        server = Postgres(home, sockets, print)
        server.start()
        server.stop()
        for path in [server.data, *server.data.rglob("*")]:
            os.chown(path, daemon.pw_uid, daemon.pw_gid)
        os.chown(sockets, daemon.pw_uid, daemon.pw_gid)
        server.start()
        try:
            owner = subprocess.run(
                ["ps", "-o", "uid=", "-p", str(server.pid)], capture_output=True, text=True, check=True
            )
            assert int(owner.stdout) == daemon.pw_uid
        finally:
            server.stop()
