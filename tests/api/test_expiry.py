"""What a venue lets us keep and show: published with its type, and words that may be kept no longer are taken away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy import text

from services.api import housekeeping
from shared.kit import clock, ids
from shared.kit.settings import Settings
from shared.models.channel import Channel
from shared.models.display_rules import DisplayRules
from shared.models.event import WebhookEndpoint
from shared.sequencer import sequence
from shared.store import channel as channels
from shared.store import expiry, tombstones
from tests.api.graphql.asking import asked
from tests.api.world import VENUE, World
from tests.builders import an_item, taken

RULES = DisplayRules(attribution="Powered by Lent", store_days=30, excerpt_only=True, recheck_days=1)
LONG_AGO, LATELY = timedelta(days=30, minutes=1), timedelta(days=29, hours=23)
SAID = "Outage at the Kerkstraat!"


@pytest.fixture(autouse=True)
async def _published(settings: Settings, world: World) -> None:
    connection = await asyncpg.connect(settings.database_url)
    kept = {**VENUE, "type": "kept", "display_rules": DisplayRules().model_dump(mode="json")}
    lent = {**VENUE, "type": "lent", "title": "Lent", "display_rules": RULES.model_dump(mode="json")}
    await channels.publish_types(connection, [kept, lent])
    await connection.close()


@asynccontextmanager
async def ago(monkeypatch: pytest.MonkeyPatch, age: timedelta) -> AsyncIterator[None]:
    """As if it were so long ago."""
    then = clock.now() - age
    with monkeypatch.context() as earlier:
        earlier.setattr(clock, "now", lambda: then)
        yield


async def an_old_conversation(world: World, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> tuple[UUID, UUID]:
    """(conversation, mention) of a month ago: with a title, media, a payload, and what it said before an edit."""
    async with ago(monkeypatch, LONG_AGO):
        conversation_id, mention_id = await world.a_conversation(channel, said=SAID)
        async with world.database.write(world.workspace_id) as session:
            await session.execute(
                text(
                    "UPDATE mention SET title = :t, raw = 'x', media = '[{\"url\": \"https://x.example/1.png\"}]' WHERE id = :m"
                ),
                {"t": SAID, "m": mention_id},
            )
            await session.execute(
                text(
                    "INSERT INTO mention_revision (workspace_id, id, mention_id, title, text, seen_at) "
                    "VALUES (:w, :id, :m, :t, :t, now())"
                ),
                {"w": world.workspace_id, "id": ids.new_id(), "m": mention_id, "t": SAID},
            )
    return conversation_id, mention_id


async def counted(world: World) -> Any:
    """What figures say of the mentions."""
    since = (clock.now() - timedelta(days=60)).isoformat().replace("+", "%2B")
    volume = await world.get(f"/v1/metrics/volume?from={since}")
    sentiment = await world.get(f"/v1/metrics/sentiment?from={since}")
    listed = [one["id"] for one in (await world.get("/v1/mentions?issue=outage&sentiment=negative"))["data"]]
    return volume["data"], sentiment["data"], listed


async def test_the_rules_are_published_with_the_type_and_shown_with_a_mention(world: World) -> None:
    shown = RULES.model_dump(mode="json")
    assert (await world.get("/v1/channel-types/lent"))["display_rules"] == shown
    listed = {one["type"]: one["display_rules"] for one in (await world.get("/v1/channel-types"))["data"]}
    assert (listed["lent"], listed["kept"]) == (shown, DisplayRules().model_dump(mode="json"))
    mention_id = await world.a_mention(await world.a_channel(type="lent"))
    query = "query ($id: ID!) { mention(id: $id) { channelType venue { title displayRules } } }"
    assert (await asked(world, query, {"id": str(mention_id)}))["mention"] == {
        "channelType": "lent", "venue": {"title": "Lent", "displayRules": shown},
    }  # fmt: skip


async def test_words_go_when_their_term_is_over_and_what_is_counted_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lent, kept = await world.a_channel(type="lent"), await world.a_channel(type="kept")
    conversation_id, old = await an_old_conversation(world, lent, monkeypatch)
    _, elsewhere = await an_old_conversation(world, kept, monkeypatch)
    async with ago(monkeypatch, LATELY):
        _, fresh = await world.a_conversation(lent, said=SAID)
    untouched = {one: await world.get(f"/v1/mentions/{one}") for one in (elsewhere, fresh)}
    before, as_it_was = await counted(world), await world.get(f"/v1/mentions/{old}")
    assert len((await world.get("/v1/mentions?q=Kerkstraat"))["data"]) == 3
    began = clock.now()

    await housekeeping.blank_expired(world.database)

    shown = await world.get(f"/v1/mentions/{old}")
    assert (shown["title"], shown["text"], shown["media"], shown["findings"]) == (None, "", None, {})
    assert shown["expired_at"] is not None
    assert clock.now() >= began
    changed = {"title", "text", "media", "findings", "expired_at"}
    assert {name: value for name, value in shown.items() if name not in changed} == {
        name: value for name, value in as_it_was.items() if name not in changed
    }
    assert "Kerkstraat" not in str(await world.get(f"/v1/conversations/{conversation_id}"))
    async with world.database.read(world.workspace_id) as connection:
        assert await connection.fetchval("SELECT raw FROM mention WHERE id = $1", old) is None
        said = await connection.fetch("SELECT mention_id, text FROM mention_revision")
    assert {row["mention_id"]: row["text"] for row in said} == {old: "", elsewhere: SAID}
    for mention_id, expected in untouched.items():
        assert await world.get(f"/v1/mentions/{mention_id}") == expected
    assert await counted(world) == before
    found = {one["id"] for one in (await world.get("/v1/mentions?q=Kerkstraat"))["data"]}
    assert found == {str(elsewhere), str(fresh)}

    await housekeeping.blank_expired(world.database)
    assert (await world.get(f"/v1/mentions/{old}"))["expired_at"] == shown["expired_at"], "done once"


async def test_it_is_done_a_few_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = await world.a_channel(type="lent")
    async with ago(monkeypatch, LONG_AGO):
        old = [await world.a_mention(channel) for _ in range(5)]
    fresh = await world.a_mention(channel)
    monkeypatch.setattr(housekeeping, "_EXPIRE", 2)
    blank, batches = expiry.blank, []

    async def counting(*given: Any) -> int:
        batches.append(await blank(*given))
        return batches[-1]

    monkeypatch.setattr(expiry, "blank", counting)
    await housekeeping.blank_expired(world.database)
    assert [taken_up for taken_up in batches if taken_up] == [2, 2, 1]
    for mention_id in old:
        assert (await world.get(f"/v1/mentions/{mention_id}"))["text"] == ""
    assert (await world.get(f"/v1/mentions/{fresh}"))["expired_at"] is None


async def test_a_late_edit_does_not_bring_back_what_may_not_be_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await world.a_channel(type="lent")
    async with ago(monkeypatch, LONG_AGO):
        await taken(world.database, world.workspace_id, channel, an_item("p1", SAID))
    await housekeeping.blank_expired(world.database)
    edit = an_item("p1", f"{SAID} Edited.", edited_at=clock.now())
    again = await taken(world.database, world.workspace_id, channel, edit, an_item("p2", SAID))
    assert (again.updated, again.stored, again.duplicate) == (0, 1, 1)
    await housekeeping.blank_expired(world.database)
    texts = {one["external_id"]: one["text"] for one in (await world.get("/v1/mentions"))["data"]}
    assert texts == {"p1": "", "p2": SAID}


async def test_a_type_that_sets_a_term_later_reaches_what_is_there(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = f"t{ids.new_id().hex[-8:]}"
    connection = await asyncpg.connect(settings.database_url)
    await channels.publish_types(connection, [{**VENUE, "type": kind, "display_rules": {}}])
    channel = await world.a_channel(type=kind, status="paused")
    async with ago(monkeypatch, LONG_AGO):
        mention_id = await world.a_mention(channel)
    await housekeeping.blank_expired(world.database)
    assert (await world.get(f"/v1/mentions/{mention_id}"))["text"] != ""
    await channels.publish_types(connection, [{**VENUE, "type": kind, "display_rules": {"store_days": 30}}])
    await connection.close()
    await housekeeping.blank_expired(world.database)
    assert (await world.get(f"/v1/mentions/{mention_id}"))["text"] == ""


MARKER = "Zwiebelturm"
_TEXTS = """
    SELECT c.table_name, c.column_name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
      AND (c.data_type IN ('text', 'character varying', 'jsonb', 'bytea', 'ARRAY', 'tsvector'))
