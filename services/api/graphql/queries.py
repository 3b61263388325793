"""Reading by GraphQL: each noun as a Relay connection and by its id. Every field is one SQL statement, whatever hangs on it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import strawberry
from strawberry.types import Info

from services.api.auth import Action, allow
from services.api.desk import nodes
from services.api.desk.desk import Desk, view
from services.api.graphql.inputs import as_given, filter_type
from services.api.graphql.objects import NOUN, Connection, Node, object_type
from services.api.graphql.selection import asks_for, selection_of
from shared.kit.errors import NotFound
from shared.kit.ids import parse_id
from shared.kit.pages import Page


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's context: whose desk it is."""

    desk: Desk


READ: Mapping[str, tuple[str, Action]] = {
    "mention": ("mentions", Action.READ_MENTIONS),
    "author": ("authors", Action.READ_MENTIONS),
    "conversation": ("conversations", Action.READ_CONVERSATIONS),
    "message": ("messages", Action.READ_CONVERSATIONS),
    "reply": ("replies", Action.READ_REPLIES),
    "sla_clock": ("slaClocks", Action.READ_CONVERSATIONS),
    "queue": ("queues", Action.READ_SETTINGS),
    "brand": ("brands", Action.READ_SETTINGS),
    "query": ("queries", Action.READ_SETTINGS),
    "channel": ("channels", Action.READ_SETTINGS),
    "channel_type": ("channelTypes", Action.READ_SETTINGS),
    "issue_type": ("issueTypes", Action.READ_SETTINGS),
    "playbook": ("playbooks", Action.READ_SETTINGS),
    "team": ("teams", Action.READ_SETTINGS),
    "agent": ("agents", Action.READ_SETTINGS),
    "calendar": ("calendars", Action.READ_SETTINGS),
    "sla_policy": ("slaPolicies", Action.READ_SETTINGS),
    "webhook_endpoint": ("webhookEndpoints", Action.READ_WEBHOOKS),
    "delivery": ("deliveries", Action.READ_WEBHOOKS),
}
"""Noun → (its list's name, what reading it takes): the nouns that GraphQL shows by themselves."""


def desk_of(info: Info[Asked, Any], action: Action) -> Desk:
    """The desk of whoever asks, if they may do that. Raises Forbidden."""
    desk = info.context.desk
    allow(desk.actor, action)
    return desk


def _list_of(noun: str, action: Action) -> Callable[..., Awaitable[Any]]:
    async def resolve(info: Any, first: int = 25, after: str | None = None, filter: Any = None, order: str | None = None) -> Any:  # noqa: A002
        desk, raw = desk_of(info, action), info._raw_info
        selection = selection_of(raw, noun, "edges", "node")
        filters = {name: value for name, value in as_given(filter).items() if value is not None} if filter is not None else {}
        found = await desk.page(noun, Page.of(first, after), filters, selection, order)
        rows = orjson.loads(found.data)
        cursors = found.cursors() if asks_for(raw, "edges", "cursor") else None
        edges = [{"node": row, "cursor": cursors[n] if cursors else None} for n, row in enumerate(rows)]
        return {"edges": edges, "page_info": {"has_next_page": found.has_more, "end_cursor": found.next_cursor}}

    resolve.__annotations__ = {
        "info": Info, "first": int, "after": str | None, "order": str | None, "return": Connection[object_type(noun)],
    }  # fmt: skip
    if (narrowed := filter_type(noun)) is not None:
        resolve.__annotations__["filter"] = narrowed | None
        return resolve

    async def unfiltered(info: Any, first: int = 25, after: str | None = None, order: str | None = None) -> Any:
        return await resolve(info, first, after, None, order)

    unfiltered.__annotations__ = dict(resolve.__annotations__)
    return unfiltered


def _one_of(noun: str, action: Action) -> Callable[..., Awaitable[Any]]:
    async def resolve(info: Any, id: str) -> Any:  # noqa: A002
        desk = desk_of(info, action)
        try:
            return orjson.loads(await desk.one(noun, id, selection_of(info._raw_info, noun)))
        except NotFound:
            return None

    resolve.__annotations__ = {"info": Info, "id": strawberry.ID, "return": object_type(noun) | None}
    return resolve


async def node(info: Info[Asked, Any], id: strawberry.ID) -> Node | None:  # noqa: A002
    """Anything by its id; null where this workspace has no such thing, or the key may not read it."""
    key, desk = parse_id(id), info.context.desk
    noun = await nodes.noun_of(desk, key, list(READ)) if key else None
    if key is None or noun not in READ:
        return None
    desk = desk_of(info, READ[noun][1])
    row = orjson.loads(await desk.one(noun, key, selection_of(info._raw_info, noun)))
    return {**row, NOUN: noun}  # type: ignore[return-value]  # rows are what every field is resolved from


def query_fields() -> dict[str, Any]:
    """The fields of Query that read nouns."""
    fields: dict[str, Any] = {"node": strawberry.field(resolver=node)}
    for noun, (plural, action) in READ.items():
        doc = view(noun).doc
        fields[plural] = strawberry.field(resolver=_list_of(noun, action), name=plural, description=f"A page of them. {doc}")
        fields[noun] = strawberry.field(resolver=_one_of(noun, action), description=doc)
    return fields
