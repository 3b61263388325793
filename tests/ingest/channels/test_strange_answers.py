"""Answers with something strange anywhere in them: a page comes of it or a ChannelError, never anything else."""

import copy
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from services.ingest import catalog
from services.ingest.channel import ChannelError, Cursor, IncomingMention, OutcomeUnknown, OutgoingReply, Post, Sent
from shared.kit.http import HttpClient
from tests.ingest.site import NOON, Now
from tests.ingest.test_channel_contract import SECRETS, SETTINGS
from tests.venues.app_store import SECRETS as APP_STORE_KEY
from tests.venues.disqus import SECRETS as DISQUS
from tests.venues.google import BY_PERSON
from tests.venues.reddit import SECRETS as REDDIT

TYPES = [
    "hacker_news",
    "lemmy",
    "stack_exchange",
    "app_store",
    "google_play",
    "youtube",
    "google_business",
    "reddit",
    "disqus",
]
PAYLOADS = Path(__file__).parents[1] / "payloads"
STRANGE: list[Any] = [
    None, True, -1, 0, 1e308, 2**70, "", " ", "\x00", "\ud83d", "x" * 5_000, "javascript:alert(1)", "https://[bad", "https://\ud83d.example/",
    "99999-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59", "../..", [], [[]], [None], {}, {"": {}}, {"label": 7}, {"id": []},
]  # fmt: skip
TIMES = 40
LARGEST_CURSOR = 60_000


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _places(one, (*path, key))


def _with_something_strange(payload: Any, chance: random.Random) -> Any:
    strange = copy.deepcopy(payload)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(strange))
        if not places:
            return chance.choice([one for one in STRANGE if isinstance(one, dict | list)])
        *way, last = chance.choice(places)
        holder = strange
        for key in way:
            holder = holder[key]
        if isinstance(holder, dict) and chance.random() < 0.2:
            del holder[last]
        else:
            holder[last] = copy.deepcopy(chance.choice(STRANGE))
    return strange


def _as_json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize("type_", TYPES)
async def test_a_strange_answer_is_a_page_or_a_channel_error(type_: str, tmp_path: Path, now: Now) -> None:
    chance = random.Random(type_)  # the same at each run
    payloads = [orjson.loads(file.read_bytes()) for file in PAYLOADS.glob(f"{type_}/[!h]*.in.json")]
    shown: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if "token" in request.url.path:
            return httpx.Response(200, json={"access_token": "t"})
        return httpx.Response(
            200, content=_as_json(shown[-1]), headers={"x-ratelimit-reset": "soon", "x-rate-limit": ";;"}
        )

    http = HttpClient().through(httpx.MockTransport(answer))
    pages, sentences = 0, list[str]()
    for secrets in [{}, APP_STORE_KEY] if type_ == "app_store" else [SECRETS.get(type_, {})]:
        channel: Any = catalog.open_channel(type_, SETTINGS[type_], secrets, http, data_dir=tmp_path)
        cursor: Cursor | None = None
        for _ in range(TIMES):
            shown.append(_with_something_strange(chance.choice(payloads), chance))
            try:
                page = await channel.page(cursor)
            except ChannelError as told:
                sentences.append(str(told))
                continue
            pages += 1
            stored = orjson.dumps(page.cursor)
            assert len(stored) < LARGEST_CURSOR
            cursor = orjson.loads(stored)
            assert all(isinstance(one, IncomingMention) and one.raw for one in page.mentions)
            assert all(name and len(name) < 250 for name in page.drift)
            assert all(gap.since < gap.until for gap in page.gaps)
    assert pages > TIMES // 3, "most of it can be read"
    assert all(one.endswith(".") for one in sentences)