"""


async def places_of(settings: Settings, word: str) -> set[str]:
    """Every column of every table in which the word stands, as "table.column"; partitions too."""
    connection = await asyncpg.connect(settings.database_url)
    found = set()
    for row in await connection.fetch(_TEXTS):
        table, column = row["table_name"], row["column_name"]
        sql = f'SELECT EXISTS (SELECT FROM "{table}" t WHERE strpos(lower({{}}), lower($1)) > 0)'
        shown = f"encode(t.\"{column}\", 'escape')" if (table, column) in BYTES else f't."{column}"::text'
        if await connection.fetchval(sql.format(shown), word):
            found.add(f"{table.partition('_p')[0] if table.startswith(PARTITIONED) else table}.{column}")
    await connection.close()
    return found


PARTITIONED = ("mention_p", "event_p", "assessment_p", "mention_default", "event_default", "assessment_default")
BYTES = {("mention", "raw"), ("report", "page"), ("idempotency_record", "body"), ("mention_default", "raw")}


async def _with_all_that_tells_of_it(world: World, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A mention that stands everywhere: told, delivered, corrected, cited."""
    said = f"Outage in the {MARKER}, again!"
    endpoint = WebhookEndpoint(
        workspace_id=world.workspace_id, id=ids.new_id(), url="https://crm.example/hook", event_types=["*"], secret=b"sealed"
    )  # fmt: skip
    async with world.database.write(world.workspace_id) as session:
        session.add(endpoint)
    async with ago(monkeypatch, LONG_AGO):
        _, mention_id = await world.a_conversation(channel, said=said)
        async with world.database.write(world.workspace_id) as session:
            await session.execute(
                text("UPDATE mention SET title = :t, raw = :raw WHERE id = :m"),
                {"t": said, "raw": said.encode(), "m": mention_id},
            )
    why = {
        "sentiment": {"value": "negative", "confidence": 0.9, "why": f"'{MARKER}'", "decided_by": "x", "version": "1"}
    }
    entities = [{"value": MARKER, "type": "PLACE", "text": MARKER, "start": 14, "end": 25}]
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text("UPDATE assessment SET findings = CAST(:f AS jsonb) WHERE mention_id = :m"),
            {"f": orjson.dumps({**why, "entities": entities}).decode(), "m": mention_id},
        )
    for finding, value in (("sentiment", "neutral"), ("issues", ["outage"])):
        given = {"finding": finding, "value": value}
        corrected = await world.call("POST", f"/v1/mentions/{mention_id}/corrections", given)
        assert corrected.is_success, corrected.text
    while await sequence(world.database, world.workspace_id):
        pass
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text(
                "INSERT INTO delivery_attempt (workspace_id, id, delivery_id, n, at, status, latency_ms, excerpt) "
                "SELECT :w, uuidv7(), d.id, 1, now(), 200, 1, :said FROM delivery d JOIN event e ON e.id = d.event_id "
                "WHERE d.endpoint_id = :e AND strpos(e.data::text, :word) > 0"
            ),
            {"w": world.workspace_id, "said": f"Thanks for {said}", "e": endpoint.id, "word": MARKER},
        )
        await session.execute(
            text(
                "INSERT INTO report (workspace_id, id, created_at, updated_at, week, figures, page, data_hash, rendered_at) "
                "SELECT :w, uuidv7(), now(), now(), to_char(published_at, 'IYYY\"-W\"IW'), "
                "json_build_object('samples', json_build_array(json_build_object('mention_id', id, 'text', text))), "
                "CAST(text AS text)::bytea, 'x', now() FROM mention WHERE id = :m"
            ),
            {"w": world.workspace_id, "m": mention_id},
        )
    return mention_id


