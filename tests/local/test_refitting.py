"""`webcare train refit`, `list` and `back`: a workspace learns, goes back, and is told in words what became of it."""

from collections.abc import AsyncIterator

import pytest

from services.api.desk.desk import Desk
from services.local import refitting
from services.local.commands.learning import _as_table
from services.local.operator import desk_in
from services.local.trouble import LocalTrouble
from services.triage.library import Library
from services.triage.training import workspace as training
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models.head import Question
from shared.store import heads
from tests.triage.training.test_workspace import FRUIT, PHONE, a_fruity_workspace, corrected, heard


@pytest.fixture(scope="module")
def library() -> Library:
    return Library()


@pytest.fixture
async def desk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """A workspace whose people said of sixty mentions that they are about fruit, and of sixty that they are about us."""
    database = await Database.open(settings, "test")
    workspace_id, channel = await a_fruity_workspace(database)
    fruit = await heard(database, workspace_id, channel, FRUIT[:60], relevance={"value": True})
    phone = await heard(database, workspace_id, channel, PHONE[:60], relevance={"value": True})
    await corrected(database, workspace_id, fruit, "relevance", value=False)
    await corrected(database, workspace_id, phone, "relevance", value=True)
    monkeypatch.setattr(training, "held_out", {*fruit[::5], *phone[::5]}.__contains__)
    yield desk_in(database, settings, workspace_id)
    await database.close()


async def in_force(desk: Desk) -> list[tuple[str, int]]:
    async with desk.reading() as connection:
        return [(row["question"], row["version"]) for row in await heads.weights_in_force(connection)]


async def test_it_learns_keeps_versions_and_goes_back(desk: Desk, library: Library) -> None:
    told: list[str] = []
    tried = await refitting.refit(desk, [Question.RELEVANCE], library, told.append, keep=False)
    assert (tried[0].version, tried[0].promoted) == (None, False)
    assert await refitting.versions(desk) == [], "a dry run keeps nothing"

    first, spam = await refitting.refit(desk, [Question.RELEVANCE, Question.SPAM], library, told.append)
    assert (first.version, first.promoted) == (1, True)
    assert "held-out corrections" in first.told
    assert (spam.version, spam.promoted) == (None, False)
    assert "30 are needed" in spam.told
    assert "relevance: learning from 96 lessons" in told
    assert await in_force(desk) == [("relevance", 1)]

    (again,) = await refitting.refit(desk, [Question.RELEVANCE], library, told.append)
    assert (again.version, again.promoted) == (2, False), "the same lessons teach nothing new"
    rows = await refitting.versions(desk, Question.RELEVANCE)
    assert [(row["version"], row["state"], row["in_force"]) for row in rows] == [
        (2, "refused", False),
        (1, "active", True),
    ]
    listed = [[*column.cells] for column in _as_table(rows).columns][-1]
    assert listed[1] == "yes"
    assert "Version 1 answers. Have it answer all the same: webcare train back relevance --to 2" in str(listed[0])
    assert rows[1]["figures"]["corrected"]["gained"] > 0
    assert rows[1]["learned_from"] == 96
    assert rows[1]["held_out"] == 24

    assert await refitting.back(desk, Question.RELEVANCE, "2") == "Version 2 answers relevance again."
    assert await in_force(desk) == [("relevance", 2)]
    assert await refitting.back(desk, Question.RELEVANCE, None) == "Version 1 answers relevance again."
    assert "ships answers relevance again" in await refitting.back(desk, Question.RELEVANCE, "shipped")
    assert await in_force(desk) == []


async def test_where_there_is_no_way_back_it_is_said(desk: Desk) -> None:
    with pytest.raises(LocalTrouble, match="What the project ships answers intent already"):
        await refitting.back(desk, Question.INTENT, None)
    with pytest.raises(LocalTrouble, match="no version 7 of intent; there is none, and shipped"):
        await refitting.back(desk, Question.INTENT, "7")
    with pytest.raises(LocalTrouble, match="no head for 'mood'"):
        refitting.question_named("mood")
