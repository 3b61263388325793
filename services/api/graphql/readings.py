"""What is read that is no noun of its own: the feed of events, the ledger, clocks as they stand, drafts and queries tried."""

from datetime import datetime
from typing import Any

import orjson
import strawberry

from services.api.auth import Action
from services.api.desk import (
    automation_rules,
    channel_checks,
    conversations,
    events,
    heads,
    ledger,
    presence,
    queries,
    queues,
    replies,
    sla_clocks,
    sla_what_if,
    workspaces,
)
from services.api.graphql.fields import Argument, Asked, root_field
from services.api.graphql.inputs import NOT_SAID, input_type
from services.api.graphql.objects import PageInfo
from services.api.graphql.scalars import DateTime, Duration, Json, Long
from services.api.graphql.selection import Raw
from shared.kit.errors import Invalid, NotFound
from shared.kit.ids import parse_id
from shared.models.head import Question
from shared.models.reply import ReplyFields

ID = strawberry.ID
_TEXT = str | None


@strawberry.type(description="What came in by a channel in one hour, and what became of it.")
class LedgerHour:
    """received = stored + updated + duplicate + filtered + quarantined + rejected."""

    channel: str
    channel_id: ID
    hour: DateTime
    received: Long
    stored: Long
    updated: Long
    duplicate: Long
    filtered: Long
    quarantined: Long
    rejected: Long


@strawberry.type(description="A promise as it stands at this moment: elapsed is exact.")
class RunningClock:
    """A clock, folded now."""

    id: ID
    metric: str
    instance: int
    state: str
    priority: str
    policy_id: ID
    policy_version: int
    target: Duration
    started_at: DateTime
    deadline_at: DateTime | None
    elapsed: Duration
    stopped_at: DateTime | None
    breached_at: DateTime | None


@strawberry.type(description="A mention of which a person's word would teach most.")
class WantedCorrection:
    """What triage found, and how sure that is: 0 to 1."""

    mention_id: ID
    finding: str
    value: Json | None
    confidence: float
    why: str
    text: str
    lang: str | None
    published_at: DateTime


@strawberry.type(description="From whom personal data is hidden.")
class Masking:
    """`kinds` are masked in texts; what cannot be masked by its place is hidden whole."""

    roles: list[str]
    kinds: list[str]


@strawberry.type(description="A stretch of time that a clock counted or did not, and why.")
class ClockInterval:
    """From, to, and whether it counted."""

    from_: DateTime = strawberry.field(name="from")
    to: DateTime
    counted: bool
    reason: str


@strawberry.type(description="Which time counted, from a clock's start to now; the counted intervals sum to elapsed.")
class ClockExplanation:
    """A clock with its intervals."""

    metric: str
    instance: int
    state: str
    target: Duration
    intervals: list[ClockInterval]
    elapsed: Duration
    deadline_at: DateTime | None
    breached_at: DateTime | None


@strawberry.type(description="Something that happened, as webhooks carry it.")
class EventEnvelope:
    """An event in its place."""

    id: ID
    type: str
    timestamp: DateTime
    api_version: str
    workspace_id: ID
    subject: str
    sequence: int | None
    traceparent: str | None
    data: Json


@strawberry.type(description="Events in the one order in which everybody hears of them.")
class EventPage:
    """`pageInfo.endCursor` is what to go on with, also where there is nothing more yet."""

    nodes: list[EventEnvelope]
    page_info: PageInfo


