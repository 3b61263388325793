"""Channels and channel types over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import channel_checks, channels
from services.api.rest.door import Call, Door, answer, filters_of, one, page, shape
from services.api.rest.inputs import CHANNEL, CHANNEL_CHECK

door = Door("channels")
_EXAMPLE = {"type": "push", "name": "shop-reviews", "settings": {}}


@door.get("/channel-types", "listChannelTypes", Action.READ_SETTINGS, page("channel_type"))
async def list_channel_types(call: Call) -> Response:
    """The kinds of venues there are, with the settings and secrets that a channel of each takes."""
    return await call.listed("channel_type")


@door.get("/channel-types/{type}", "getChannelType", Action.READ_SETTINGS, one("channel_type"))
async def get_channel_type(call: Call) -> Response:
    """One kind of venue."""
    return await call.one("channel_type", call.part("type"))


@door.get("/channels", "listChannels", Action.READ_SETTINGS, page("channel"), query=filters_of("channel"))
async def list_channels(call: Call) -> Response:
    """The channels, by name, with their health."""
    return await call.listed("channel")


@door.post("/channels", "createChannel", Action.CONNECT_CHANNELS, one("channel"), takes=CHANNEL, example=_EXAMPLE)
async def create_channel(call: Call) -> Response:
    """Connects a channel.

    Settings and secrets follow the schemas of its type. Secrets are sealed and never shown again.
    """
    given = await call.body()
    return await call.write("channel", lambda desk: channels.create_channel(desk, given))


@door.get("/channels/{id}", "getChannel", Action.READ_SETTINGS, one("channel"))
async def get_channel(call: Call) -> Response:
    """One channel with its health; its secrets are never shown."""
    return await call.one("channel", call.id())


@door.patch("/channels/{id}", "changeChannel", Action.CONNECT_CHANNELS, one("channel"), takes=CHANNEL)
async def change_channel(call: Call) -> Response:
    """Changes what is sent of a channel; new settings or secrets make it due at once."""
    key, given = call.id(), await call.body()
    return await call.write("channel", lambda desk: channels.change_channel(desk, key, given))


@door.delete("/channels/{id}", "pauseChannel", Action.CONNECT_CHANNELS)
async def pause_channel(call: Call) -> Response:
    """Ends the reading of a channel: it is paused, its mentions and its ledger stay."""
    return await call.do(lambda desk: channels.pause_channel(desk, call.id()))


@door.post("/channels/{id}/check", "checkChannel", Action.CONNECT_CHANNELS, shape(CHANNEL_CHECK), status=200)
async def check_channel(call: Call) -> Response:
    """Whether its credential works, and whom the network takes us for.

    The network is asked there and then; 409 for a kind of channel that has no account.
    """
    return answer(await channel_checks.check_channel(call.desk, call.id()), 200)


@door.get(
    "/channel-gaps", "listChannelGaps", Action.READ_SETTINGS, page("channel_gap"), query=filters_of("channel_gap")
)
async def list_channel_gaps(call: Call) -> Response:
    """The stretches of channels of which something may be missing, the latest found first.

    They are read again by themselves where the network can be read back; what cannot be stays open.
    """
    return await call.listed("channel_gap")


@door.get("/channel-gaps/{id}", "getChannelGap", Action.READ_SETTINGS, one("channel_gap"))
async def get_channel_gap(call: Call) -> Response:
    """One such stretch, and how far reading it again has come."""
    return await call.one("channel_gap", call.id())
