"""A firehose on this machine: 3,472 posts a second (300 million a day), one in twenty about the brand. `make firehose`.

The posts are real texts, as Jetstream sends them: JSON, one event a post, told to the bluesky channel of the real ingest worker
by a connection that is played in its process; only the frames and the encryption of a WebSocket are left out. From there all is
as it runs: the gate, pages and cursor committed, triage in its own process with its child, and the api's worker that puts facts
in order. Every five seconds it is counted what is behind. It stops by itself.

WEBCARE_FIREHOSE_S (600), WEBCARE_FIREHOSE_RATE (3472), WEBCARE_FIREHOSE_RELEVANT (0.05)
"""

import asyncio
import gzip
import itertools
import json
import multiprocessing
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import orjson
from pydantic import SecretStr

import migrations
from services.local.environment import resolved
from services.local.processes import run_process
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.http import Answer, HttpClient
from shared.kit.settings import Settings
from shared.models import taxonomy
from shared.models.brand import Brand, IssueType, Query
from shared.rules.query_language import parse
from shared.rules.wanted import Named, Wanted
from shared.store import heartbeats
from tests.builders import a_channel, a_policy, a_queue, a_workspace

SECONDS = float(os.environ.get("WEBCARE_FIREHOSE_S", "600"))
RATE = float(os.environ.get("WEBCARE_FIREHOSE_RATE", "3472"))
RELEVANT = float(os.environ.get("WEBCARE_FIREHOSE_RELEVANT", "0.05"))
SAMPLE_S = 5.0
SETTLING_S = 30.0
"""The beginning, in which models are still being warmed, is left out of the slope."""
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
OTHERS = (
    "sentiment_tweets_train", "sentiment_multilingual_dev", "language_dev", "intent_banking77_train", "intent_clinc150_train",
    "spam_sms_dev",
)  # fmt: skip
BRAND = Named(
    names=("United Airlines", "US Airways", "Southwest Airlines", "American Airlines", "JetBlue", "Virgin America"),
    handles=("united", "usairways", "southwestair", "americanair", "jetblue", "virginamerica"),
    unless=("manchester united",),
)
SEARCHES = (
    'airline AND (delay OR delayed OR cancelled OR "lost luggage")',
    "flight NOT (simulator OR drone) AND #fail",
)
AUTHORS = 40_000
PROCESSES = ("ingest-worker", "triage", "api-worker")
_TICKS = os.sysconf("SC_CLK_TCK")


# ---------------------------------------------------------------- what is said


def corpus(name: str) -> list[str]:
    """The texts of one set of real ones."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line)["text"][:3_000] for line in lines]


def about_the_brand() -> Iterator[str]:
    """Real tweets to airlines; after the last of them the beginning of one with the end of another, each pair once, so that
    few are near copies of what was said before."""
    tweets = [text.split() for text in corpus("airline_dev")]
    wanted = Wanted([BRAND])
    for step in itertools.count():
        for at, words in enumerate(tweets):
            other = tweets[(at + step * 97) % len(tweets)]
            said = words if step == 0 else words[: (len(words) + 1) // 2 + 1] + other[len(other) // 2 :]
            text = " ".join(said)
            yield text if wanted.wants(text) else f"@united {text}"


def about_anything() -> list[str]:
    """Real texts that the brand's gate turns away by itself, so that what is relevant is exactly the share that was set."""
    said = [text for name in OTHERS for text in corpus(name)]
    wanted = _wanted()
    passed = set(wanted.select(said))
    print(f"{len(said):,} texts about anything; {len(passed) / len(said):.2%} name the brand and are left out")
    kept = [text for at, text in enumerate(said) if at not in passed]
    random.Random(7).shuffle(kept)
    return kept


def _wanted() -> Wanted:
    return Wanted([BRAND], [parse(one) for one in SEARCHES])


# ---------------------------------------------------------------- the played network, in the ingest worker's process


@dataclass
class Counts:
    """What both processes know: how many posts were offered and told, how many of them about the brand, when it began."""

    told: "Synchronized[int]"
    relevant: "Synchronized[int]"
    began: "Synchronized[float]"
    making: "Synchronized[float]"

    @classmethod
    def fresh(cls) -> "Counts":
        """Nothing yet."""
        context = multiprocessing.get_context("spawn")
        return cls(context.Value("q", 0), context.Value("q", 0), context.Value("d", 0.0), context.Value("d", 0.0))

    def offered(self) -> int:
        """How many posts the network has told by now, had everybody listened."""
        began = self.began.value
        return int(min(max(time.time() - began, 0.0), SECONDS) * RATE) if began else 0


