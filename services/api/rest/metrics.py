"""Figures over REST."""

from collections.abc import Callable, Mapping

from fastapi import Response

from services.api.auth import Action
from services.api.desk import metrics
from services.api.rest.door import Call, Door, Handler, Parameter, answer, shape
from services.api.rest.inputs import DURATION, ID, TEXT, TIME, Schema, data_of, many, maybe, shown
from services.api.rest.params import SINCE_MOMENT, UNTIL_MOMENT

door = Door("metrics")
_N: Schema = {"type": "integer", "minimum": 0}
_PART: Schema = maybe({"type": "number", "minimum": 0, "maximum": 1})
_AT: Schema = {**TIME, "description": "When the step begins."}
_KEY: Schema = {**maybe(TEXT), "description": "The value of `by`; null where it is not split, or has none."}


def _query(series: str) -> Mapping[str, Parameter]:
    known = metrics.dimensions_of(series)
    return {
        "from": SINCE_MOMENT,
        "to": UNTIL_MOMENT,
        "group": Parameter("text", "The step; day unless said otherwise.", tuple(metrics.LONGEST)),
        "by": Parameter("text", "Split by this dimension.", known),
        **{name: Parameter("text", f"Only this {name.replace('_', ' ')}.") for name in known},
    }


async def _read(call: Call, series: str) -> Response:
    known = metrics.dimensions_of(series)
    call.only("from", "to", "group", "by", *known)
    return answer(
        {
            "data": await metrics.read_series(
                call.desk, series, since=call.moment("from"), until=call.moment("to"),
                group=call.query.get("group", "day"), by=call.query.get("by"),
                narrowed={name: call.query[name] for name in known if name in call.query},
            )
        }
    )  # fmt: skip


def _series(series: str, operation_id: str, **point: Schema) -> Callable[[Handler], Handler]:
    """The route of a series; `point` is what each of its steps shows."""
    return door.get(
        f"/metrics/{series}", operation_id, Action.READ_METRICS, shape(data_of(shown(at=_AT, **point))), query=_query(series),
    )  # fmt: skip


@_series("volume", "readVolume", key=_KEY, count=_N, authors=_N, originals=_N, reach=_N)
async def read_volume(call: Call) -> Response:
    """How many mentions, of how many authors, without reposts, and how far they reach."""
    return await _read(call, "volume")


@_series(
    "sentiment",
    "readSentiment",
    key=_KEY,
    positive=_N,
    neutral=_N,
    negative=_N,
    unknown=_N,
    score=maybe({"type": "number"}),
)
async def read_sentiment(call: Call) -> Response:
    """How mentions are meant; `score` is the mean of -1 to 1. What was dismissed does not count."""
    return await _read(call, "sentiment")


@_series("share-of-voice", "readShareOfVoice", key={**TEXT, "description": "The brand."}, count=_N, share=_PART)
async def read_share_of_voice(call: Call) -> Response:
    """Each brand's part of what is said about any of the brands."""
    return await _read(call, "share-of-voice")


@_series(
    "response-times", "readResponseTimes", key=_KEY, conversations=_N, answered=_N, median=maybe(DURATION),
    p90=maybe(DURATION), mean=maybe(DURATION), counted_median=maybe(DURATION), counted_p90=maybe(DURATION),
    counted_mean=maybe(DURATION),
)  # fmt: skip
async def read_response_times(call: Call) -> Response:
    """How fast the first answer came, from the customer's first message to the answer that the venue took.

    `counted_` is the same as the clocks counted it: by the hours of what was promised.
    """
    return await _read(call, "response-times")


@_series(
    "sla", "readSla", key=_KEY, metric=TEXT, met=_N, breached=_N, running=_N, paused=_N, cancelled=_N, kept=_PART,
)  # fmt: skip
async def read_sla(call: Call) -> Response:
    """What was kept of the promises whose clocks began in the period, for each metric, as of now: what has missed its deadline is
    breached, answered or not. `kept` is met of met and breached."""
    return await _read(call, "sla")


_QUEUE = shown(
    id=ID, name=TEXT, waiting=_N, assigned=_N, pending=_N, snoozed=_N, waiting_since=maybe(TIME), next_deadline_at=maybe(TIME),
)  # fmt: skip
_AGENT = shown(id=ID, name=TEXT, presence=TEXT, capacity=_N, open=_N, pending=_N, resolved=_N, replies=_N)


@door.get(
    "/metrics/workload", "readWorkload", Action.READ_METRICS, query={"from": SINCE_MOMENT, "to": UNTIL_MOMENT},
    shows=shape(shown(queues=many(_QUEUE), agents=many(_AGENT))),
)  # fmt: skip
async def read_workload(call: Call) -> Response:
    """What waits in each queue now, and what each agent has now and did in the period."""
    call.only("from", "to")
    return answer(await metrics.read_workload(call.desk, call.moment("from"), call.moment("to")))
