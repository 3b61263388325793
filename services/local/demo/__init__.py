"""The demo brand: a fictional provider with a few hundred mentions, played as a stream on the first start."""

from __future__ import annotations

import sys
from datetime import datetime

import httpx

from services.local.demo import content, founding, player
from services.local.demo.venues import into_venues
from services.local.trouble import LocalTrouble
from shared.kit.settings import Settings


async def play(settings: Settings) -> int:
    """Sets the demo brand up where the workspace is still empty, and plays its story to the end; after a stop, on from
    where it was. Returns an exit code; says in a line what it did. Needs a running api and the admin key."""
    from services.local import first_start

    key = first_start.admin_key(settings)
    async with httpx.AsyncClient(
        base_url=settings.api_url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False
    ) as api:
        try:
            began = await _begun(api, settings)
        except LocalTrouble as trouble:
            _say(str(trouble))
            return 1
    if began is None:
        _say("This workspace has brands of its own, so the demo brand stays away.")
        return 0
    venue_names = {channel["name"]: channel["settings"]["venue"] for channel in content.setup()["channels"]}
    await player.play(into_venues(settings.data_dir, venue_names), began)
    _say("The demo brand's story has been played.")
    return 0


async def _begun(api: httpx.AsyncClient, settings: Settings) -> datetime | None:
    """When the story began: long ago, or just now; None where it does not belong."""
    began = await founding.story_began(api)
    if began is not None:
        return began
    if not await founding.is_free_for_demo(api):
        return None
    _say("Setting the demo brand up …")
    began = await founding.found(api, settings.data_dir)
    _say("The demo brand is there: a week of history now, then a morning of messages, about six a minute.")
    return began


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()
