"""Reading nouns by GraphQL: each as a Relay connection and by its key. A field is one SQL statement, whatever hangs on it."""

from collections.abc import Mapping
from typing import Any

import orjson
import strawberry

from services.api.auth import Action, allow
from services.api.desk import nodes
from services.api.desk.desk import Desk, view
from services.api.graphql.fields import Argument, Asked, Resolve, root_field
from services.api.graphql.inputs import filter_type
from services.api.graphql.objects import NOUN, Connection, Node, camel, object_type
from services.api.graphql.scalars import Long
from services.api.graphql.selection import Raw, asks_for, selection_of
from shared.kit.errors import Invalid, NotFound
from shared.kit.ids import parse_id
from shared.kit.pages import LARGEST_PAGE, Page
from shared.models.read_model import Nested, Selection

READ: Mapping[str, tuple[str, Action]] = {
    "mention": ("mentions", Action.READ_MENTIONS),
    "correction": ("corrections", Action.READ_MENTIONS),
    "head": ("heads", Action.READ_SETTINGS),
    "author": ("authors", Action.READ_MENTIONS),
    "conversation": ("conversations", Action.READ_CONVERSATIONS),
    "message": ("messages", Action.READ_CONVERSATIONS),
    "routing_decision": ("routingDecisions", Action.READ_CONVERSATIONS),
    "reply": ("replies", Action.READ_REPLIES),
    "moderation": ("moderations", Action.READ_MODERATIONS),
    "sla_clock": ("slaClocks", Action.READ_CONVERSATIONS),
    "offer": ("offers", Action.READ_CONVERSATIONS),
    "automation_rule": ("automationRules", Action.READ_SETTINGS),
    "automation_run": ("automationRuns", Action.READ_SETTINGS),
    "queue": ("queues", Action.READ_SETTINGS),
    "brand": ("brands", Action.READ_SETTINGS),
    "query": ("queries", Action.READ_SETTINGS),
    "channel": ("channels", Action.READ_SETTINGS),
    "channel_gap": ("channelGaps", Action.READ_SETTINGS),
    "channel_type": ("channelTypes", Action.READ_SETTINGS),
    "issue_type": ("issueTypes", Action.READ_SETTINGS),
    "playbook": ("playbooks", Action.READ_SETTINGS),
    "playbook_version": ("playbookVersions", Action.READ_SETTINGS),
    "team": ("teams", Action.READ_SETTINGS),
    "agent": ("agents", Action.READ_SETTINGS),
    "skill": ("skills", Action.READ_SETTINGS),
    "shift": ("shifts", Action.READ_SETTINGS),
    "calendar": ("calendars", Action.READ_SETTINGS),
    "sla_policy": ("slaPolicies", Action.READ_SETTINGS),
    "webhook_endpoint": ("webhookEndpoints", Action.READ_WEBHOOKS),
    "delivery": ("deliveries", Action.READ_WEBHOOKS),
    "delivery_attempt": ("deliveryAttempts", Action.READ_WEBHOOKS),
    "api_key": ("apiKeys", Action.MANAGE_KEYS),
    "report": ("reports", Action.READ_METRICS),
}
"""Noun → (its list's name, what reading it takes): the nouns that GraphQL shows by themselves."""

ID = strawberry.ID
_TEXT = str | None


def check_below(desk: Desk, noun: str, selection: Selection) -> None:
    """Raises Forbidden where a noun is asked for, below this one, that the actor may not read by itself."""
    for name, below in selection.items():
        if below is None:
            continue
        item = view(noun).fields[name]
        assert isinstance(item, Nested)  # only nouns have something below
        # What is shown unasked belongs to the noun on which it hangs.
        if not item.shown and item.noun in READ:
            allow(desk.actor, READ[item.noun][1])
        check_below(desk, item.noun, below)


async def read_one(desk: Desk, noun: str, key: Any, raw: Raw, *path: str) -> dict[str, Any]:
    """One of a noun, with what was asked of it at `path`. Raises NotFound."""
    selection = selection_of(raw, noun, *path)
    check_below(desk, noun, selection)
    row: dict[str, Any] = orjson.loads(await desk.one(noun, key, selection))
    return row


