"""Figures, the ledger, the feed, the day's issues: what they count, and that they count it right."""

from datetime import timedelta

from shared.kit import clock
from shared.models.workspace import Role
from shared.sequencer import sequence
from tests.api.world import World


async def test_volume_by_day_has_every_day_and_by_dimension_each_value(world: World) -> None:
    one, two = await world.a_channel(name="Forum"), await world.a_channel(name="Reviews")
    now = clock.now()
    for channel, age in ((one, 0), (one, 1), (one, 1), (two, 3)):
        at = (now - timedelta(days=age, minutes=1)).isoformat()
        await world.a_mention(channel, published_at=at, author={"external_id": f"same{age}", "handle": "x"})
    since = (now - timedelta(days=4)).isoformat().replace("+00:00", "Z")
    days = (await world.get(f"/v1/metrics/volume?from={since}"))["data"]
    assert len(days) == 5
    assert all(day["key"] is None for day in days)
    assert sum(day["count"] for day in days) == 4
    assert [day["count"] for day in days].count(0) == 2
    two_of_one = next(day for day in days if day["count"] == 2)
    assert (two_of_one["authors"], two_of_one["originals"]) == (1, 2)
    assert all(day["at"].endswith("23:00:00.000Z") or day["at"].endswith("22:00:00.000Z") for day in days)
    by = (await world.get(f"/v1/metrics/volume?from={since}&group=none&by=channel"))["data"]
    assert {row["key"]: row["count"] for row in by} == {"Forum": 3, "Reviews": 1}
    only = (await world.get(f"/v1/metrics/volume?from={since}&group=none&channel=forum"))["data"]
    assert [row["count"] for row in only] == [3]
    for query in ("group=year", "by=weather", "weather=fine", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
                  "from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z"):  # fmt: skip
        assert (await world.call("GET", f"/v1/metrics/volume?{query}")).status_code == 422, query


async def test_sentiment_and_share_of_voice(world: World) -> None:
    brand = await world.post("/v1/brands", {"name": "Northwind"})
    other = await world.post("/v1/brands", {"name": "Southwind"})
    _, first = await world.a_conversation()
    _, second = await world.a_conversation()
    async with world.database.read(world.workspace_id) as connection:
        await connection.execute(
            "UPDATE assessment SET brand_ids = ARRAY[$2::uuid, $3::uuid] WHERE mention_id = $1",
            first,
            brand["id"],
            other["id"],
        )
        await connection.execute(
            "UPDATE assessment SET brand_ids = ARRAY[$2::uuid] WHERE mention_id = $1", second, brand["id"]
        )
    await world.post(f"/v1/mentions/{second}/corrections", {"finding": "sentiment", "value": "positive"})
    mood = (await world.get("/v1/metrics/sentiment?group=none"))["data"]
    assert mood == [{**mood[0], "positive": 1, "negative": 1, "neutral": 0, "unknown": 0, "score": 0.2}]
    voice = (await world.get("/v1/metrics/share-of-voice?group=none"))["data"]
    assert {row["key"]: (row["count"], row["share"]) for row in voice} == {
        "Northwind": (2, 0.666667), "Southwind": (1, 0.333333),
    }  # fmt: skip
    by = (await world.get("/v1/metrics/sentiment?group=none&by=brand&brand=southwind"))["data"]
    assert [(row["key"], row["negative"]) for row in by if row["key"] == "Southwind"] == [("Southwind", 1)]


async def test_promises_are_counted_by_metric(world: World) -> None:
    late, _ = await world.a_conversation(at=clock.now() - timedelta(hours=30))
    fine, _ = await world.a_conversation()
    for conversation in (late, fine):
        await world.post(f"/v1/conversations/{conversation}/resolve", status=200)
    figures = {row["metric"]: row for row in (await world.get("/v1/metrics/sla?group=none"))["data"]}
    assert figures["resolution"]["met"] + figures["resolution"]["breached"] == 2
    assert figures["first_response"]["running"] + figures["first_response"]["breached"] == 2
    split = (await world.get("/v1/metrics/sla?group=none&by=channel_type"))["data"]
    assert {row["key"] for row in split} == {"venue"}


async def test_the_ledger_balances_and_narrows(world: World) -> None:
    channel = await world.a_channel(name="Counted")
    await world.a_mention(channel)
    await world.a_mention(channel)
    hours = (await world.get("/v1/ledger?channel=counted"))["data"]
    assert sum(hour["received"] for hour in hours) == sum(hour["stored"] for hour in hours) == 2
    assert (await world.get("/v1/ledger?to=2001-01-01T00:00:00Z"))["data"] == []


async def test_the_feed_goes_on_where_it_ended(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    await world.post(f"/v1/conversations/{conversation_id}/resolve", status=200)
    while await sequence(world.database, world.workspace_id, 500):
        pass
    everything = (await world.get("/v1/events?limit=500"))["data"]
    types = [one["type"] for one in everything]
    assert {"mention.received", "conversation.opened", "conversation.resolved"} <= set(types)
    seen, after = [], "0"
    while True:
        page = await world.get(f"/v1/events?limit=2&after={after}")
        seen += page["data"]
        after = page["page"]["next_cursor"]
        if not page["page"]["has_more"]:
            break
    assert seen == everything
    assert (await world.get(f"/v1/events?after={after}"))["data"] == []
    some = (await world.get("/v1/events?type=sla.*,conversation.opened&limit=500"))["data"]
    assert {one["type"].partition(".")[0] for one in some} == {"sla", "conversation"}
    timeline = (await world.get(f"/v1/conversations/{conversation_id}/timeline"))["data"]
    assert [one["sequence"] for one in timeline] == list(range(1, len(timeline) + 1))
    assert timeline[0]["type"] == "conversation.opened"
    for query in ("after=x", "limit=0", "limit=501", "kind=x"):
        assert (await world.call("GET", f"/v1/events?{query}")).status_code == 422
    async with world.database.read(world.workspace_id) as connection:
        await connection.execute("DELETE FROM event WHERE position <= 2")
    gone = await world.call("GET", "/v1/events?after=0")
    assert (gone.status_code, gone.json()["code"]) == (410, "position_expired")


async def test_the_days_issues_with_words_that_stand_in_what_they_cite(world: World) -> None:
    for said in ("No signal in Utrecht at all", "Again no signal in our street", "there is no signal, fix it!"):
        await world.a_conversation(said=said)
    daily = await world.get("/v1/issues/daily", role=Role.ANALYST)
    (issue,) = daily["data"]
    assert (issue["issue"], issue["rank"], issue["count"]) == ("outage", 1, 3)
    assert issue["phrases"]
    assert issue["samples"]
    texts = {one["id"]: one["text"] for one in (await world.get("/v1/mentions"))["data"]}
    for phrase in issue["phrases"]:
        assert phrase["count"] == len(phrase["mention_ids"])
        assert all(phrase["text"] in texts[key] for key in phrase["mention_ids"])
    words = await world.get("/v1/issues/outage/words")
    assert words["count"] == 3
    assert '"' in words["query"]
    sample = await world.get("/v1/issues/outage/sample?size=2")
    assert len(sample["data"]) == 2
    assert sample["data"][0]["text"] in texts.values()
    assert (await world.call("GET", "/v1/issues/no.such/words")).status_code == 404
    assert (await world.get("/v1/issues/daily?day=2020-01-01"))["data"] == []
    assert (await world.call("GET", "/v1/issues/daily?day=today")).status_code == 422
