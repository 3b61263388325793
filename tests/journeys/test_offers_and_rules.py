"""Two agents work by offers, and a lead has the next such matter taken care of by a rule that was tried first: by the doors alone."""

from typing import Any

import orjson
import pytest

from services.ingest.channels.simulated import venue_of
from services.ingest.opening import workspace_folder
from services.ingest.worker import folder_of
from shared.kit.settings import Settings
from tests.api.webhooks.receiver import Receiver, a_receiver
from tests.journeys.house import House, a_house, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(180)]

WAIT_S = 45.0


async def an_agent(house: House, name: str, capacity: int) -> tuple[str, str]:
    """(id, key) of an agent who is there."""
    agent = await house.post("/v1/agents", {"name": name, "languages": ["en"], "capacity": capacity})
    key = (await house.post("/v1/api-keys", {"name": name, "role": "agent", "agent_id": agent["id"]}))["key"]
    await house.post("/v1/presence", {"presence": "online"}, status=200, key=key)
    return agent["id"], key


async def standing_before(house: House, agent_id: str, conversation_id: str | None = None) -> Any:
    """The offer that comes to stand before an agent."""

    async def offered() -> Any:
        rows = (await house.get(f"/v1/offers?state=open&agent={agent_id}"))["data"]
        return [one for one in rows if conversation_id in (None, one["conversation_id"])]

    (offer,) = await wait_until(offered, WAIT_S)
    return offer


async def heard(receiver: Receiver, conversation_id: str, last: str) -> list[Any]:
    """What the receiver was told of a conversation up to an event, in the order of `sequence`, each once."""

    async def all_of_it() -> Any:
        bodies = {post.id: orjson.loads(post.body) for post in receiver.posts}
        about = [one for one in bodies.values() if one["sequence"] is not None and _is_about(one, conversation_id)]
        about.sort(key=lambda one: one["sequence"])
        types = [one["type"] for one in about]
        if last not in types:
            return None
        about = about[: types.index(last) + 1]
        return about if [one["sequence"] for one in about] == list(range(1, len(about) + 1)) else None

    found: list[Any] = await wait_until(all_of_it, WAIT_S)
    return found


def _is_about(event: Any, conversation_id: str) -> bool:
    return conversation_id in (event["subject"].partition("/")[2], event["data"].get("conversation_id"))


async def test_agents_work_by_offers_and_a_lead_makes_a_rule(settings: Settings) -> None:
    async with a_receiver() as receiver, a_house(settings, sectors=["telecom"]) as house:
        venue = venue_of(workspace_folder(folder_of(house.settings), house.workspace_id), "square")
        await house.post("/v1/brands", {"name": "Northwind", "handles": ["@northwind"]})
        await house.post("/v1/webhook-endpoints", {"url": f"{receiver.url}/hook", "event_types": ["*"]})
        for queue in (await house.get("/v1/queues"))["data"]:
            pushes = {"mode": "push", "offer_expires_s": 600}
            assert (await house.call("PATCH", f"/v1/queues/{queue['id']}", pushes)).status_code == 200
        jo, jos_key = await an_agent(house, "Jo", 20)
        al, als_key = await an_agent(house, "Al", 5)
        kind = {"type": "simulated", "name": "Square", "settings": {"venue": "square", "brand_handle": "@northwind"}}
        venue.post(
            "@northwind the internet is down again! Nothing works since Monday.",
            author={"id": "u-anna", "handle": "@anna"},
        )
        channel = await house.post("/v1/channels", kind)

        # Jo has most room and is asked first; she lets it go, and Al takes it and answers
        first = await standing_before(house, jo)
        conversation_id = first["conversation_id"]
        path = f"/v1/conversations/{conversation_id}"
        assert (await house.call("POST", f"/v1/offers/{first['id']}/accept", key=als_key)).status_code == 403
        declined = await house.post(
            f"/v1/offers/{first['id']}/decline", {"reason": "Not mine."}, status=200, key=jos_key
        )
        assert (declined["state"], declined["reason"]) == ("declined", "Not mine.")
        second = await standing_before(house, al)
        await house.post(f"/v1/offers/{second['id']}/accept", status=200, key=als_key)
        assert (await house.get(path))["assignee_id"] == al
        reply = await house.post(f"{path}/replies", {"text": "Sorry Anna! We are on it."}, key=als_key)

        async def sent() -> Any:
            return (await house.get(f"/v1/replies/{reply['id']}"))["state"] == "sent"

        await wait_until(sent, WAIT_S)
        await house.post(f"{path}/resolve", status=200, key=als_key)

        # whoever receives webhooks knows all of it, in order, each with what it is about
        told = await heard(receiver, conversation_id, "conversation.resolved")
        steps = [one["type"] for one in told if not one["type"].startswith(("mention.", "sla."))]
        assert steps == [
            "conversation.opened", "conversation.routed", "offer.made", "offer.declined", "offer.made", "offer.accepted",
            "conversation.assigned", "reply.queued", "reply.sent", "conversation.resolved",
        ]  # fmt: skip
        offers = [one["data"] for one in told if one["type"].startswith("offer.")]
        assert [(one["agent"]["name"], one["conversation_id"]) for one in offers] == [
            (name, conversation_id) for name in ("Jo", "Jo", "Al", "Al")
        ]
        decisions = [one for one in (await house.get(f"{path}/routing"))["data"] if one["kind"] == "offer"]
        why = {
            one["agent_id"]: {who["agent_id"]: who.get("excluded") for who in one["candidates"]} for one in decisions
        }
        assert why == {jo: {jo: None, al: None}, al: {jo: "refused", al: None}}

        # the lead tries a rule on what was, makes it, and the next such matter has its tag before anybody looked
        lead = (await house.post("/v1/api-keys", {"name": "lead", "role": "lead"}))["key"]
        issue, *_ = (await house.get(path))["issue_keys"]
        outages = {"field": "issue_keys", "op": "contains", "value": issue}
        rule = {"event": "conversation.opened", "filter": outages, "actions": [{"do": "tag", "tags": ["network"]}]}
        tried = await house.post("/v1/automation-rules/dry-run", rule, status=200, key=lead)
        assert (tried["hits"], [one["conversation_id"] for one in tried["samples"]]) == (1, [conversation_id])
        assert (await house.get(path))["tags"] == []
        made = await house.post("/v1/automation-rules", {"name": "Outages", **rule}, key=lead)
        venue.post(
            "@northwind the internet is down here in Utrecht too, and nothing works since noon!",
            author={"id": "u-ben", "handle": "@ben"},
        )
        again = {"settings": {**channel["settings"], "seed": 2}}
        assert (await house.call("PATCH", f"/v1/channels/{channel['id']}", again)).status_code == 200

        async def ran() -> Any:
            return (await house.get(f"/v1/automation-runs?rule={made['id']}"))["data"]

        (run,) = await wait_until(ran, WAIT_S)
        assert (run["outcome"], run["rule_version"], run["event_type"]) == ("done", 1, "conversation.opened")
        assert run["conversation_id"] != conversation_id
        assert (await house.get(f"/v1/conversations/{run['conversation_id']}"))["tags"] == ["network"]
        assert (await house.get(path))["tags"] == [], "what was told before the rule is not its business"
        await standing_before(house, jo, run["conversation_id"])
