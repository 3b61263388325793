"""The network of the firehose: real texts told as Jetstream tells them, by the clock, in the process of the real ingest worker.

WEBCARE_FIREHOSE_S (600), WEBCARE_FIREHOSE_RATE (3472), WEBCARE_FIREHOSE_RELEVANT (0.05)
"""

import asyncio
import gzip
import itertools
import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson

from services.local.processes import run_process
from shared.kit.http import Answer, HttpClient
from shared.kit.settings import Settings
from shared.rules.query_language import parse
from shared.rules.wanted import Named, Wanted

SECONDS = float(os.environ.get("WEBCARE_FIREHOSE_S", "600"))
RATE = float(os.environ.get("WEBCARE_FIREHOSE_RATE", "3472"))
RELEVANT = float(os.environ.get("WEBCARE_FIREHOSE_RELEVANT", "0.05"))
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
