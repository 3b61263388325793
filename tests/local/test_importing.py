"""A file is imported once, however often it is imported, and each line ends where its channel says."""

import csv
import gzip
import json
from pathlib import Path
from uuid import UUID

import pytest

from services.api.desk import workspaces
from services.local.importing import Imported, import_file
from services.local.mention_files import MentionFile
from services.local.trouble import LocalTrouble
from shared.kit.database import Database
from shared.kit.settings import Settings

MOMENT = "2026-11-20T10:00:00Z"


@pytest.fixture
async def workspace(database: Database, request: pytest.FixtureRequest) -> str:
    slug = str(request.node.name).replace("_", "-")[:40].strip("-")
    await workspaces.create_workspace(database, slug, "W")
    return slug


async def stored(database: Database, slug: str) -> list[tuple[str, str, str]]:
    """(channel, external id, text) of what the workspace holds."""
    workspace_id = await workspaces.find_workspace(database, slug)
    assert isinstance(workspace_id, UUID)
    async with database.read(workspace_id) as connection:
        rows = await connection.fetch(
            "SELECT c.name, m.external_id, m.text FROM mention m JOIN channel c ON c.id = m.channel_id ORDER BY 1, 2"
        )
    return [tuple(row) for row in rows]


async def do(path: Path, settings: Settings, workspace: str, channel: str | None = None) -> Imported:
    positions: list[int] = []
    found = await import_file(
        MentionFile(path), settings, workspace=workspace, channel=channel, progress=positions.append
    )
    assert positions[-1:] == [path.stat().st_size]
    return found


async def test_the_same_file_again_adds_nothing_and_the_ledger_knows_both(
    settings: Settings, database: Database, workspace: str, tmp_path: Path
) -> None:
    lines = [{"external_id": str(n), "text": f"kapot {n}", "published_at": MOMENT} for n in range(2_300)]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    first = await do(tmp_path / "a.jsonl.gz", settings, workspace, "shop")
    again = await do(tmp_path / "a.jsonl.gz", settings, workspace, "shop")
    assert first.outcomes == {"stored": 2_300, "updated": 0, "duplicate": 0, "filtered": 0, "rejected": 0}
    assert again.outcomes == {"stored": 0, "updated": 0, "duplicate": 2_300, "filtered": 0, "rejected": 0}
    assert len(await stored(database, workspace)) == 2_300


async def test_each_line_goes_to_its_own_channel_unless_one_is_named(
    settings: Settings, database: Database, workspace: str, tmp_path: Path
) -> None:
    lines = [
        {"external_id": "1", "text": "a", "published_at": MOMENT, "channel": "reviews"},
        {"external_id": "2", "text": "b", "published_at": MOMENT, "channel": "forum"},
        {"external_id": "3", "text": "c", "published_at": MOMENT},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    await do(tmp_path / "a.jsonl", settings, workspace)
    assert await stored(database, workspace) == [("forum", "2", "b"), ("import", "3", "c"), ("reviews", "1", "a")]
    named = await do(tmp_path / "a.jsonl", settings, workspace, "reviews")
    assert named.read == 3


async def test_a_bad_line_is_named_and_spoils_no_other(
    settings: Settings, database: Database, workspace: str, tmp_path: Path
) -> None:
    lines = [
        json.dumps({"external_id": "1", "text": "a", "published_at": MOMENT}),
        "{broken",
        json.dumps({"external_id": "2", "text": "", "published_at": MOMENT}),
        json.dumps({"external_id": "3", "text": "c", "published_at": MOMENT, "channel": "other"}),
        json.dumps({"external_id": "4", "text": "d", "published_at": "3026-01-01T00:00:00Z"}),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = await do(tmp_path / "a.jsonl", settings, workspace)
    assert (found.read, found.outcomes["stored"], found.outcomes["rejected"]) == (5, 2, 3)
    assert [problem.split(":")[0] for problem in found.problems] == ["Line 2", "Line 3", "Line 5"]
    assert "more than a day ahead" in found.problems[2]
    assert len(await stored(database, workspace)) == 2


async def test_a_csv_brings_its_authors(settings: Settings, database: Database, workspace: str, tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["external_id", "text", "published_at", "author.handle", "author.followers", "rating"])
        out.writerow(["1", "Kapot,\n“alweer”", MOMENT, "@jan", "12", "2"])
    found = await do(tmp_path / "a.csv", settings, workspace)
    assert (found.outcomes["stored"], found.problems) == (1, [])
    workspace_id = await workspaces.find_workspace(database, workspace)
    assert workspace_id
    async with database.read(workspace_id) as connection:
        row = await connection.fetchrow(
            "SELECT m.text, m.rating, a.handle, a.followers FROM mention m JOIN author a ON a.id = m.author_id"
        )
    assert row is not None
    assert tuple(row) == ("Kapot,\n“alweer”", 2.0, "jan", 12)


async def test_a_workspace_that_is_not_there_is_a_sentence(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}")
    with pytest.raises(LocalTrouble, match="There is no workspace nowhere"):
        await import_file(
            MentionFile(tmp_path / "a.jsonl"), settings, workspace="nowhere", channel=None, progress=lambda _: None
        )
