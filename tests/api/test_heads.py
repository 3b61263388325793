"""Heads by API: one version answers each question, one can go back, and the least sure mentions are proposed for correction."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import text

from services.api.app import create_app
from services.triage.words.heads import Head as TrainedHead
from services.triage.words.shipped import shipped_heads
from shared.kit.settings import Settings
from shared.models.head import Head, Question
from shared.models.head_format import VECTORISER, vectoriser_of
from shared.models.workspace import Role
from shared.store import assessment, heads
from tests.api.world import World, a_world, publish_channel_types


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    await publish_channel_types(settings.database_url)
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api.test") as client,
    ):
        yield await a_world(app.state.database, client)


def weights_of(version: int, vectoriser: str = VECTORISER) -> bytes:
    """What a head says of itself before its weights, and something in their place."""
    said = json.dumps(
        {"about": {"question": "intent"}, "vectoriser": vectoriser, "version": "é"}, ensure_ascii=False
    ).encode()
    return b"WCH1" + len(said).to_bytes(4, "little") + said + bytes([version])


async def a_head(
    world: World, version: int, question: str = "intent", state: str = "kept", weights: bytes | None = None
) -> UUID:
    head = Head(
        workspace_id=world.workspace_id, question=question, version=version, state=state, learned_from=80, held_out=20,
        figures={"corrected": {"ours": 0.7, "before": 0.5}}, because="Better.", actor="x",
        weights=weights or weights_of(version),
    )  # fmt: skip
    async with world.database.write(world.workspace_id) as session:
        session.add(head)
    return head.id


async def in_force(world: World) -> dict[str, bytes]:
    async with world.database.read(world.workspace_id) as connection:
        return {row["question"]: row["weights"][-1:] for row in await heads.weights_in_force(connection)}


async def briefed(world: World) -> str:
    async with world.database.read(world.workspace_id) as connection:
        return await assessment.briefing_version(connection)


async def find(world: World, mention_id: UUID, **findings: Any) -> None:
    """Have triage found this of a mention."""
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text("UPDATE assessment SET findings = CAST(:f AS jsonb) WHERE mention_id = :m"),
            {"f": orjson.dumps(findings).decode(), "m": mention_id},
        )


async def test_one_version_answers_and_one_can_go_back(world: World) -> None:
    first, second, other = await a_head(world, 1), await a_head(world, 2), await a_head(world, 1, "urgency")
    nobody = await briefed(world)
    await world.post(f"/v1/heads/{first}/promote", status=200)
    assert await in_force(world) == {"intent": b"\x01"}
    one = await briefed(world)
    assert one != nobody, "triage is told"
    shown = await world.post(f"/v1/heads/{second}/promote", status=200)
    assert (shown["state"], shown["figures"]["corrected"]["ours"]) == ("active", 0.7)
    assert "weights" not in shown
    await world.post(f"/v1/heads/{other}/promote", status=200)
    assert await in_force(world) == {"intent": b"\x02", "urgency": b"\x01"}
    await world.post(f"/v1/heads/{first}/promote", status=200)  # back
    assert await in_force(world) == {"intent": b"\x01", "urgency": b"\x01"}
    active = await world.get("/v1/heads?state=active&question=intent")
    assert [row["id"] for row in active["data"]] == [str(first)]
    await world.post(f"/v1/heads/{first}/retire", status=200)
    assert await in_force(world) == {"urgency": b"\x01"}


async def shown_at_both_doors(world: World, head_id: UUID) -> tuple[bool, str | None]:
    """Whether a head answers and why not: as REST, its list and GraphQL say alike."""
    one = await world.get(f"/v1/heads/{head_id}")
    listed = next(row for row in (await world.get("/v1/heads"))["data"] if row["id"] == str(head_id))
    query = "query($id: ID!) { head(id: $id) { inForce whyNot } }"
    answer = await world.call("POST", "/graphql", {"query": query, "variables": {"id": str(head_id)}})
    other = answer.json()["data"]["head"]
    told = (one["in_force"], one["why_not"])
    assert told == (listed["in_force"], listed["why_not"]) == (other["inForce"], other["whyNot"])
    return told


async def test_each_version_says_whether_it_answers_and_if_not_why(world: World) -> None:
    first, second, refused = await a_head(world, 1), await a_head(world, 2), await a_head(world, 3, state="refused")
    ships = "What the project ships answers. Have it answer all the same: webcare train back intent --to 1"
    assert await shown_at_both_doors(world, first) == (False, ships)
    await world.post(f"/v1/heads/{second}/promote", status=200)
    assert await shown_at_both_doors(world, second) == (True, None)
    another = "Version 2 answers. Have it answer all the same: webcare train back intent --to"
    assert await shown_at_both_doors(world, first) == (False, f"{another} 1")
    told = f"It was not better than what answered when it was made. {another} 3"
    assert await shown_at_both_doors(world, refused) == (False, told)


@pytest.mark.parametrize(
    ("weights", "made_for"), [(weights_of(1, "0"), "0"), (b"no head at all, but bytes", "unknown"), (b"x", "unknown")]
)
async def test_a_head_that_triage_cannot_use_says_so_and_what_to_do(
    world: World, weights: bytes, made_for: str
) -> None:
    active = await a_head(world, 1, state="active", weights=weights)
    kept = await a_head(world, 2, weights=weights)
    because = f"It cannot be used: it was made for vectoriser {made_for}, and triage reads by {VECTORISER}. "
    mend = "Make one that fits: webcare train refit intent"
    assert await shown_at_both_doors(world, active) == (False, f"{because}What the project ships answers. {mend}")
    assert await shown_at_both_doors(world, kept) == (False, because + mend)
    refused = await world.call("POST", f"/v1/heads/{kept}/promote")
    assert refused.status_code == 409
    assert "webcare train refit intent" in refused.json()["detail"]
    assert vectoriser_of(weights) == (None if made_for == "unknown" else made_for)


async def test_a_head_as_triage_stores_it_is_known_to_fit(world: World) -> None:
    """The doors read the same bytes that triage does: a shipped head, as it is."""
    shipped = next(iter(shipped_heads().values())).to_bytes()
    assert TrainedHead.from_bytes(shipped).to_bytes() == shipped
    head = await a_head(world, 1, state="active", weights=shipped)
    assert await shown_at_both_doors(world, head) == (True, None)


async def test_what_cannot_be_is_said(world: World) -> None:
    head = await a_head(world, 1)
    assert (await world.call("POST", f"/v1/heads/{head}/retire")).status_code == 409
    await world.post(f"/v1/heads/{head}/promote", status=200)
    again = await world.call("POST", f"/v1/heads/{head}/promote")
    assert again.status_code == 409
    assert "already" in again.json()["detail"]
    assert (await world.call("POST", f"/v1/heads/{head}/promote", role=Role.AGENT)).status_code == 403


async def test_the_least_sure_are_wanted_first_each_text_once(world: World) -> None:
    said = {
        "Where is my parcel?": 0.41, "It works, sort of.": 0.55, "Nice.": 0.9,
    }  # fmt: skip
    made = {}
    for words, sure in said.items():
        _, made[words] = await world.a_conversation(said=words)
        await find(world, made[words], intent={"value": "other", "confidence": sure, "why": "w"})
    _, copy = await world.a_conversation(said="Nice.")
    await find(world, copy, intent={"value": "praise", "confidence": 0.2, "why": "w"})
    _, silent = await world.a_conversation(said="Nothing was asked of this one.")
    await find(world, silent, sentiment={"value": "neutral", "confidence": 0.1, "why": "w"})

    wanted = (await world.get("/v1/corrections/wanted?finding=intent"))["data"]
    assert [(row["text"], row["confidence"]) for row in wanted] == [
        ("Nice.", 0.2), ("Where is my parcel?", 0.41), ("It works, sort of.", 0.55),
    ]  # fmt: skip
    await world.post(
        f"/v1/mentions/{made['Where is my parcel?']}/corrections", {"finding": "intent", "value": "question"}
    )
    wanted = (await world.get("/v1/corrections/wanted?finding=intent&size=1"))["data"]
    assert [row["mention_id"] for row in wanted] == [str(copy)]
    left = (await world.get("/v1/corrections/wanted?finding=intent"))["data"]
    assert str(made["Where is my parcel?"]) not in {row["mention_id"] for row in left}, "it was set right"
    assert (await world.get("/v1/corrections/wanted?finding=urgency"))["data"] == []


async def test_the_weakest_of_several_issues_counts(world: World) -> None:
    _, one = await world.a_conversation(said="Late and broken.")
    issues = [
        {"value": "late", "confidence": 0.9, "why": ""},
        {"value": "broken", "confidence": 0.3, "why": "'broken'"},
    ]
    await find(world, one, issues=issues)
    wanted = (await world.get("/v1/corrections/wanted?finding=issues"))["data"]
    assert [(row["value"], row["confidence"], row["why"]) for row in wanted] == [("broken", 0.3, "'broken'")]


@pytest.mark.parametrize("query", ["", "?finding=entities", "?finding=intent&size=0", "?finding=intent&size=101"])
async def test_a_wrong_wish_is_refused(world: World, query: str) -> None:
    assert (await world.call("GET", f"/v1/corrections/wanted{query}")).status_code == 422


async def test_lessons_are_the_last_words_of_people_and_what_they_let_stand(world: World) -> None:
    conversation, corrected = await world.a_conversation(said="Fix it or I am gone.")
    await find(world, corrected, intent={"value": "complaint", "confidence": 0.6, "why": ""})
    for value in ("question", "churn"):
        await world.post(f"/v1/mentions/{corrected}/corrections", {"finding": "intent", "value": value})
    settled, seen = await world.a_conversation(said="When do you open?")
    await find(world, seen, intent={"value": "question", "confidence": 0.6, "why": ""})
    await world.post(f"/v1/conversations/{settled}/resolve", status=200)
    await world.post(f"/v1/conversations/{conversation}/resolve", status=200)
    _, waiting = await world.a_conversation(said="Nobody looked at this.")
    await find(world, waiting, intent={"value": "other", "confidence": 0.6, "why": ""})
    async with world.database.read(world.workspace_id) as connection:
        learned = await heads.lessons(connection, Question.INTENT, 100)
        stood = await heads.let_stand(connection, Question.INTENT, 100)
    assert [(one.mention_id, one.said, one.corrected) for one in learned] == [(corrected, "churn", True)]
    assert [(one.mention_id, one.said, one.corrected) for one in stood] == [(seen, "question", False)]