@pytest.mark.parametrize("how", ["its term is over", "its author is gone"])
async def test_no_table_holds_words_that_must_be_gone(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    channel = await world.a_channel(type="lent")
    mention_id = await _with_all_that_tells_of_it(world, channel, monkeypatch)
    before = await places_of(settings, MARKER)
    assert before >= {
        "mention.text", "mention.title", "mention.raw", "assessment.findings", "event.data", "delivery_attempt.excerpt",
        "correction.old", "conversation.subject", "report.figures", "report.page",
    }, before  # fmt: skip
    feed = await world.get("/v1/events?limit=100")
    if how == "its term is over":
        await housekeeping.blank_expired(world.database)
    else:
        async with world.database.write(world.workspace_id) as session:
            author_id = await session.scalar(text("SELECT author_id FROM mention WHERE id = :m"), {"m": mention_id})
            await tombstones.blank(session, world.workspace_id, author_id, clock.now(), 10)
    assert await places_of(settings, MARKER) == set()
    after = await world.get("/v1/events?limit=100")
    assert [(one["id"], one["type"], one["subject"]) for one in after["data"]] == [
        (one["id"], one["type"], one["subject"]) for one in feed["data"]
    ], "what happened stays told, in its place"
    corrected = [one["data"] for one in after["data"] if one["type"] == "mention.corrected"]
    assert [(one["text"], one["detail"]["value"]) for one in corrected] == [("", "neutral"), ("", ["outage"])]
    kept = (await world.get(f"/v1/mentions/{mention_id}/corrections"))["data"]
    assert [one["new"] for one in reversed(kept)] == [{"value": "neutral"}, [{"value": "outage"}]], "what a person said"
