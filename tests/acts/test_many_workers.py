"""Many workers hand out work at once: nothing twice, nobody over capacity, every decision taken again gives the same agent."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from services.triage import dispatch
from shared.acts import offers as acts
from shared.acts import routing
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.store import offers as store
from tests.acts.an_office import an_office

MANY = os.environ.get("WEBCARE_MANY") == "1"
WORKERS = 8
CONVERSATIONS, AGENTS = (5_000, 50) if MANY else (300, 20)
OVER = """
    SELECT g.name, g.capacity, coalesce(c.n, 0) + coalesce(o.n, 0) AS load FROM agent g
    LEFT JOIN (SELECT assignee_id, count(*) AS n FROM conversation WHERE status = 'open' GROUP BY 1) c ON c.assignee_id = g.id
    LEFT JOIN (SELECT agent_id, count(*) AS n FROM offer WHERE state = 'open' GROUP BY 1) o ON o.agent_id = g.id
    WHERE coalesce(c.n, 0) + coalesce(o.n, 0) > g.capacity
"""


@pytest.fixture
async def workers(settings: Settings, database: Database) -> AsyncIterator[list[Database]]:
    """Connections of their own, as processes have."""
    opened = [await Database.open(settings, f"worker-{n}") for n in range(WORKERS)]
    yield opened
    for one in opened:
        await one.close()


@pytest.mark.timeout(900 if MANY else 180)
async def test_nothing_twice_nobody_over_capacity_and_the_same_again(
    database: Database, workers: list[Database]
) -> None:
    office = await an_office(database, offer_expires_s=86_400)
    for n in range(AGENTS):
        languages = [["nl"], ["nl", "de"], ["de"]][n % 3]
        presence = "away" if n % 10 == 9 else "online"
        await office.hire(f"a{n}", capacity=3 + n % 8, languages=languages, presence=presence)
    for start in range(0, CONVERSATIONS, 500):
        await office.arrive(
            *(f"t{n}" for n in range(start, min(start + 500, CONVERSATIONS))), lang="de" if start % 1000 else "nl"
        )
    done = asyncio.Event()
    over: list[Any] = []
    settled = 0

    async def work(mine: Database) -> None:
        while not done.is_set():
            if not await dispatch.dispatch(mine):
                await asyncio.sleep(0.01)

    async def answer() -> None:
        """The agents: each takes what is offered, and settles it."""
        nonlocal settled
        while settled < CONVERSATIONS:
            async with database.read(office.workspace_id) as connection:
                standing = await connection.fetch("SELECT id, agent_id FROM offer WHERE state = 'open' ORDER BY id")
            if not standing:
                await asyncio.sleep(0.01)
            async with database.write(office.workspace_id) as session:
                taken = []
                for row in standing:
                    offer = await store.lock(session, office.workspace_id, row["id"])
                    taken.append((await acts.accept(session, offer, row["agent_id"], actor="agent")).id)
            async with database.read(office.workspace_id) as connection:
                over.extend(await connection.fetch(OVER))
            async with database.write(office.workspace_id) as session:
                await session.execute(
                    text("UPDATE conversation SET status = 'resolved', resolved_at = now() WHERE id = ANY(:ids)"),
                    {"ids": taken},
                )
            settled += len(taken)
        done.set()

    async with asyncio.TaskGroup() as group:
        for one in workers:
            group.create_task(work(one))
        group.create_task(answer())
    assert not over
    assigned = Counter(
        row["conversation_id"] for row in await office.rows("outbox") if row["type"] == "conversation.assigned"
    )
    assert len(assigned) == CONVERSATIONS
    assert set(assigned.values()) == {1}
    decisions = [row for row in await office.rows("routing_decision") if row["kind"] == "offer"]
    assert len(decisions) == CONVERSATIONS
    for row in decisions:
        _is_explained(row)


def _is_explained(row: Any) -> None:
    """The agent who got it comes out again, and every other one has exactly one reason, or no better score."""
    record = {name: orjson.loads(row[name]) for name in ("item", "rules", "candidates")}
    candidates = record["candidates"]
    assert len(candidates) == AGENTS
    (best,) = [one for one in candidates if one["agent_id"] == str(row["agent_id"])]
    for one in candidates:
        assert ("excluded" in one) != ("score" in one)
        assert one.get("score") is None or one["score"] <= best["score"]
    again = routing.replay(_Kept(row, record))
    assert again.agent_id == row["agent_id"]


class _Kept:
    def __init__(self, row: Any, record: dict[str, Any]) -> None:
        self.item, self.rules, self.candidates = record["item"], record["rules"], record["candidates"]
        self.seed, self.decided_at = row["seed"], row["decided_at"]
