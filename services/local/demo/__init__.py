"""The demo brand: a fictional provider with a few hundred mentions, played as a stream on the first start."""

from __future__ import annotations

import sys
from datetime import datetime
from uuid import UUID

from services.ingest.opening import workspace_folder
from services.ingest.worker import folder_of
from services.local.demo import content, founding, player
from services.local.demo.venues import into_venues
from shared.kit.errors import WebcareError
from shared.kit.settings import Settings


async def play(settings: Settings) -> int:
    """Sets the demo brand up where the first start decided so, once, and plays its story to the end; after a stop, on from
    where it was. Says in a line what it does. Returns an exit code."""
    try:
        begun = await _begin(settings)
    except WebcareError as refused:
        details = "; ".join(f"{pointer} {detail}" for pointer, detail in getattr(refused, "errors", ()))
        _say(f"The demo brand could not be set up: {refused} {details}".rstrip())
        return 1
    if begun is None:
        return 0
    venue_names = {channel["name"]: channel["settings"]["venue"] for channel in content.setup()["channels"]}
    workspace_id, began = begun
    venues = workspace_folder(folder_of(settings), workspace_id)  # where ingest will look for them
    await player.play(into_venues(venues, venue_names), began)
    _say("The demo brand's story has been played.")
    return 0


async def _begin(settings: Settings) -> tuple[UUID, datetime] | None:
    """(the workspace, when the story began, be it just now); None where the demo does not belong."""
    # here, because the commands import these only when they are run
    from services.local.demo import decision
    from services.local.operator import MAIN, desk_of

    async with desk_of(settings, MAIN, "demo") as desk, desk.writing() as writing:
        decided = await decision.known(writing)
        if decided is decision.Decision.DECLINED:
            _say("The demo brand stays away: at the first start it was not wanted, or there were other brands.")
            return None
        began = await founding.story_began(writing)
        if began is None and decided is decision.Decision.LOADED:
            _say("The demo brand was taken away, so it stays away.")
            return None
        is_new = decided is decision.Decision.WANTED
        if is_new:
            began = await founding.found(writing)
            await decision.loaded(writing)
    if began is None:
        raise RuntimeError("the demo brand was made and is not there")
    if is_new:
        _say("The demo brand is there: a week of history now, then a morning of messages, about six a minute.")
    return desk.workspace_id, began


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()
