"""The bodies and answers that are no noun's own fields, as JSON Schema."""

from typing import Any

from shared.models.brand import PlaybookFields
from shared.models.channel import ChannelFields
from shared.models.reply import ReplyFields
from shared.models.sla import CalendarFields, SlaPolicyFields

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
ID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time"}
DURATION: Schema = {"type": "string", "format": "duration", "description": "ISO 8601, as PT1H or P7D."}


def maybe(schema: Schema) -> Schema:
    """The schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """An object of exactly these properties. A trailing underscore of a name (`from_`) is left off."""
    named = {name.rstrip("_"): schema for name, schema in properties.items()}
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": named}


def shown(**properties: Schema) -> Schema:
    """An object of an answer: all of its properties are always there."""
    named = {name.rstrip("_"): schema for name, schema in properties.items()}
    return {"type": "object", "required": list(named), "properties": named}


def many(schema: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": schema}


def data_of(schema: Schema) -> Schema:
    """`{"data": […]}`: a list that is not paged."""
    return shown(data=many(schema))


def fields(kind: Any, **more: Schema) -> Schema:
    """A noun's fields, and more that the verb reads itself."""
    schema: Schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    schema["properties"] = {**schema["properties"], **more}
    schema["additionalProperties"] = False
    return schema


SECRET: Schema = {"type": "string", "description": "Told in this answer and never again."}
SINCE = record(("since",), since={**TIME, "description": "At most 30 days ago."})
COUNT_OF_DELIVERIES = shown(deliveries={"type": "integer", "description": "How many are due again."})
CHANNEL = fields(
    ChannelFields,
    secrets={"type": "object", "description": "By the type's secrets_schema. Sealed; never shown."},
)

_PRIORITIES = {"type": "string", "enum": ["urgent", "high", "normal", "low"]}
CONVERSATION_CHANGE = record(
    subject=maybe({**TEXT, "maxLength": 500}),
    priority=_PRIORITIES,
    status={"type": "string", "enum": ["open", "pending"]},
    queue_id=maybe(ID),
    team_id=maybe(ID),
    brand_id=maybe(ID),
    tags=many({**TEXT, "maxLength": 100}),
    issue_keys=many(TEXT),
)
REPLY = fields(
    ReplyFields, automatic={"type": "boolean", "default": False, "description": "Nobody wrote it: it stops no clock."}
)
CLOCK = shown(
    id=ID, metric=TEXT, instance={"type": "integer"},
    state={"type": "string", "enum": ["running", "paused", "met", "breached", "cancelled"]},
    priority=TEXT, policy_id=ID, policy_version={"type": "integer"}, target=DURATION, started_at=TIME,
    deadline_at=maybe(TIME), elapsed=DURATION, stopped_at=maybe(TIME), breached_at=maybe(TIME),
)  # fmt: skip
EXPLANATION = shown(
    metric=TEXT, instance={"type": "integer"}, state=TEXT, target=DURATION,
    intervals=many(shown(from_=TIME, to=TIME, counted={"type": "boolean"}, reason=TEXT)),
    elapsed=DURATION, deadline_at=maybe(TIME), breached_at=maybe(TIME),
)  # fmt: skip
EVENT: Schema = shown(
    id=ID, type=TEXT, timestamp=TIME, api_version=TEXT, workspace_id=ID, subject=TEXT,
    sequence=maybe({"type": "integer"}), traceparent=maybe(TEXT), data={"type": "object"},
)  # fmt: skip
PAGE: Schema = shown(next_cursor=maybe(TEXT), has_more={"type": "boolean"})
EVENT_PAGE = shown(data=many({"$ref": "#/components/schemas/EventEnvelope"}), page=PAGE)
WAY: Schema = {"type": "object", "description": "Whether this way of answering is open, and its limits."}
CHECK = shown(
    allowed={"type": "boolean", "description": "Whether the venue would take it as it is."},
    problems=many(shown(code=TEXT, detail=TEXT)),
    said={**TEXT, "description": "The text as it would go out, with the agent's signature."},
    lengths=many(shown(counted_as=TEXT, limit={"type": "integer"}, length={"type": "integer"}, over_by={"type": "integer"})),
    parts={**many(TEXT), "description": "The text as a numbered thread, where it is too long and the venue has threads."},
)  # fmt: skip
CHANNEL_CHECK = shown(
    ok={"type": "boolean", "description": "Whether the network takes our credential."},
    account=maybe(shown(external_id=TEXT, name=TEXT, handle=maybe(TEXT), url=maybe(TEXT))),
    error=maybe({**TEXT, "description": "What is wrong, in a sentence."}),
    checked_at=TIME,
)

_COUNT: Schema = {"type": "integer", "minimum": 0}
VALIDATION = shown(
    valid={"type": "boolean"},
    errors=many(shown(position={**_COUNT, "description": "In code points, from 0."}, detail=TEXT)),
    terms=many(shown(text=TEXT, kind=TEXT, position=_COUNT)),
)
DRY_RUN = shown(
    hits=_COUNT,
    found_by_no_other={**_COUNT, "description": "Hits that no saved query has found."},
    looked_at=_COUNT,
    complete={"type": "boolean", "description": "False where there is more than was looked at."},
    since=TIME,
    weeks=many(shown(week=TEXT, count=_COUNT)),
    samples=many(shown(id=ID, said=TEXT, spans=many(shown(start=_COUNT, end=_COUNT)))),
)
PLAYBOOK = fields(
    PlaybookFields,
    steps=many(
        record(
            ("kind", "title"), kind={"type": "string", "enum": ["say", "ask", "check", "hand_over", "ask_department", "escalate"]},
            title=TEXT, text=TEXT,
        )
    ),
    templates=many(record(("language", "text"), language=TEXT, channel_type=maybe(TEXT), text=TEXT)),
)  # fmt: skip
_HOURS: Schema = {**many(many(TEXT)), "description": 'Intervals, as [["09:00", "17:00"]]; 24:00 ends a day.'}
CALENDAR = fields(
    CalendarFields,
    weekly=record(mon=_HOURS, tue=_HOURS, wed=_HOURS, thu=_HOURS, fri=_HOURS, sat=_HOURS, sun=_HOURS),
    holidays=many(record(("date", "name"), date={"type": "string", "format": "date"}, name=TEXT, open=_HOURS)),
)
ICAL = record(("text",), text={**TEXT, "maxLength": 1_000_000, "description": "An iCalendar file (RFC 5545)."})
SLA_POLICY = fields(
    SlaPolicyFields,
    ignore_older_than=maybe(DURATION),
    targets=many(
        record(
            ("metric", "within"), metric={"type": "string", "enum": ["first_response", "next_response", "update", "resolution"]},
            priority={"type": "string", "enum": ["urgent", "high", "normal", "low", "*"], "default": "*"}, within=DURATION,
            hours={"type": "string", "enum": ["business", "clock"]},
        )
    ),
    warnings={**many(TEXT), "description": "A part of the target (0.75) or a time before it (PT10M)."},
)  # fmt: skip
