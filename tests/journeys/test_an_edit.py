"""A mention is set right by a person, and then edited by its author: what the person said stands, the rest is read anew."""

from typing import Any

import pytest

from shared.kit.settings import Settings
from tests.journeys.house import House, a_house, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

WAIT_S = 120.0


def _said(external_id: str, text: str, **more: Any) -> dict[str, Any]:
    return {
        "channel": "inbox", "external_id": external_id, "text": text, "published_at": "2026-11-20T10:00:00Z",
        "author": {"external_id": external_id}, **more,
    }  # fmt: skip


async def _triaged(house: House, count: int) -> dict[str, Any]:
    async def seen() -> dict[str, Any] | None:
        events = await house.feed(type="mention.triaged")
        mentions = await house.all_of("/v1/mentions")
        if len(events) != count:
            return None
        return {one["external_id"]: await house.get(f"/v1/mentions/{one['id']}") for one in mentions}

    found: dict[str, Any] = await wait_until(seen, WAIT_S)
    return found


async def test_a_persons_word_outlives_an_edit(settings: Settings) -> None:
    async with a_house(settings, sectors=["telecom"]) as house:
        await house.post("/v1/brands", {"name": "Northwind", "handles": ["@northwind"]})
        await house.post("/v1/channels", {"type": "push", "name": "inbox"})
        await house.push(
            [
                _said("mood", "@northwind my internet is down and I am furious"),
                _said("away", "@northwind my internet is down, win a prize"),
            ]
        )
        before = await _triaged(house, 2)
        for external_id, finding, value in (("mood", "sentiment", "neutral"), ("away", "relevance", False)):
            body = {"finding": finding, "value": value}
            await house.post(f"/v1/mentions/{before[external_id]['id']}/corrections", body)
        told = before["away"]["conversation_id"]
        assert told is not None

        edit = {"edited_at": "2026-11-20T11:00:00Z"}
        await house.push(
            [
                _said("mood", "@northwind my invoice is wrong and I am furious", **edit),
                _said("away", "@northwind my invoice is wrong, win a prize", **edit),
            ]
        )
        after = await _triaged(house, 4)
        assert after["mood"]["text"].startswith("@northwind my invoice")
        assert after["mood"]["sentiment"] == "neutral"
        assert after["mood"]["findings"]["sentiment"] != before["mood"]["findings"]["sentiment"]
        assert after["mood"]["findings"]["sentiment"]["decided_by"].startswith("key:")
        assert (
            after["mood"]["issue_keys"] != before["mood"]["issue_keys"]
        )  # what nobody corrected follows the new words
        assert after["away"]["disposition"] == "dismissed"