class PlayedJetstream:
    """Events as Jetstream sends them, by the clock: whoever is late gets what is due at once."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._others = [orjson.dumps(text) for text in about_anything()]
        self._brand = about_the_brand()
        self._numbers = itertools.count()

    async def messages(self) -> AsyncIterator[bytes]:
        """For the set time; then silence."""
        counts = self._counts
        if not counts.began.value:
            counts.began.value = time.time()
        told = 0
        while True:
            due = counts.offered()
            if told >= due:
                await asyncio.sleep(0.02)
                if time.time() > counts.began.value + SECONDS:  # it goes on with other things, as a network does
                    await asyncio.sleep(0.5)
                    yield b'{"did":"did:plc:x","time_us":%d,"kind":"identity"}' % int(time.time() * 1e6)
                continue
            began = time.thread_time()
            batch = self._events(min(due - told, 100))
            counts.making.value += time.thread_time() - began
            for event in batch:
                yield event
            await asyncio.sleep(0)  # a connection is read in pieces
            told += len(batch)
            counts.told.value = told

    def _events(self, count: int) -> list[bytes]:
        now = time.time()
        at, made = int(now * 1e6), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)).encode()
        events = []
        for number in itertools.islice(self._numbers, count):
            relevant = int((number + 1) * RELEVANT) > int(number * RELEVANT)
            self._counts.relevant.value += relevant
            text = orjson.dumps(next(self._brand)) if relevant else self._others[number % len(self._others)]
            events.append(
                b'{"did":"did:plc:writer%d","time_us":%d,"kind":"commit","commit":{"rev":"3m","operation":"create",'
                b'"collection":"app.bsky.feed.post","rkey":"k%d","cid":"bafy%d","record":{"$type":"app.bsky.feed.post",'
                b'"createdAt":"%s","langs":["en"],"text":%s}}}'
                % (number * 7919 % AUTHORS, at, number, number, made, text)
            )
        return events


class PlayedHttp(HttpClient):
    """The HTTP client of the ingest worker, for whom Jetstream is played, and posts that are looked at again still stand."""

    jetstream: PlayedJetstream

    async def request(self, method: str, url: str, **_: Any) -> Answer:
        """Every post that is asked for is there."""
        uris = parse_qs(urlsplit(url).query).get("uris", [])
        return Answer(200, httpx.Headers(), orjson.dumps({"posts": [{"uri": uri} for uri in uris]}), url)

    @asynccontextmanager
    async def web_socket(self, url: str, **_: Any) -> AsyncIterator[Any]:
        """The played Jetstream."""
        yield self.jetstream


def run_ingest(settings: Settings, counts: Counts) -> None:
    """The real ingest worker, with the played network behind its HTTP client."""
    from services.ingest import worker

    PlayedHttp.jetstream = PlayedJetstream(counts)
    vars(worker)["HttpClient"] = PlayedHttp
    sys.exit(run_process("ingest-worker", settings))


# ---------------------------------------------------------------- what is seen of it


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


async def furnished(settings: Settings) -> UUID:
    """A workspace with a brand, searches, kinds of problem, a queue, a promise, and a channel that hears Jetstream."""
    database = await Database.open(settings, "bench")
    workspace_id = await a_workspace(database)
    await a_queue(database, workspace_id)
    await a_policy(database, workspace_id)
    async with database.write(workspace_id) as session:
        brand = Brand(
            workspace_id=workspace_id, name=BRAND.names[0], aliases=list(BRAND.names[1:]), handles=list(BRAND.handles),
            excluded=list(BRAND.unless),
        )  # fmt: skip
        session.add(brand)
        await session.flush()
        for number, text in enumerate(SEARCHES):
            session.add(Query(workspace_id=workspace_id, name=f"search {number}", text=text, brand_id=brand.id))
        for one in taxonomy.load("airline"):
            session.add(
                IssueType(
                    workspace_id=workspace_id, key=one.key, name=one.name["en"], names=dict(one.name), severity=one.severity,
                    phrases=one.as_source()["phrases"],
                )
            )  # fmt: skip
    await a_channel(
        database, workspace_id, type="bluesky", name="jetstream", settings={"firehose": True}, next_poll_at=clock.now()
    )
    await database.close()
    return workspace_id


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


@contextmanager
def running(settings: Settings, counts: Counts) -> Iterator[dict[str, int]]:
    """The workers, each in a process of its own, by name and pid."""
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=run_process, args=(name, settings)) for name in PROCESSES[1:]]
    started.insert(0, context.Process(target=run_ingest, args=(settings, counts)))
    for process in started[1:]:
        process.start()
    try:
        _wait_for_life(settings)  # models are loaded before the first post, as in an installation that runs
        started[0].start()
        yield {name: process.pid or 0 for name, process in zip(PROCESSES, started, strict=True)}
    finally:
        for process in started:
            if process.pid:
                process.terminate()
        for process in started:
            if process.pid:
                process.join(20)
                process.kill()


def _wait_for_life(settings: Settings) -> None:
    """Until the triage worker has given a sign of life."""

    async def lives() -> bool:
        database = await Database.open(settings, "bench")
        try:
            return bool(await heartbeats.alive(database, "triage"))
        finally:
            await database.close()

    end = time.monotonic() + 120
    while not asyncio.run(lives()) and time.monotonic() < end:
        time.sleep(1)


def main() -> None:
    """Runs it, and prints what was seen."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, too
    if not DATA.exists():
        print(f"No real texts are at hand ({DATA} is not there), and it is measured with nothing else.")
        return
    with tempfile.TemporaryDirectory(prefix="webcare-firehose-") as folder:
        Path(folder).chmod(0o755)
        given = Settings(data_dir=Path(folder) / "data", database_url="", valkey_url="")
        with resolved(given) as settings:
            migrations.upgrade(settings.database_url)
            settings = settings.model_copy(update={"secret_key": SecretStr("bench-" + "x" * 40)})
            counts = Counts.fresh()
            workspace_id = asyncio.run(furnished(settings))
            with running(settings, counts) as pids:
                seen = asyncio.run(watched(settings, workspace_id, counts, pids))
            print(told(seen, counts))


if __name__ == "__main__":
    main()
