"""What is seen of a firehose while it runs: what is behind, what each process uses, and what bounds it, in sentences."""

import asyncio
import os
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from shared.kit.database import Database
from shared.kit.settings import Settings
from tests.bench.played_jetstream import RATE, RELEVANT, SECONDS, Counts

SAMPLE_S = 5.0
SETTLING_S = 30.0
"""The beginning, in which models are still being warmed, is left out of the slope."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: seconds since the beginning, posts not yet heard, mentions of the brand told and not yet understood."""

    at: float
    unheard: int
    behind: int
    understood: int


@dataclass
class Seen:
    """All looks, and the CPU that each process used between the first and the last."""

    samples: list[Sample] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0
    machine: float = 0.0
    load: tuple[float, float] = (0.0, 0.0)

    def slope(self) -> float:
        """By how many mentions a second the backlog grew, by least squares, once it had settled."""
        known = [one for one in self.samples if min(SETTLING_S, SECONDS / 4) <= one.at <= SECONDS + SAMPLE_S]
        if len(known) < 3:
            return 0.0
        return statistics.linear_regression([one.at for one in known], [one.behind for one in known]).slope


async def watched(settings: Settings, workspace_id: UUID, counts: Counts, pids: Mapping[str, int]) -> Seen:
    """Looks every few seconds from the first post to the last, and then until all is understood or a minute has passed."""
    database = await Database.open(settings, "bench")
    while not counts.began.value:
        await asyncio.sleep(0.2)
    seen = Seen()
    spent, machine, load = _spent(settings, pids), _machine(), os.getloadavg()[0]
    end = SECONDS + 60
    while True:
        await asyncio.sleep(SAMPLE_S)
        async with database.read(workspace_id) as connection:
            understood = await connection.fetchval("SELECT count(*) FROM assessment")
        at = time.time() - counts.began.value
        behind = counts.relevant.value - understood
        seen.samples.append(Sample(at, counts.offered() - counts.told.value, behind, understood))
        print(
            f"{at:6.0f} s: {seen.samples[-1].unheard:6,} posts unheard, {behind:6,} mentions not understood", flush=True
        )
        if at >= SECONDS and not seen.wall:
            seen.wall = at
            seen.cpu = {name: after - spent.get(name, 0.0) for name, after in _spent(settings, pids).items()}
            busy, idle = (now - then for now, then in zip(_machine(), machine, strict=True))
            seen.machine = busy / (busy + idle)
            seen.load = load, os.getloadavg()[0]
        if at >= SECONDS and (behind <= 0 or at >= end):
            break
    async with database.read(workspace_id) as connection:
        ledger = await connection.fetchrow(
            "SELECT sum(received) AS received, sum(stored) AS stored, sum(filtered) AS filtered, sum(duplicate) AS duplicate "
            "FROM (SELECT received, stored, filtered, duplicate FROM ledger_hour UNION ALL "
            "SELECT received, stored, filtered, duplicate FROM ledger_delta) l"
        )
        linked = await connection.fetchval("SELECT count(*) FROM assessment WHERE duplicate_of IS NOT NULL")
        engaged = await connection.fetchval("SELECT count(*) FROM assessment WHERE disposition = 'engage'")
    await database.close()
    print(f"ledger: {dict(ledger or {})}; {engaged:,} engaged; {linked:,} linked as copies")
    return seen


def told(seen: Seen, counts: Counts) -> str:
    """The summary, in sentences."""
    last = next((one for one in seen.samples if one.at >= SECONDS), seen.samples[-1])
    during = [one for one in seen.samples if one.at <= last.at]
    behind, unheard = [one.behind for one in during], [one.unheard for one in during]
    slope, cores = seen.slope(), os.cpu_count() or 1
    used = sum(seen.cpu.values()) / seen.wall
    each = ", ".join(f"{name} {seconds / seen.wall:.2f}" for name, seconds in seen.cpu.items())
    lines = [
        f"offered: {RATE:,.0f} posts/s for {SECONDS:,.0f} s ({RATE * 86_400 / 1e6:,.0f} million a day), {RELEVANT:.0%} relevant",
        f"heard: {counts.told.value / max(last.at, 1):,.0f} posts/s; at most {max(unheard):,} waited, at the end {unheard[-1]:,}",
        f"understood: {last.understood / max(last.at, 1):,.1f} mentions/s of {RATE * RELEVANT:,.1f}",
        f"behind: {behind[0]:,} mentions at first, {max(behind):,} at most, {behind[-1]:,} at the end; slope {slope:+.2f}/s",
        f"CPU, cores used: {each}; ours together {used:.2f} of {cores}",
        f"the machine used {seen.machine * cores:.2f} cores; its load went from {seen.load[0]:.1f} to {seen.load[1]:.1f}",
        f"making the events took {counts.making.value / seen.wall:.3f} cores of the ingest worker's",
        _bound(seen, slope, used, cores),
    ]
    return "\n".join(lines)


def _bound(seen: Seen, slope: float, used: float, cores: int) -> str:
    busiest = max(seen.cpu, key=lambda name: seen.cpu[name])
    share = seen.cpu[busiest] / seen.wall
    grows = slope > 0.01 * RATE * RELEVANT
    if not grows:
        return f"the backlog does not grow; the busiest process is {busiest} with {share:.0%} of a core"
    if seen.machine > 0.93:
        others = seen.machine * cores - used
        return f"the backlog grows: all cores are busy, {others:.2f} of them with what is not ours"
    return f"the backlog grows though {(1 - seen.machine):.0%} of the machine is idle; the busiest is {busiest} with {share:.0%}"


def _machine() -> tuple[float, float]:
    """Seconds that the cores were busy, and idle, since the machine began."""
    times = [int(one) / _TICKS for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(times) - times[3] - times[4], times[3] + times[4]


def _spent(settings: Settings, pids: Mapping[str, int]) -> dict[str, float]:
    """Seconds of CPU of each process so far; a server's children are counted with it, ended ones too."""
    stats = {int(one.name): fields for one in Path("/proc").glob("[0-9]*") if (fields := _stat(one))}
    spent = {}
    for name, pid in pids.items():
        spent[name] = _seconds(stats[pid]) if pid in stats else 0.0
        children = [one for one, fields in stats.items() if int(fields[1]) == pid]
        if name == "triage":
            spent["triage's reader"] = sum(_seconds(stats[one]) for one in children)
    for folder in Path("/proc").glob("[0-9]*"):
        pid, named = int(folder.name), _command(folder)
        if str(settings.data_dir) in named and pid in stats:
            kind = (
                "Postgres"
                if "postgres" in named.split("\0")[0]
                else "Valkey"
                if "valkey" in named.split("\0")[0]
                else ""
            )
            if kind:
                family = [pid, *(one for one, fields in stats.items() if int(fields[1]) == pid)]
                ended = sum(int(one) for one in stats[pid][13:15]) / _TICKS
                spent[kind] = ended + sum(_seconds(stats[one]) for one in family)
    return spent


def _stat(folder: Path) -> list[str] | None:
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _seconds(fields: list[str]) -> float:
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _command(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