async def _ledger(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    desk = asked.desk_for(Action.READ_LEDGER)
    return await ledger.read_ledger(desk, moment_of(given, "from"), moment_of(given, "to"), given["channel"])


async def _clocks(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    return await sla_clocks.list_clocks(asked.desk_for(Action.READ_CONVERSATIONS), _id_of(given, "conversation"))


async def _explain_clock(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    desk = asked.desk_for(Action.READ_CONVERSATIONS)
    told = await sla_clocks.explain_clock(desk, _id_of(given, "conversation"), given["metric"], given["instance"])
    return {**told, "intervals": [{**one, "from_": one["from"]} for one in told["intervals"]]}


async def _events(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    conversation = None if given["conversation"] is None else _id_of(given, "conversation", missing=False)
    return await _feed(asked, Action.READ_EVENTS, given, conversation)


async def _timeline(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    desk = asked.desk_for(Action.READ_CONVERSATIONS)
    conversation = _id_of(given, "conversation")
    await desk.one("conversation", conversation, {"id": None})
    return await _feed(asked, Action.READ_CONVERSATIONS, given, conversation)


async def _feed(asked: Asked, action: Action, given: dict[str, Any], conversation: Any) -> Any:
    after = given["after"]
    if after is not None and not (after.isdecimal() and len(after) <= 18):
        raise Invalid("after is the endCursor of the former page.", errors=[("/after", "is no position")])
    found = await events.read_feed(
        asked.desk_for(action),
        None if after is None else int(after),
        given["first"],
        given["types"] or [],
        conversation,
    )
    page_info = {"has_next_page": found.has_more, "end_cursor": str(found.after)}
    return {"nodes": orjson.loads(found.data), "page_info": page_info}


async def _wanted(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    return await heads.read_wanted(asked.desk_for(Action.READ_MENTIONS), given["finding"], given["size"])


async def _masking(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    return (await workspaces.read_masking(asked.desk_for(Action.READ_SETTINGS))).as_setting()


async def _validate_query(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    asked.desk_for(Action.READ_SETTINGS)
    return queries.validate_query(given)


async def _dry_run_query(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    said = {name: value for name, value in given.items() if value is not None}
    return await queries.dry_run_query(asked.desk_for(Action.READ_SETTINGS), said)


async def _dry_run_queue(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    said = {name: value for name, value in given.items() if value is not None}
    async with asked.desk_for(Action.READ_SETTINGS).writing() as desk:
        return await queues.dry_run_queue(desk, said)


async def _what_if(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    said = {name: value for name, value in given.items() if value is not None}
    return await sla_what_if.what_if_sla_policies(asked.desk_for(Action.READ_METRICS), said)


async def _list_presence(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    return await presence.list_presence(asked.desk_for(Action.READ_SETTINGS))


async def _dry_run_rule(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    said = {name: value for name, value in given.items() if value is not None}
    async with asked.desk_for(Action.READ_SETTINGS).writing() as desk:
        return await automation_rules.dry_run_automation_rule(desk, said)


async def _check_draft(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    async with asked.desk_for(Action.WRITE_REPLIES).writing() as desk:
        return await replies.check_draft(desk, _id_of(given, "conversation"), given["input"])


async def _check_reply(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    async with asked.desk_for(Action.READ_REPLIES).writing() as desk:
        return await replies.check_reply(desk, _id_of(given, "id"))


async def _check_channel(asked: Asked, _: Raw, given: dict[str, Any]) -> Any:
    return await channel_checks.check_channel(asked.desk_for(Action.CONNECT_CHANNELS), _id_of(given, "id"))


def moment_of(given: dict[str, Any], name: str) -> datetime | None:
    """An argument that is a moment with its zone. Raises Invalid."""
    return None if given[name] is None else conversations.read_moment(given[name], f"/{name}")


def _id_of(given: dict[str, Any], name: str, *, missing: bool = True) -> Any:
    """An argument that is an id. What cannot be one is not found (`missing`), or not right."""
    known = parse_id(given[name])
    if known is None and missing:
        raise NotFound(f"There is no such thing as {str(given[name])[:80]} here.")
    if known is None:
        raise Invalid(f"{name} must be an id (UUID).", errors=[(f"/{name}", "is not an id")])
    return known


REPLY_INPUT = input_type(
    "ReplyInput", ReplyFields, more={"automatic": (bool | None, "Nobody wrote it: it stops no clock.", NOT_SAID)}
)
_CONVERSATION = Argument(ID, "The conversation's id.")
_FEED = {
    "after": Argument(_TEXT, "Only events after this position: the endCursor of the former page.", None),
    "first": Argument(int | None, "At most so many, 1 to 500; 100 unless said otherwise.", None),
    "types": Argument(list[str] | None, "Only these types: names, noun.* or *.", None),
}


def reading_fields() -> dict[str, Any]:
    """The fields of Query that read what is no noun."""
    made = [
        root_field(
            "ledger", list[LedgerHour] | None, "What came in and what became of it, per channel and hour, the newest first.",
            {
                "from": Argument(DateTime | None, "From this moment on.", None),
                "to": Argument(DateTime | None, "Before this moment.", None),
                "channel": Argument(_TEXT, "One channel, by id or name.", None),
            }, _ledger,
        ),
        root_field(
            "clocks", list[RunningClock] | None, "How the promises to a conversation stand at this moment.",
            {"conversation": _CONVERSATION}, _clocks,
        ),
        root_field(
            "explainClock", ClockExplanation | None, "Which time of a clock counted and which did not, and why.",
            {
                "conversation": _CONVERSATION,
                "metric": Argument(str, "first_response, next_response, update or resolution."),
                "instance": Argument(int | None, "Which of several; the latest unless said otherwise.", None),
            }, _explain_clock,
        ),
        root_field(
            "events", EventPage | None, "Everything that happened, in order: go on with pageInfo.endCursor.",
            {**_FEED, "conversation": Argument(ID | None, "Only those of this conversation.", None)}, _events,
        ),
        root_field(
            "timeline", EventPage | None, "Everything that happened to a conversation, in order.",
            {**_FEED, "conversation": _CONVERSATION}, _timeline,
        ),
        root_field(
            "wantedCorrections", list[WantedCorrection] | None,
            "Mentions of which a person's word would teach most, the least sure first.",
            {
                "finding": Argument(str, f"One of {', '.join(Question)}."),
                "size": Argument(
                    int | None, f"At most so many, 1 to {heads.MOST_WANTED}; {heads.USUAL_WANTED} unless said otherwise.", None
                ),
            }, _wanted,
        ),
        root_field("masking", Masking | None, "From which roles personal data is hidden, and which kinds of it.", {}, _masking),
        root_field(
            "validateQuery", Json | None, "Whether a text is a query, with the position of what is wrong.",
            {"text": Argument(str, "The query.")}, _validate_query,
        ),
        root_field(
            "dryRunQuery", Json | None, "Tries a query on the mentions that are there; nothing is kept.",
            {"text": Argument(str, "The query."), "days": Argument(int | None, "How far back, 1 to 366; 28.", None)},
            _dry_run_query,
        ),
        root_field(
            "dryRunQueue", Json | None, "What a queue would have got in the past; nothing is changed.",
            {
                "filter": Argument(Json | None, "Of which conversations.", None), "position": Argument(int | None, "Its place.", None),
                "from": Argument(str | None, "Since when.", None), "to": Argument(str | None, "Until when.", None),
            }, _dry_run_queue,
        ),
        root_field(
            "whatIfSlaPolicies", Json | None, "What would have become of promises under other policies; nothing is changed.",
            {
                "from": Argument(str | None, "Since when.", None), "to": Argument(str | None, "Until when.", None),
                "policies": Argument(Json | None, "Instead of those in force; each may hold its calendar.", None),
                "policy_id": Argument(ID | None, "Or: which one is to be changed.", None),
                "changes": Argument(Json | None, "What would be another of it.", None),
                "calendar": Argument(Json | None, "Hours instead of those of all policies that have some.", None),
            }, _what_if,
        ),
        root_field("presence", Json | None, "Who is there, and how much they have before them.", {}, _list_presence),
        root_field(
            "dryRunAutomationRule", Json | None, "What a rule would have acted on in the past; nothing is done.",
            {
                "event": Argument(str, "What sets it off."), "filter": Argument(Json | None, "Of which conversations.", None),
                "actions": Argument(Json | None, "What it would do.", None), "from": Argument(str | None, "Since when.", None),
                "to": Argument(str | None, "Until when.", None),
            }, _dry_run_rule,
        ),
        root_field(
            "checkDraft", Json | None, "Whether the venue would take this answer, and what it would have to be split into.",
            {"conversation": _CONVERSATION, "input": Argument(REPLY_INPUT, "The answer.")}, _check_draft, inside="input",
        ),
        root_field(
            "checkReply", Json | None, "Whether the venue would take a reply as things stand now.",
            {"id": Argument(ID, "The reply's id.")}, _check_reply,
        ),
        root_field(
            "checkChannel", Json | None, "Whether a channel's credential works, and whom its network takes us for.",
            {"id": Argument(ID, "The channel's id.")}, _check_channel,
        ),
    ]  # fmt: skip
    return {one.graphql_name: one for one in made}
