"""What looking after a million open clocks costs, against ten thousand; and how late what comes due is told.

A tick is one look of the watcher (`services/triage/sla_watch.py`): with nothing due, and with 500 clocks that break their promise. The
same ticks are taken with few and with many clocks, in Postgres' time and ours. Then 200 clocks a second come due while the watcher runs
as the worker runs it, over all the many; the lateness is from the deadline to the moment at which the notice was written.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy.engine import make_url

from services.triage import sla_watch
from shared.acts import conversations
from shared.acts.policies import in_force
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.kit.jobs import Wakeups, drain
from shared.kit.settings import Settings
from tests.bench.measured import Measured, median
from tests.builders import a_channel, a_policy, a_workspace, an_arrival

FEW, MANY = 10_000, int(os.environ.get("WEBCARE_CLOCKS", "1000000"))
TICKS, FULL_TICKS, DUE = 60, 8, 500
A_SECOND, SECONDS = 200, 20
HOUR = timedelta(hours=1)
_CLOCK = (
    "workspace_id", "id", "created_at", "updated_at", "conversation_id", "policy_id", "policy_version", "priority", "metric", "instance",
    "state", "target_s", "started_at", "deadline_at", "notice_at",
)  # fmt: skip
_EVENT = ("workspace_id", "id", "clock_id", "kind", "at", "recorded_at", "cause", "reason", "terms")


class Bench:
    """A workspace with one conversation, whose clocks are as many as we like."""

    def __init__(self, database: Database, owner: asyncpg.Connection, workspace_id: UUID, row: Any) -> None:
        self.database, self.owner, self.workspace_id = database, owner, workspace_id
        self.conversation_id, self.policy_id = row["conversation_id"], row["policy_id"]
        self.made = 1
        self.terms = orjson.dumps(
            {
                "within_s": 3600.0, "marks": [], "policy_id": str(self.policy_id), "policy_version": 1, "priority": "normal",
                "calendar_id": None, "calendar_version": None,
            }
        ).decode()  # fmt: skip

    async def add(self, deadlines: Iterator[datetime]) -> None:
        """Open clocks with these deadlines, copied in."""
        now = clock.now()
        clocks, events = [], []
        for deadline in deadlines:
            self.made += 1
            key, began = ids.new_id(), deadline - HOUR
            clocks.append(
                (self.workspace_id, key, now, now, self.conversation_id, self.policy_id, 1, "normal", "next_response", self.made,
                 "running", 3600.0, began, deadline, deadline)
            )  # fmt: skip
            events.append((self.workspace_id, ids.new_id(), key, "started", began, now, str(key), "", self.terms))
            if len(clocks) == 50_000:
                await self._copy(clocks, events)
                clocks, events = [], []
        await self._copy(clocks, events)
        await self.owner.execute("ANALYZE sla_clock")  # what autovacuum does within a minute
        await self.owner.execute("ANALYZE sla_clock_event")

    async def _copy(self, clocks: list[Any], events: list[Any]) -> None:
        await self.owner.copy_records_to_table("sla_clock", records=clocks, columns=_CLOCK)
        await self.owner.copy_records_to_table("sla_clock_event", records=events, columns=_EVENT)

    async def tick(self, due: int = 0) -> float:
        """One look, in seconds, with so many clocks that have just missed their deadline."""
        if due:
            await self.add(clock.now() - timedelta(seconds=1) for _ in range(due))
        began = time.perf_counter()
        assert await sla_watch.watch(self.database) is bool(due)
        return time.perf_counter() - began

    async def ticks(self) -> tuple[float, float]:
        """A look with nothing due, and one with many, in seconds."""
        idle = [await self.tick() for _ in range(TICKS)]
        full = [await self.tick(DUE) for _ in range(FULL_TICKS)]
        return median(idle), median(full)

    async def lateness(self, settings: Settings) -> list[float]:
        """How late each notice was written, in seconds, while so many clocks a second come due."""
        first = clock.now() + timedelta(seconds=2)
        await self.add(first + timedelta(seconds=n / A_SECOND) for n in range(A_SECOND * SECONDS))
        stop = asyncio.Event()
        async with Wakeups(settings, ["sla.watch"]) as wakeups:
            watching = asyncio.create_task(drain("sla.watch", wakeups, stop, lambda: sla_watch.watch(self.database)))
            last = first + timedelta(seconds=SECONDS + 4)
            await asyncio.sleep((last - clock.now()).total_seconds())
            stop.set()
            await watching
        rows = await self.owner.fetch(
            "SELECT extract(epoch FROM recorded_at - at)::float8 AS late FROM sla_notice WHERE kind = 'breached' AND at >= $1",
            first,
        )
        assert len(rows) == A_SECOND * SECONDS, "each was told, once"
        return sorted(row["late"] for row in rows)


async def measure(settings: Settings) -> list[Measured]:
    """Ticks with few clocks, with many, and the lateness over these."""
    database = await Database.open(settings, "bench")
    owner = await asyncpg.connect(make_url(settings.database_url).set(drivername="postgresql").render_as_string(False))
    try:
        bench = await _a_bench(database, owner)
        await bench.add(_later(FEW))
        few, few_due = await bench.ticks()
        await bench.add(_later(MANY - FEW))
        many, many_due = await bench.ticks()
        late = await bench.lateness(settings)
    finally:
        await owner.close()
        await database.close()
    p99 = late[int(len(late) * 0.99)]
    over = f"the same with {FEW:,} clocks"
    return [
        Measured(f"the watcher's look at {MANY:,} open clocks, nothing due", _ms(many), _ms(few), many / few, "≤ 1.5", over),
        Measured(f"the same with {DUE} due", _ms(many_due), _ms(few_due), many_due / few_due, "≤ 1.5", over),
        Measured(
            f"notices late by (p99) while {A_SECOND} clocks a second come due", f"{p99:.2f} s", "2.00 s", p99 / 2, "≤ 1",
            "what we promise",
        ),
    ]  # fmt: skip


async def _a_bench(database: Database, owner: asyncpg.Connection) -> Bench:
    workspace_id = await a_workspace(database)
    await a_policy(database, workspace_id)
    arrival = an_arrival(await a_channel(database, workspace_id), "thread")
    async with database.write(workspace_id) as session:
        await conversations.open_or_extend(session, workspace_id, [arrival], await in_force(session, workspace_id))
    row = await owner.fetchrow("SELECT conversation_id, policy_id FROM sla_clock WHERE workspace_id = $1", workspace_id)
    return Bench(database, owner, workspace_id, row)


def _later(count: int) -> Iterator[datetime]:
    """Deadlines in the days to come."""
    now = clock.now()
    return (now + HOUR + timedelta(seconds=n % 864_000) for n in range(count))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
