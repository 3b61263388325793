"""The commands on servers that were named, as compose and cron run them: nothing is started, and each does its one thing."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from services.api.desk import workspaces
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.store.keys import Keys
from tests.local.warm import webcare


class Terminal:
    """Runs `webcare` on the settings of this file's database."""

    def __init__(self, settings: Settings) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WEBCARE_")}
        self._environment = {
            **clean, "WEBCARE_DATABASE_URL": settings.database_url, "WEBCARE_VALKEY_URL": settings.valkey_url,
            "WEBCARE_SECRET_KEY": settings.secret_key.get_secret_value(), "WEBCARE_DATA_DIR": str(settings.data_dir),
        }  # fmt: skip

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return webcare(arguments, {**self._environment, **more})


@pytest.fixture
def terminal(settings: Settings) -> Terminal:
    return Terminal(settings)


async def counted(database: Database, slug: str, table: str) -> int:
    workspace_id = await workspaces.find_workspace(database, slug)
    assert workspace_id
    async with database.read(workspace_id) as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


@pytest.mark.timeout(400)
async def test_from_an_empty_database_to_a_report(terminal: Terminal, database: Database, tmp_path: Path) -> None:
    # the first workspace and its key, shown once
    first = terminal.run("migrate")
    assert first.returncode == 0, first.stderr
    key = first.stdout.split("shown this once: ")[1].strip()
    known = await Keys(database).recognise(key)
    assert known is not None
    assert known.role == "admin"
    again = terminal.run("migrate")
    assert (again.returncode, "shown this once" in again.stdout) == (0, False)

    # a key of the operator's own choice opens the same workspace, however often it is given
    chosen = "a-key-that-the-operator-chose-0123456789"
    for _ in range(2):
        assert terminal.run("migrate", WEBCARE_ADMIN_KEY=chosen).returncode == 0
    mine = await Keys(database).recognise(chosen)
    assert mine is not None
    assert mine.workspace_id == known.workspace_id

    # another tenant, and keys
    made = terminal.run("workspace", "create", "northwind", "--sector", "telecom", "--timezone", "Europe/Amsterdam")
    assert made.returncode == 0, made.stderr
    theirs = await Keys(database).recognise(made.stdout.strip())
    assert theirs is not None
    assert theirs.workspace_id != known.workspace_id
    assert await counted(database, "northwind", "issue_type") > 10
    taken = terminal.run("workspace", "create", "northwind")
    assert (taken.returncode, "Traceback" in taken.stderr) == (1, False)
    lead = terminal.run("key", "create", "--role", "lead", "--workspace", "northwind")
    found = await Keys(database).recognise(lead.stdout.strip())
    assert found is not None
    assert (found.role, found.workspace_id) == ("lead", theirs.workspace_id)
    assert terminal.run("key", "create", "--role", "king").returncode == 2
    assert (
        "There is no workspace nowhere"
        in terminal.run("key", "create", "--role", "lead", "--workspace", "nowhere").stderr
    )

    # listening: the same call again changes nothing
    for _ in range(2):
        watched = terminal.run("watch", "KLM", "--feed", "https://news.example/klm.rss", "--workspace", "northwind")
        assert watched.returncode == 0, watched.stderr
    for table in ("brand", "query", "channel"):
        assert await counted(database, "northwind", table) == 1

    # a file, and a report of its week
    (tmp_path / "in.jsonl").write_text(
        json.dumps({"external_id": "1", "text": "KLM app kapot", "published_at": "2026-11-17T09:00:00Z"}) + "\n"
    )
    imported = terminal.run("import", str(tmp_path / "in.jsonl"), "--channel", "letters", "--workspace", "northwind")
    assert (imported.returncode, "1 read: 1 stored." in imported.stderr) == (0, True)
    page = tmp_path / "report.html"
    written = terminal.run("report", "--week", "2026-W46", "-o", str(page), "--workspace", "northwind")
    assert written.returncode == 0, written.stderr
    assert page.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")
    assert terminal.run("report", "--week", "2026-W99", "-o", str(page)).returncode == 1


@pytest.mark.parametrize("command", [["api-worker"], ["migrate"], ["key", "create", "--role", "lead"]])
def test_without_its_database_a_command_ends_with_a_sentence(terminal: Terminal, command: list[str]) -> None:
    answer = terminal.run(*command, WEBCARE_DATABASE_URL="postgresql://nobody:hidden@127.0.0.1:1/none")
    assert answer.returncode == 1
    assert "Postgres does not answer" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "hidden" not in answer.stderr
