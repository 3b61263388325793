"""Mentions over REST: listed, searched, filtered, paged, corrected."""

from typing import Any

import pytest

from shared.kit import ids
from shared.models.workspace import Role
from tests.api.world import World


async def test_before_and_after_triage(world: World) -> None:
    raw = await world.a_mention(said="nobody looked yet")
    shown = await world.get(f"/v1/mentions/{raw}")
    assert shown["disposition"] is None
    assert shown["findings"] is None
    assert shown["text"] == "nobody looked yet"
    conversation_id, mention_id = await world.a_conversation()
    shown = await world.get(f"/v1/mentions/{mention_id}")
    assert shown["disposition"] == "engage"
    assert shown["conversation_id"] == str(conversation_id)
    assert shown["findings"]["sentiment"]["value"] == "negative"
    listed = (await world.get("/v1/mentions"))["data"]
    assert "findings" not in listed[0]
    assert listed[0]["sentiment"] == "negative"
    assert "raw" not in shown


async def test_filters_narrow(world: World) -> None:
    channel = await world.a_channel(name="Own Forum")
    _, outage = await world.a_conversation(channel, said="Total outage in Utrecht", lang="en")
    _, bill = await world.a_conversation(said="My invoice is wrong", lang="nl")
    raw = await world.a_mention(said="something else")

    async def found(query: str) -> set[str]:
        return {one["id"] for one in (await world.get(f"/v1/mentions?{query}"))["data"]}

    assert await found("q=outage utrecht") == {str(outage)}
    assert await found("q=outage -utrecht") == set()
    assert await found("lang=nl") == {str(bill)}
    assert await found("disposition=engage") == {str(outage), str(bill)}
    assert await found("issue=outage&lang=en") == {str(outage)}
    assert await found(f"channel={channel.id}") == await found("channel=own forum") == {str(outage)}
    assert str(raw) in await found("channel_type=venue")
    author = (await world.get(f"/v1/mentions/{outage}"))["author"]
    assert await found(f"author={author['id']}") == await found(f"author=@{author['handle'].upper()}") == {str(outage)}
    assert await found("to=2001-01-01T00:00:00Z") == set()


async def test_pages_show_each_once_while_others_come_in(world: World) -> None:
    made = [await world.a_mention(said=f"number {n}") for n in range(7)]
    seen: list[str] = []
    url: str | None = "/v1/mentions?limit=3"
    while url:
        answer = await world.call("GET", url)
        page = answer.json()
        seen += [one["id"] for one in page["data"]]
        assert page["page"]["has_more"] == (page["page"]["next_cursor"] is not None) == ("link" in answer.headers)
        link = answer.headers.get("link")
        url = link.partition(">")[0][1:] if link else None
        if len(seen) == 3:
            await world.a_mention(said="a late one")
    assert seen == [str(one) for one in reversed(made)]
    cursor = (await world.get("/v1/mentions?limit=3"))["page"]["next_cursor"]
    other = await world.call("GET", f"/v1/mentions?limit=3&order=id&cursor={cursor}")
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("finding", "value", "flat"),
    [
        ("sentiment", "positive", {"sentiment": "positive", "sentiment_score": 1.0}),
        ("language", "nl", {"lang": "nl"}),
        ("intent", "question", {"intent": "question"}),
        ("urgency", None, {"urgency": None}),
        ("priority", "urgent", {"priority": "urgent"}),
        ("spam", True, {"disposition": "dismissed", "dismissed_because": "spam"}),
        ("relevance", False, {"disposition": "dismissed", "dismissed_because": "not about the brand"}),
        ("issues", ["outage", "billing"], {"issue_keys": ["outage", "billing"]}),
        ("issues", [], {"issue_keys": []}),
    ],
)
async def test_a_correction_stands_above_what_was_found(
    world: World, finding: str, value: Any, flat: dict[str, Any]
) -> None:
    await world.call("POST", "/v1/issue-types", {"key": "billing", "name": "Billing"})
    _, mention_id = await world.a_conversation()
    body = {"finding": finding, "value": value, "note": "I asked them"}
    shown = await world.post(f"/v1/mentions/{mention_id}/corrections", body, role=Role.AGENT)
    for name, expected in flat.items():
        assert shown[name] == expected, name
    found = shown["findings"][finding]
    if finding == "issues":
        assert [one["value"] for one in found] == value
        assert all(0 <= one["start"] < one["end"] <= len(shown["text"]) for one in found)
        if value:
            assert found[0]["decided_by"] == "issues"
            assert found[1]["decided_by"].startswith("agent:")
    else:
        assert found["value"] == value
        assert found["confidence"] == 1.0
        assert found["decided_by"].startswith("agent:")
        assert "I asked them" in found["why"]
    (kept,) = (await world.get(f"/v1/mentions/{mention_id}/corrections"))["data"]
    assert kept["finding"] == finding
    assert kept["note"] == "I asked them"
    (told,) = await world.events("mention.corrected")
    assert told["subject_id"] == mention_id
    assert told["conversation_id"] is not None


async def test_what_cannot_be_corrected(world: World) -> None:
    raw = await world.a_mention()
    early = await world.call("POST", f"/v1/mentions/{raw}/corrections", {"finding": "spam", "value": True})
    assert (early.status_code, early.json()["code"]) == (409, "not_triaged")
    absent = await world.call("POST", f"/v1/mentions/{ids.new_id()}/corrections", {"finding": "spam", "value": True})
    assert absent.status_code == 404
    _, mention_id = await world.a_conversation()
    for body in (
        {"finding": "mood", "value": 1},
        {"finding": "sentiment"},
        {"finding": "sentiment", "value": "sad"},
        {"finding": "sentiment", "value": ["negative"]},
        {"finding": "spam", "value": "yes"},
        {"finding": "issues", "value": ["no.such.issue"]},
        {"finding": "issues", "value": "outage"},
        {"finding": "language", "value": "Dutch"},
        {"finding": "spam", "value": True, "extra": 1},
    ):
        answer = await world.call("POST", f"/v1/mentions/{mention_id}/corrections", body)
        assert answer.status_code == 422, (body, answer.text)
    assert not await world.events("mention.corrected")
