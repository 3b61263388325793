"""Channels and channel types over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import channels
from services.api.rest.door import Call, Door, filters_of, one, page
from services.api.rest.inputs import CHANNEL

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
