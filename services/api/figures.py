"""What the workers count for Prometheus. They have no door of their own, so their figures travel with their heartbeat and the
api tells them at `/metrics`, with the label `worker`.

Facts are counted by whoever gives them their place, tries of webhooks by whoever records them, what came in when the ledger is
added up: each of these happens once, whatever process did the work, so the sum over all workers is the truth.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from shared.kit.database import Database
from shared.models.facts import MentionQuarantined, MentionTriaged
from shared.sequencer import Told
from shared.store import channel, heartbeats
from shared.store.deliveries import Result

KEPT_S: Final = 5.0
"""So long the api tells what it read last: workers beat no more often."""
_FIGURES: Final = "figures"
_SPANS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200)


class WorkerFigures:
    """What one worker has counted since it started."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._types: dict[str, str] = {}
        self._mentions = self._counter(
            "webcare_ingest_mentions", "Mentions by what became of them at intake.", ("channel_type", "outcome")
        )
        self._triaged = self._counter("webcare_triaged_mentions", "Mentions that were understood.", ("disposition",))
        self._triage = Histogram(
            "webcare_triage_seconds", "From a mention's arrival to its being understood.", buckets=_SPANS,
            registry=self._registry,
        )  # fmt: skip
        self._quarantined = self._counter("webcare_quarantined_mentions", "Mentions that triage could not read.", ())
        self._replies = self._counter(
            "webcare_replies", "Answers by the state they came to.", ("channel_type", "state")
        )
        self._tries = self._counter("webcare_webhook_tries", "Tries of deliveries by what they came to.", ("outcome",))
        self._posts = Histogram(
            "webcare_webhook_seconds", "How long a receiver took to answer.", buckets=_SPANS, registry=self._registry
        )

    async def facts(self, database: Database, told: Sequence[Told]) -> None:
        """Counts facts that were given their place."""
        answers = [one for one in told if one.type.startswith("reply.")]
        for one in told:
            if one.type == MentionTriaged.type:
                self._understood(_read(one.data))
            elif one.type == MentionQuarantined.type:
                self._quarantined.inc()
        for one in answers:
            channel_id = str(_read(one.data).get("channel_id"))
            if channel_id not in self._types:
                async with database.lookup() as connection:
                    self._types = await channel.types_of_all(connection)
            state = one.type.removeprefix("reply.")
            self._replies.labels(self._types.get(channel_id, "unknown"), state).inc()

    def tried(self, results: Iterable[Result]) -> None:
        """Counts tries of deliveries that were recorded."""
        for one in results:
            self._tries.labels("retried" if one.state == "pending" else one.state).inc()
            self._posts.observe(one.latency_ms / 1_000)

    def came_in(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Counts what the ledger was found to hold more, by channel type and outcome. Less than before, where triage has set a
        mention aside, is no news: a counter never goes back."""
        for (channel_type, outcome), more in counts.items():
            if more > 0:
                self._mentions.labels(channel_type, outcome).inc(more)

    def told(self) -> Mapping[str, Any]:
        """What travels with a heartbeat."""
        return {_FIGURES: generate_latest(self._registry).decode()}

    def families(self) -> dict[str, Metric]:
        """The figures there are, by name, without what was counted."""
        return {one.name: Metric(one.name, one.documentation, one.type) for one in self._registry.collect()}

    def _understood(self, mention: Mapping[str, Any]) -> None:
        self._triaged.labels(str(mention.get("disposition") or "unknown")).inc()
        received, triaged = mention.get("received_at"), mention.get("triaged_at")
        if isinstance(received, str) and isinstance(triaged, str):
            took = datetime.fromisoformat(triaged) - datetime.fromisoformat(received)
            self._triage.observe(max(took.total_seconds(), 0.0))

    def _counter(self, name: str, doc: str, labels: Sequence[str]) -> Counter:
        return Counter(name, doc, labels, registry=self._registry)


class FiguresOfWorkers(Collector):
    """What the workers that are alive have counted, for the api's own `/metrics`."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        self._until = 0.0

    async def read(self, database: Database) -> None:
        """Reads the heartbeats, unless that was just done."""
        if time.monotonic() < self._until:
            return
        alive = await heartbeats.alive(database)
        self._told = {one.instance: str(one.detail[_FIGURES]) for one in alive if _FIGURES in one.detail}
        self._until = time.monotonic() + KEPT_S

    def collect(self) -> Iterable[Metric]:
        """The figures of all workers, one family for each name."""
        families = WorkerFigures().families()  # told also while nobody counts
        for worker, text in self._told.items():
            for family in text_string_to_metric_families(text):
                if family.name.endswith("_created"):
                    continue
                whole = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for one in family.samples:
                    if not one.name.endswith("_created"):
                        whole.add_sample(one.name, {**one.labels, "worker": worker}, one.value)
        return families.values()


def _read(data: str | None) -> Mapping[str, Any]:
    found = orjson.loads(data) if data else {}
    return found if isinstance(found, dict) else {}