def _list_of(noun: str, action: Action) -> Resolve:
    async def resolve(asked: Asked, raw: Raw, given: dict[str, Any]) -> Any:
        desk = asked.desk_for(action)
        selection = selection_of(raw, noun, "edges", "node")
        check_below(desk, noun, selection)
        narrowed = {name: value for name, value in (given.get("filter") or {}).items() if value is not None}
        found = await desk.page(noun, Page.of(given["first"], given["after"]), narrowed, selection, given["order"])
        rows = orjson.loads(found.data)
        if asks_for(raw, "edges", "cursor"):
            edges = [{"node": row, "cursor": after} for row, after in zip(rows, found.cursors(), strict=True)]
        else:
            edges = [{"node": row} for row in rows]
        return {"edges": edges, "page_info": {"has_next_page": found.has_more, "end_cursor": found.next_cursor}}

    return resolve


def _one_of(noun: str, action: Action) -> Resolve:
    key = view(noun).key

    async def resolve(asked: Asked, raw: Raw, given: dict[str, Any]) -> Any:
        desk = asked.desk_for(action)
        try:
            return await read_one(desk, noun, given[key], raw)
        except NotFound:
            return None

    return resolve


async def _conversation(asked: Asked, raw: Raw, given: dict[str, Any]) -> Any:
    desk = asked.desk_for(Action.READ_CONVERSATIONS)
    if (given["id"] is None) == (given["number"] is None):
        raise Invalid(
            "Name one conversation, by its id or by its number.", errors=[("/id", "or /number, and not both")]
        )
    if given["id"] is not None:
        return await _one_of("conversation", Action.READ_CONVERSATIONS)(asked, raw, given)
    selection = selection_of(raw, "conversation")
    check_below(desk, "conversation", selection)
    found = await desk.page("conversation", Page.of(1), {"number": given["number"]}, selection)
    return next(iter(orjson.loads(found.data)), None)


async def _node(asked: Asked, raw: Raw, given: dict[str, Any]) -> Any:
    key = parse_id(given["id"])
    noun = await nodes.noun_of(asked.desk, key, list(READ)) if key else None
    if key is None or noun not in READ:
        return None
    assert noun is not None  # it is in READ
    return {**await read_one(asked.desk_for(READ[noun][1]), noun, key, raw), NOUN: noun}


def _page_arguments(noun: str) -> dict[str, Argument]:
    orders = list(view(noun).orders)
    arguments = {
        "first": Argument(int, f"How many, 1 to {LARGEST_PAGE}.", 25),
        "after": Argument(_TEXT, "Goes on after this cursor.", None),
        "order": Argument(_TEXT, f"One of {', '.join(orders)}; {orders[0]} unless said otherwise.", None),
    }
    if (narrowed := filter_type(noun)) is not None:
        arguments["filter"] = Argument(narrowed | None, "Narrows the list.", None)
    return arguments


def noun_fields() -> dict[str, Any]:
    """The fields of Query that read nouns."""
    paged: Any = Connection
    fields: dict[str, Any] = {
        "node": root_field(
            "node", Node | None, "Anything by its id; null where this workspace has no such thing.",
            {"id": Argument(ID, "Its id.")}, _node,
        ),
    }  # fmt: skip
    for noun, (plural, action) in READ.items():
        model, single, shown = view(noun), camel(noun), object_type(noun)
        fields[plural] = root_field(
            plural, paged[shown] | None, f"A page of them. {model.doc}", _page_arguments(noun),
            _list_of(noun, action), inside="filter",
        )  # fmt: skip
        key = Argument(ID if model.key == "id" else str, f"Its {model.key}.")
        fields[single] = root_field(single, shown | None, model.doc, {model.key: key}, _one_of(noun, action))
    fields["conversation"] = root_field(
        "conversation", object_type("conversation") | None, view("conversation").doc,
        {"id": Argument(ID | None, "Its id.", None), "number": Argument(Long | None, "Or its number.", None)},
        _conversation,
    )  # fmt: skip
    return fields
