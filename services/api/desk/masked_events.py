"""Events as a reader hears them from whom personal data is hidden: what happened to what, and of that nothing that could hold any.

An event's data is what its subject was when it was told. What it said then is not masked by places, for a mention that was
just edited has the places of its former text; who wants to read it, reads the subject itself, which masks.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from shared.models.read_model import Column, ReadModel
from shared.store.events import FeedItem, FeedPage
from shared.store.hidden import HIDDEN
from shared.store.reading import Library

KNOWN_DETAILS: Final = frozenset(
    {
        "action", "agent_id", "at", "by", "data_hash", "finding", "former_agent_id", "former_queue_id", "from", "gap_id", "instance",
        "mention_id", "message_id", "metric", "no_longer", "queue", "queue_id", "since", "to", "until", "was_sent", "week",
    }
)  # fmt: skip
"""What the `detail` of a fact may tell: ids, words of ours, times. Its other words (an error, a value that somebody gave) are not
shown."""


def masked(page: FeedPage, library: Library) -> FeedPage:
    """The same page without personal data."""
    return replace(page, items=tuple(_masked(item, library) for item in page.items))


def _masked(item: FeedItem, library: Library) -> FeedItem:
    envelope = orjson.loads(item.body)
    noun = envelope["subject"].partition("/")[0]
    told = envelope["data"]
    model = library[noun] if noun in library.nouns() else None
    data = {"id": told["id"]} if model is None and "id" in told else _shown(model, told) if model else {}
    data |= {"conversation_id": told["conversation_id"]} if "conversation_id" in told else {}
    if isinstance(told.get("detail"), dict):
        data["detail"] = {name: value for name, value in told["detail"].items() if name in KNOWN_DETAILS}
    return replace(item, body=orjson.dumps({**envelope, "data": data}).decode())


def _shown(model: ReadModel, told: Mapping[str, Any]) -> dict[str, Any]:
    """Values whose column never holds personal data, and nouns whose columns are looked at in turn."""
    shown: dict[str, Any] = {}
    for name, item in model.fields.items():
        if name not in told:
            continue
        value = told[name]
        if isinstance(item, Column):
            shown[name] = value if item.masked is None or value is None else _instead(item)
        # Of the nouns that hang on it, the event has its own telling; their ids stand beside.
    return shown


def _instead(column: Column) -> Any:
    if column.null:
        return None
    return {"texts": [], "jsons": [], "json": {}}.get(column.type, HIDDEN)
