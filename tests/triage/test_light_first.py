"""Long texts have a queue and a child of their own: what is soon read is read first, and each long one in its turn."""

import os
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.triage.nlp_process import NlpProcess
from services.triage.pipeline import Assessed
from services.triage.stage import Assessment, Briefing
from services.triage.worker import HEAVY, LIGHT, LONG_BATCH, LONG_NICE, Triage
from shared.kit.database import Database
from shared.models import facts
from shared.models.channel import Channel
from shared.models.mention import LONG, is_long
from shared.store import workspaces
from tests.builders import a_channel, a_workspace, an_item, taken

RECEIVED, EDITED = facts.MentionReceived.type, facts.MentionEdited.type
BRIEF, ENDLESS = "no internet", "no internet " * LONG


class Reads:
    """Dismisses all that it is given, and remembers what."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.deadlines: list[float] = []

    async def assess(self, batch: Sequence[Assessment], briefing: Briefing, deadline_s: float) -> list[Assessed]:
        self.batches.append([one.text for one in batch])
        self.deadlines.append(deadline_s)
        return [Assessed(one.mention_id, "dismissed", "read", (), {}) for one in batch]


@pytest.fixture
def reads() -> Any:
    return Reads()


@pytest.fixture(autouse=True)
async def nothing_waits(database: Database) -> None:
    async with database.lookup() as connection:
        known = await workspaces.every(connection)
    for workspace_id in known:
        async with database.read(workspace_id) as inside:
            await inside.execute("DELETE FROM work")


async def came(database: Database, *texts: str, channel: Channel | None = None) -> Channel:
    """Items of a channel, named by their place."""
    to = channel or await a_channel(database, await a_workspace(database))
    await taken(database, to.workspace_id, to, *(an_item(f"m{n}", text) for n, text in enumerate(texts)))
    return to


async def left(database: Database, workspace_id: UUID) -> list[bool]:
    """Of each piece of work that waits, whether it is heavy."""
    async with database.read(workspace_id) as connection:
        return [row["heavy"] for row in await connection.fetch("SELECT heavy FROM work ORDER BY id")]


async def test_all_short_texts_are_read_before_any_of_a_hundred_long_ones(database: Database, reads: Any) -> None:
    channel = await came(database, *[ENDLESS] * 100, *[BRIEF] * 3)
    triage = Triage(database, [])
    assert await triage.once(RECEIVED, reads)
    assert reads.batches == [[BRIEF] * 3]
    assert await triage.once(RECEIVED, reads) is False
    assert await triage.once(RECEIVED, reads, HEAVY)
    assert reads.batches[1:] == [[ENDLESS] * LONG_BATCH]
    assert reads.deadlines == [LIGHT.deadline_s, HEAVY.deadline_s]
    while await triage.once(RECEIVED, reads, HEAVY):
        pass
    assert await left(database, channel.workspace_id) == []
    async with database.read(channel.workspace_id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM assessment") == 103


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("!" * LONG, False),
        ("!" * (LONG + 1), True),
        ("no " * LONG, False),
        ("no " * LONG + "more", True),
        ("a" * 2_000, False),
        ("a" * 2_001, True),
        ("\n" * 2_000, False),
        ("", False),
    ],
)
def test_a_text_is_long_by_its_words_and_signs_or_by_its_letters(text: str, long: bool) -> None:
    assert is_long(text) is long


@given(st.text(max_size=700))
def test_what_is_long_stays_so_whatever_is_added(text: str) -> None:
    assert not is_long(text) or is_long(f"{text} and more")


async def test_what_is_long_is_marked_as_it_comes_in(database: Database) -> None:
    channel = await came(database, "!" * LONG, "!" * (LONG + 1))
    async with database.read(channel.workspace_id) as connection:
        rows = await connection.fetch(
            "SELECT length(m.text) AS n, w.heavy FROM work w JOIN mention m ON m.id = w.subject_id"
        )
    assert {row["n"]: row["heavy"] for row in rows} == {LONG: False, LONG + 1: True}


async def test_a_text_that_becomes_long_is_read_apart_again(database: Database, reads: Any) -> None:
    channel = await came(database, BRIEF)
    triage = Triage(database, [])
    assert await triage.once(RECEIVED, reads)
    await came(database, ENDLESS, channel=channel)
    assert await triage.once(EDITED, reads) is False
    assert await triage.once(EDITED, reads, HEAVY)
    assert reads.batches[1:] == [[ENDLESS]]


async def test_a_long_text_among_the_light_work_is_given_to_the_other_queue(database: Database, reads: Any) -> None:
    channel = await came(database, ENDLESS, BRIEF)
    async with database.read(channel.workspace_id) as connection:
        await connection.execute("UPDATE work SET heavy = false")  # as what was waiting when this version came
    triage = Triage(database, [])
    assert await triage.once(RECEIVED, reads)
    assert reads.batches == [[BRIEF]]
    assert await left(database, channel.workspace_id) == [True]
    assert await triage.once(RECEIVED, reads) is False
    assert await triage.once(RECEIVED, reads, HEAVY)
    assert await left(database, channel.workspace_id) == []


async def test_the_child_for_long_texts_yields_to_the_other() -> None:
    slow = NlpProcess(languages=("en",), nice=LONG_NICE)
    try:
        await slow.start()
        assert slow.pid is not None
        assert os.getpriority(os.PRIO_PROCESS, slow.pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + LONG_NICE)
    finally:
        await slow.close()
