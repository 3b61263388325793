"""Embedded servers run as long as somebody uses them, whoever started them and however the users end."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from services.local import environment
from services.local.environment import resolved
from services.local.keeper import ServerState, read_state, state_file
from services.local.trouble import LocalTrouble
from shared.kit.settings import Settings
from tests.local.conftest import processes_of, python, wait_for

USER = """
import sys
from pathlib import Path
from services.local.environment import resolved
from shared.kit.settings import Settings
with resolved(Settings(data_dir=Path(sys.argv[1]))) as settings:
    print(settings.database_url, flush=True)
    sys.stdin.read() if len(sys.argv) < 3 else None
"""


@pytest.fixture
def given(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in list(os.environ):
        if name.startswith("WEBCARE_"):
            monkeypatch.delenv(name)
    return Settings(data_dir=home)


def user(home: Path) -> subprocess.Popen[str]:
    """Another command on the same folder, which uses the servers until its input ends; ready when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(home)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    return process


def state(home: Path, kind: str = "postgres") -> ServerState:
    found = read_state(home, kind)
    assert found is not None
    return found


async def one(url: str) -> object:
    connection = await asyncpg.connect(url, timeout=60)
    try:
        return await connection.fetchval("SELECT 1")
    finally:
        await connection.close()


async def test_what_is_not_named_is_started_and_afterwards_nothing_is_left(given: Settings, home: Path) -> None:
    with resolved(given) as settings:
        assert await one(settings.database_url) == 1
        with socket.socket(socket.AF_UNIX) as valkey:
            valkey.connect(settings.valkey_url.removeprefix("unix://").partition("?")[0])
        assert len(settings.secret_key.get_secret_value()) >= 32
        kept = home / "secret_key"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        # two keepers and their servers; without this, finding nobody afterwards would mean nothing
        assert len(processes_of(home)) >= 4
        sockets = [Path(state(home, kind).sockets) for kind in ("postgres", "valkey")]
        assert all(stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in sockets)
    assert processes_of(home) == []
    assert not any(folder.exists() for folder in sockets)

    with resolved(given) as again:
        assert again.secret_key == settings.secret_key


def test_what_is_named_is_used_and_nothing_is_started(home: Path) -> None:
    secret = SecretStr("x" * 40)
    given = Settings(
        data_dir=home / "never", database_url="postgresql://u@h/d", valkey_url="redis://h", secret_key=secret
    )
    with resolved(given) as settings:
        assert settings == given
        assert not (home / "never").exists()


def test_a_database_of_ones_own_needs_a_secret_of_ones_own(home: Path) -> None:
    given = Settings(data_dir=home, database_url="postgresql://u@h/d", valkey_url="redis://h")
    with pytest.raises(LocalTrouble, match="WEBCARE_SECRET_KEY must be set too"), resolved(given):
        pass


def test_only_the_server_that_is_not_named_is_started(home: Path) -> None:
    given = Settings(data_dir=home, database_url="postgresql://u@h/d", secret_key=SecretStr("x" * 40))
    with resolved(given) as settings:
        assert settings.database_url == "postgresql://u@h/d"
        assert settings.valkey_url.startswith("unix://")
        assert not (home / "postgres").exists()


@pytest.mark.usefixtures("made")
async def test_a_second_command_shares_the_servers_and_the_last_one_stops_them(given: Settings, home: Path) -> None:
    other = user(home)
    try:
        keeper = state(home).keeper
        with resolved(given) as settings:
            assert state(home).keeper == keeper
            assert other.stdin is not None
            other.stdin.close()
            other.wait(60)  # the one that had started them is gone
            assert await one(settings.database_url) == 1
        wait_for(lambda: not processes_of(home))
    finally:
        other.kill()


def test_many_commands_at_once_start_each_server_once(home: Path) -> None:
    users = [python("-c", USER, str(home), "go") for _ in range(4)]
    answers = [each.communicate(timeout=60)[0] for each in users]
    assert all(answer.startswith("postgresql://") for answer in answers), answers
    assert all(each.returncode == 0 for each in users), answers
    wait_for(lambda: not processes_of(home))
    starts = (home / "postgres.log").read_text().count("ready to accept connections")
    # one start, or a few where all had ended before the next began; never two at the same time
    assert 1 <= starts <= 4
    assert "another server" not in (home / "postgres.log").read_text()


@pytest.mark.usefixtures("made")
def test_a_killed_command_leaves_nothing_running(home: Path) -> None:
    other = user(home)
    other.kill()
    other.wait()
    wait_for(lambda: not processes_of(home))
    assert state(home).state == "stopped"


@pytest.mark.usefixtures("made")
async def test_a_killed_postmaster_is_back_at_the_same_address(given: Settings, home: Path) -> None:
    with resolved(given) as settings:
        for round_ in (1, 2):
            pid = state(home).pid
            assert pid
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda before=round_: state(home).restarts == before and state(home).state == "ready")  # type: ignore[misc]
            assert await one(settings.database_url) == 1


@pytest.mark.usefixtures("made")
async def test_a_killed_keeper_is_replaced_at_the_same_address(given: Settings, home: Path) -> None:
    setting_up = environment.Environment(given)
    setting_up.begin()
    settings = setting_up.wait(print)
    try:
        keeper = state(home).keeper
        os.kill(keeper, signal.SIGKILL)
        os.waitpid(keeper, 0)
        setting_up.watch()
        assert setting_up.wait(print).database_url == settings.database_url
        assert state(home).keeper != keeper
        assert await one(settings.database_url) == 1
    finally:
        setting_up.end()
    assert processes_of(home) == []


@pytest.mark.usefixtures("made")
def test_the_keepers_trouble_reaches_the_person(given: Settings, home: Path) -> None:
    with resolved(given):
        pass
    (home / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(LocalTrouble, match="made by Postgres 15"), resolved(given):
        pass
    assert processes_of(home) == []


@pytest.mark.parametrize(
    "left",
    [
        {"state": "ready", "url": "postgresql://nowhere/x", "sockets": "/etc"},
        {"state": "trouble", "trouble": "something of long ago"},
    ],
)
@pytest.mark.usefixtures("made")
def test_what_an_earlier_day_left_in_the_state_file_is_not_believed(home: Path, left: dict[str, str]) -> None:
    state_file(home, "postgres").write_text(json.dumps({"keeper": os.getpid(), **left}))
    state_file(home, "valkey").write_text("half a fi")
    # together, so that some come while the new keeper has not spoken yet
    users = [python("-c", USER, str(home), "go") for _ in range(3)]
    for said, code in [(each.communicate(timeout=230)[0], each.returncode) for each in users]:
        assert code == 0, said
        assert said.startswith("postgresql://webcare@/")
        assert "/etc" not in said


def test_a_data_folder_that_cannot_be_made_is_a_sentence(home: Path) -> None:
    (home / "file").touch()
    with (
        pytest.raises(LocalTrouble, match=r"cannot be written: .*WEBCARE_DATA_DIR"),
        resolved(Settings(data_dir=home / "file" / "data")),
    ):
        pass
