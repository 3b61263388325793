"""A delivery that came to one channel's hook and is for others too, because their network knows one address for all of them.

It goes to every active channel of the workspace that shares the address, watches an account that the delivery tells of, and finds
it genuine by its own secrets: another workspace's channels, and those of another app, get nothing of it.
"""

from dataclasses import replace
from datetime import datetime
from functools import cache

from services.ingest import catalog
from services.ingest.channel import Channel as Network
from services.ingest.channel import ChannelBroken, ChannelError, NotGenuine, Page, Push, ReceivesPushes, SharesHook
from services.ingest.opening import Opener
from shared.kit import logging
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.store import channel as channels

log = logging.get(__name__)

MOST_UNWATCHED = 20
UNWATCHED = "unwatched_account"
"""What an account that no channel watches is told as, with its id, among the fields in which payloads depart from what is known."""


async def readings(
    database: Database, opener: Opener, channel: Channel, network: Network, push: Push, page: Page, at: datetime
) -> list[tuple[Channel, Network, Page]]:
    """Each channel that a delivery is for, with what it reads of it; the first is the one to whose hook it came, verified, with
    its `page`. Accounts that nobody watches are told with it."""
    found = [(channel, network, page)]
    if not isinstance(network, SharesHook):
        return found
    told = network.told_of(push)
    watched = {network.watches()}
    async with database.write(channel.workspace_id) as session:
        others = await channels.active_of_types(session, channel.workspace_id, sharing(network.hook_of))
    for other in others:
        if other.id == channel.id:
            continue
        try:
            its = opener.network(other)
            if not isinstance(its, SharesHook) or not isinstance(its, ReceivesPushes) or its.watches() not in told:
                continue
            its.verify(push, at)
            found.append((other, its, its.read_push(push, at)))
        except (
            ChannelBroken,
            NotGenuine,
        ):  # it cannot be opened, which is told where it is read; or it is of another app
            continue
        except ChannelError as wrong:
            log.warning("a delivery cannot be read", channel_id=str(other.id), reason=str(wrong)[:300])
            continue
        watched.add(its.watches())
    if unwatched := sorted(told - watched)[:MOST_UNWATCHED]:
        log.warning(
            "a delivery tells of accounts that no channel watches", channel_id=str(channel.id), accounts=unwatched
        )
        found[0] = (channel, network, replace(page, drift=(*page.drift, *(f"{UNWATCHED}.{one}" for one in unwatched))))
    return found


@cache
def sharing(hook_of: str) -> tuple[str, ...]:
    """The channel types whose hooks take deliveries about this."""
    return tuple(one for one in catalog.types() if getattr(catalog.load(one), "hook_of", None) == hook_of)
