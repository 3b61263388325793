"""X's filtered stream: the rules that say what it tells, and the posts that it tells."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from services.ingest.channel import ChannelBroken, Cursor, Page, TryLater, reading
from services.ingest.networks.json_api import Fields, expect_json, parsed
from services.ingest.networks.x_api import POST_READ, Api, refuse_unpaid
from services.ingest.networks.x_posts import Gathered
from shared.kit import clock
from shared.kit.http import LongAnswer

PAGE_S = 2.0
HEARD = 1_000
RULES = "/2/tweets/search/stream/rules"


async def keep_rules(api: Api, queries: Sequence[str], whose: str) -> None:
    """Makes the rules of this channel, known by their tag, those that are wanted; other channels of the app keep theirs."""
    tag = f"webcare-{hashlib.blake2b(whose.lower().encode(), digest_size=4).hexdigest()}"
    _, told = await api.read(RULES)
    rules = [rule for rule in Fields(told, "rules", {}).each("data") if rule.text("tag") == tag]
    there = {rule.text("value"): rule.text("id") for rule in rules}
    if old := [one for value, one in there.items() if value not in queries and one]:
        await _change(api, {"delete": {"ids": old}})
    if new := [query for query in dict.fromkeys(queries) if query not in there]:
        await _change(api, {"add": [{"value": query, "tag": tag} for query in new]})


async def _change(api: Api, asked: dict[str, object]) -> None:
    with reading(api.what):
        answer = await api.call("POST", RULES, json=asked)
    refuse_unpaid(answer)
    if answer.status == 400:
        raise ChannelBroken("X does not understand a query as a rule of its stream. Check the queries.")
    summary = Fields(expect_json(answer, api.what).get("meta"), "meta", {}).inside("summary")
    if summary.count("invalid"):
        raise ChannelBroken("X does not understand a query as a rule of its stream. Check the queries.")


async def heard(answer: LongAnswer, cursor: Cursor, ours: frozenset[str]) -> AsyncIterator[Page]:
    """Pages as posts come; `ours` are our accounts. Raises TryLater where X ends the stream."""
    held: list[str] = list(cursor.get("heard") or ())
    gathered, due = Gathered(ours), clock.now() + timedelta(seconds=PAGE_S)
    async for line in answer.lines():
        try:
            told = parsed(line)
        except ValueError:
            gathered.drift["stream"] = None
            continue
        if isinstance(told, dict) and told.get("errors") and "data" not in told:
            raise TryLater("X ends the stream.", timedelta(seconds=20))
        now = clock.now()
        if isinstance(told, dict) and isinstance(told.get("data"), dict):
            gathered.take([told["data"]], told.get("includes"), now)
        if gathered.ids or now >= due:
            held = list(dict.fromkeys([*held, *(one.external_id for one in gathered.mentions)]))[-HEARD:]
            yield gathered.page({**cursor, "heard": held}, cost=POST_READ * len(gathered.ids))
            gathered, due = Gathered(ours), now + timedelta(seconds=PAGE_S)
    raise TryLater("X ended the stream.", timedelta(seconds=5))
