"""Where a channel's network calls us: filled in where a person leaves it empty, and only where webcare knows its address."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ingest.channels.push import PushChannel
from services.ingest.opening import Opener
from shared.kit import ids
from shared.kit.http import HttpClient
from shared.kit.secrets import Vault
from shared.models.channel import Channel
from shared.models.sealed import channel_secrets
from tests.ingest.site import item, rss
from tests.venues.hub import FEED, HUB, Hub

pytestmark = pytest.mark.usefixtures("now")
HOOKS = "https://in.example/v1/hooks/"
SECRETS = '{"hub_secret": "hub-secret-of-twenty-or-more"}'
ATOM = f"""<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="hub" href="{HUB}"/>"""


def a_channel(vault: Vault, **settings: Any) -> Channel:
    channel = Channel(workspace_id=ids.new_id(), id=ids.new_id(), type="rss", name="feed", settings=settings)
    channel.secrets = vault.seal(SECRETS, channel.workspace_id, channel_secrets(channel.id))
    return channel


@pytest.mark.parametrize(
    ("hooks", "entered", "asked"),
    [
        (HOOKS, None, [HOOKS]),
        (HOOKS, "", [HOOKS]),
        (HOOKS, "https://tunnel.example/h?x=1", ["https://tunnel.example/h?x=1"]),
        ("", None, []),
    ],
)
async def test_the_hub_of_a_feed_is_told_where_to_call(
    hooks: str, entered: str | None, asked: list[str], tmp_path: Path
) -> None:
    hub, vault = Hub(rss(item(1), channel=ATOM)), Vault("x" * 40)
    channel = a_channel(vault, url=FEED, **({} if entered is None else {"hook_url": entered}))
    opener = Opener(vault, hub.http(), tmp_path, hooks_url=hooks)
    network: Any = opener.network(channel)
    await network.page(None)
    places = [one if one != HOOKS else f"{HOOKS}{channel.id}" for one in asked]
    assert [one["hub.callback"].rpartition("proof=")[0][:-1] for one in hub.subscriptions] == places


async def test_a_type_without_that_setting_is_opened_as_ever(tmp_path: Path) -> None:
    channel = Channel(workspace_id=ids.new_id(), id=ids.new_id(), type="push", name="p", settings={})
    http = HttpClient().through(httpx.MockTransport(lambda _: httpx.Response(500)))
    assert isinstance(Opener(Vault("x" * 40), http, tmp_path, hooks_url=HOOKS).network(channel), PushChannel)
