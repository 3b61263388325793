"""Whether the demo brand belongs in a workspace: decided once, before the doors open, and kept with the workspace.

Were it asked later, when the demo is loaded, a brand that somebody made within the first second would keep it away.
"""

from __future__ import annotations

from enum import StrEnum

import orjson

from services.api.desk.desk import Desk
from services.local.demo import founding
from shared.kit.pages import Page
from shared.store import workspaces

SETTING = "demo"
"""Where it stands among the workspace's settings."""


class Decision(StrEnum):
    """What was decided: it is still to be loaded, it stays away for good, or it was loaded."""

    WANTED = "wanted"
    DECLINED = "declined"
    LOADED = "loaded"


async def decide(desk: Desk, *, asked_for: bool) -> Decision:
    """What was decided at an earlier start; at the first, the demo is wanted where it is `asked_for` and nobody has begun
    something of their own: there is no brand yet. The desk must be writing."""
    workspace = await workspaces.lock(desk.session, desk.workspace_id)
    if known := workspace.settings.get(SETTING):
        return Decision(str(known))
    if await founding.story_began(desk):
        decision = Decision.LOADED  # before decisions were kept
    else:
        decision = Decision.WANTED if asked_for and await _is_free(desk) else Decision.DECLINED
    workspace.settings = {**workspace.settings, SETTING: decision.value}
    await desk.session.flush()
    return decision


async def known(desk: Desk) -> Decision:
    """What was decided; where nothing was, the demo stays away. The workspace is locked, so that the demo is loaded once. The
    desk must be writing."""
    workspace = await workspaces.lock(desk.session, desk.workspace_id)
    return Decision(str(workspace.settings.get(SETTING, Decision.DECLINED)))


async def loaded(desk: Desk) -> None:
    """The demo was loaded, in the transaction of the desk: not again, whatever becomes of it."""
    workspace = await workspaces.lock(desk.session, desk.workspace_id)
    workspace.settings = {**workspace.settings, SETTING: Decision.LOADED.value}
    await desk.session.flush()


async def _is_free(desk: Desk) -> bool:
    return bool(orjson.loads((await desk.page("brand", Page.of(1))).data) == [])