WRITERS: dict[str, tuple[dict[str, str], str]] = {
    "lemmy": ({"token": "t"}, "https://lemmy.world/comment/1"),
    "app_store": (APP_STORE_KEY, "1"),
    "google_play": (SECRETS["google_play"], "r-1"),
    "youtube": (BY_PERSON, "T1"),
    "google_business": (BY_PERSON, "accounts/1/locations/2/reviews/3"),
    "reddit": (REDDIT, "t1_c1"),
    "disqus": (DISQUS, "1"),
}
COMMENT_AT_LEMMY = {"id": 1, "post_id": 2, "ap_id": "https://l.example/comment/2", "published": "2026-11-20T12:00:00Z"}
TAKEN: dict[str, list[Any]] = {
    "lemmy": [{"comment_view": {"comment": COMMENT_AT_LEMMY}, "comment": {"comment": COMMENT_AT_LEMMY}}],
    "app_store": [
        {"data": {"id": "r", "attributes": {"responseBody": "words", "lastModifiedDate": "2026-11-20T12:00:00Z"}}}
    ],
    "google_play": [{"result": {"replyText": "words", "lastEdited": {"seconds": "1795176000"}}}],
    "youtube": [
        {"id": "T1.R", "snippet": {"parentId": "T1", "textDisplay": "words", "publishedAt": "2026-11-20T12:00:00Z"}}
    ],
    "google_business": [{"comment": "words", "updateTime": "2026-11-20T12:00:00Z"}],
    "reddit": [
        {
            "json": {
                "errors": [],
                "data": {"things": [{"kind": "t1", "data": {"name": "t1_x", "created_utc": 1795176000}}]},
            }
        },
        {"json": {"errors": [["RATELIMIT", "break for 9 minutes", "x"]]}},
    ],
    "disqus": [
        {"code": 0, "response": {"id": "2", "thread": "1", "message": "words", "createdAt": "2026-11-20T12:00:00"}}
    ],
}


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize("type_", WRITERS)
async def test_a_strange_answer_to_a_writer_is_an_outcome_or_a_channel_error(type_: str, tmp_path: Path) -> None:
    chance = random.Random(type_)
    secrets, to = WRITERS[type_]
    shown: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if "token" in request.url.path:
            return httpx.Response(200, json={"access_token": "t"})
        return httpx.Response(chance.choice([200, 200, 200, 201, 400, 403]), content=_as_json(chance.choice(shown)))

    http = HttpClient().through(httpx.MockTransport(answer))
    channel: Any = catalog.open_channel(type_, SETTINGS[type_], secrets, http, data_dir=tmp_path)
    reply, post = OutgoingReply(text="words", token="t", in_reply_to=to, author_handle="jo"), Post(to)
    found = [orjson.loads(file.read_bytes()) for file in PAYLOADS.glob(f"{type_}/[!h]*.in.json")]
    asks: list[Callable[[], Awaitable[Any]]] = [
        lambda: channel.reply_publicly(reply),
        lambda: channel.find_reply(reply, private=False, since=NOON),
        channel.account,
    ]
    asks += [
        partial(getattr(channel, name), post) for name in ("hide", "unhide", "delete_reply") if hasattr(channel, name)
    ]
    told: list[Any] = []
    for _ in range(TIMES):
        shown[:] = [_with_something_strange(chance.choice([*found, *TAKEN[type_]]), chance) for _ in range(5)]
        shown += TAKEN[type_] * 3
        for ask in asks:
            try:
                told.append(await ask())
            except ChannelError as failed:
                told.append(failed)
    assert all(one.external_id and len(one.external_id) < 1_024 for one in told if isinstance(one, Sent))
    assert any(isinstance(one, Sent) for one in told)
    assert any(isinstance(one, ChannelError) for one in told)


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize("type_", WRITERS)
@pytest.mark.parametrize("body", [b"", b'{"half', b"<html></html>", b"[]", b"null", b"{}", b'{"json": 1, "data": 2}'])
async def test_what_was_taken_with_an_answer_that_nobody_can_read_is_not_sent_again(
    type_: str, body: bytes, tmp_path: Path
) -> None:
    secrets, to = WRITERS[type_]

    def answer(request: httpx.Request) -> httpx.Response:
        if "token" in request.url.path:
            return httpx.Response(200, json={"access_token": "t"})
        if request.method == "GET":
            return httpx.Response(200, json={"comment": {"comment": {"id": 1, "post_id": 2}}})
        return httpx.Response(200, content=body)

    http = HttpClient().through(httpx.MockTransport(answer))
    channel: Any = catalog.open_channel(type_, SETTINGS[type_], secrets, http, data_dir=tmp_path)
    try:
        sent = await channel.reply_publicly(OutgoingReply(text="words", token="t", in_reply_to=to))
    except OutcomeUnknown:
        return
    assert isinstance(sent, Sent)
    assert channel.reply_rules.public.overwrites, "there can be one answer only, and it was taken"
