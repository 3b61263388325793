"""Figures over a period: the same series as REST's, with their shapes."""

from typing import Any

import strawberry

from services.api.auth import Action
from services.api.desk import metrics
from services.api.graphql.fields import Argument, Asked, Resolve, root_field
from services.api.graphql.readings import moment_of
from services.api.graphql.scalars import DateTime, Duration, Long
from services.api.graphql.selection import Raw

_TEXT = str | None


@strawberry.type(description="How many mentions in a step.")
class VolumePoint:
    """`originals` leaves reposts and copies out."""

    at: DateTime
    key: str | None
    count: Long
    authors: Long
    originals: Long
    reach: Long


@strawberry.type(description="How the mentions of a step are meant.")
class SentimentPoint:
    """`score` is the mean of -1 to 1."""

    at: DateTime
    key: str | None
    positive: Long
    neutral: Long
    negative: Long
    unknown: Long
    score: float | None


@strawberry.type(description="A brand's part of what is said about any of the brands.")
class VoicePoint:
    """`key` is the brand, `share` 0 to 1 of its step."""

    at: DateTime
    key: str
    count: Long
    share: float | None


@strawberry.type(description="How fast the first answer came.")
class ResponseTimesPoint:
    """From the customer's first message to the answer that the venue took; `counted` by the hours of what was promised."""

    at: DateTime
    key: str | None
    conversations: Long
    answered: Long
    median: Duration | None
    p90: Duration | None
    mean: Duration | None
    counted_median: Duration | None
    counted_p90: Duration | None
    counted_mean: Duration | None


@strawberry.type(description="What was kept of the promises whose clocks began in a step.")
class SlaPoint:
    """`kept` is the part of the settled ones that was met."""

    at: DateTime
    key: str | None
    metric: str
    met: Long
    breached: Long
    running: Long
    paused: Long
    cancelled: Long
    kept: float | None


@strawberry.type(description="What waits in a queue now.")
class QueueWorkload:
    """A queue's work."""

    id: strawberry.ID
    name: str
    waiting: Long
    assigned: Long
    pending: Long
    snoozed: Long
    waiting_since: DateTime | None
    next_deadline_at: DateTime | None


@strawberry.type(description="What an agent has now, and did in the period.")
class AgentWorkload:
    """An agent's work."""

    id: strawberry.ID
    name: str
    presence: str
    capacity: Long
    open: Long
    pending: Long
    resolved: Long
    replies: Long


_WORKLOAD = "What waits in each queue now, and what each agent has now and did in the period."


@strawberry.type(description=_WORKLOAD)
class Workload:
    """Queues and agents."""

    queues: list[QueueWorkload]
    agents: list[AgentWorkload]


_SERIES = {
    "volume": (
        "volume",
        VolumePoint,
        "How many mentions, of how many authors, without reposts, and how far they reach.",
    ),
    "sentiment": ("sentiment", SentimentPoint, "How mentions are meant. What was dismissed does not count."),
    "shareOfVoice": ("share-of-voice", VoicePoint, "Each brand's part of what is said about any of the brands."),
    "responseTimes": ("response-times", ResponseTimesPoint, "How fast the first answer came."),
    "sla": ("sla", SlaPoint, "What was kept of the promises whose clocks began in the period, for each metric."),
}
_PERIOD = {
    "from": Argument(DateTime | None, "From this moment on; four weeks ago unless said otherwise.", None),
    "to": Argument(DateTime | None, "Before this moment; now unless said otherwise.", None),
}


def _series(series: str) -> Resolve:
    async def resolve(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
        known = metrics.dimensions_of(series)
        return await metrics.read_series(
            asked.desk_for(Action.READ_METRICS), series, since=moment_of(given, "from"), until=moment_of(given, "to"),
            group=given["group"], by=given["by"],
            narrowed={name: given[name] for name in known if given[name] is not None},
        )  # fmt: skip

    return resolve


async def _workload(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    desk = asked.desk_for(Action.READ_METRICS)
    return await metrics.read_workload(desk, moment_of(given, "from"), moment_of(given, "to"))


def metric_fields() -> dict[str, Any]:
    """The fields of Query that show figures."""
    listed: Any = list
    fields = {
        name: root_field(
            name, listed[point] | None, doc,
            {
                **_PERIOD,
                "group": Argument(str, f"The step: {', '.join(metrics.LONGEST)}.", "day"),
                "by": Argument(_TEXT, f"Split by one of {', '.join(metrics.dimensions_of(series))}.", None),
                **{
                    one: Argument(_TEXT, f"Only this {one.replace('_', ' ')}.", None)
                    for one in metrics.dimensions_of(series)
                },
            }, _series(series),
        )
        for name, (series, point, doc) in _SERIES.items()
    }  # fmt: skip
    fields["workload"] = root_field("workload", Workload | None, _WORKLOAD, _PERIOD, _workload)
    return fields
