"""Puts the story's mentions where customers would write them: into the simulated venues, which ingest reads and answers.

So they come in by the same way as those of a real network, and an agent's reply finds the post it answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.ingest.channels.simulated import venue_of
from services.ingest.networks.simulated_venue import Venue
from services.local.demo.player import Post

_SAME = ("text", "title", "kind", "visibility", "lang", "in_reply_to", "rating", "engagement", "country")


def into_venues(folder: Path, venue_names: Mapping[str, str]) -> Post:
    """A `Post` for `player.play`. `venue_names` gives, by the name of a channel, the name of its venue; `folder` is
    where channels keep their files.

    A mention that its venue already has is left as it is, whatever came of it there.
    """
    venues: dict[str, Venue] = {}

    def write(batch: Sequence[Mapping[str, Any]]) -> None:
        for mention in batch:
            name = venue_names[mention["channel"]]
            venue = venues.get(name) or venues.setdefault(name, venue_of(folder, name))
            if venue.find(mention["external_id"]) is None:
                venue.post_many([as_venue_post(mention)])

    async def post(batch: list[dict[str, Any]]) -> None:
        await asyncio.to_thread(write, batch)

    return post


def as_venue_post(mention: Mapping[str, Any]) -> dict[str, Any]:
    """An IncomingMention (as JSON) in the words of the venue's API. Pure."""
    post = {name: mention[name] for name in _SAME if name in mention}
    post |= {"id": mention["external_id"], "created_at": mention["published_at"]}
    if "thread_id" in mention:
        post["thread"] = mention["thread_id"]
    if "permalink" in mention:
        post["url"] = mention["permalink"]
    if author := mention.get("author"):
        post["author"] = {"id" if name == "external_id" else name: value for name, value in author.items()}
    return post
