"""A customer complains, an agent answers, the customer comes back: by the doors alone, and every step is told."""

from typing import Any

import pytest

from services.ingest.channels.simulated import venue_of
from services.ingest.opening import workspace_folder
from services.ingest.worker import folder_of
from shared.kit.settings import Settings
from tests.journeys.house import House, a_house, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

ANNA = {"id": "u-anna", "handle": "@anna", "name": "Anna", "followers": 120}
WAIT_S = 120.0


async def until(house: House, path: str, **expected: Any) -> Any:
    """What the path shows once these fields are so."""

    async def shown() -> Any:
        found = await house.get(path)
        return found if all(found[name] == value for name, value in expected.items()) else None

    return await wait_until(shown, WAIT_S)


async def told(house: House, conversation_id: str) -> list[str]:
    """What was told of a conversation; its sequence has no gap."""
    events = await house.feed(conversation=conversation_id)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    return [event["type"] for event in events]


def in_this_order(steps: list[str], events: list[str]) -> None:
    rest = iter(events)
    missing = [step for step in steps if step not in rest]
    assert not missing, (missing, events)


async def test_a_working_day(settings: Settings) -> None:
    async with a_house(settings, sectors=["telecom"]) as house:
        venue = venue_of(workspace_folder(folder_of(house.settings), house.workspace_id), "square")
        await house.post("/v1/brands", {"name": "Northwind", "handles": ["@northwind"]})
        jo = await house.post("/v1/agents", {"name": "Jo Doe", "initials": "JD", "languages": ["en"]})
        key = (await house.post("/v1/api-keys", {"name": "Jo", "role": "agent", "agent_id": jo["id"]}))["key"]

        # a customer writes at the venue, and it waits in a queue
        first = venue.post(
            "@northwind the internet is down again, I am so angry! Nothing works since Monday.", author=ANNA
        )
        of_a_stranger = venue.post("What a lovely morning for a walk.", author={"id": "u-bob", "handle": "@bob"})
        kind = {"type": "simulated", "name": "Square", "settings": {"venue": "square", "brand_handle": "@northwind"}}
        channel = await house.post("/v1/channels", kind)

        async def waiting() -> Any:
            return (await house.get("/v1/conversations?status=open"))["data"]

        (conversation,) = await wait_until(waiting, WAIT_S)
        path = f"/v1/conversations/{conversation['id']}"
        assert conversation["waiting_since"] is not None
        assert conversation["assignee_id"] is None
        by_post = {one["external_id"]: one for one in await house.all_of("/v1/mentions")}
        assert set(by_post) == {first, of_a_stranger}
        mention = await house.get(f"/v1/mentions/{by_post[first]['id']}")
        assert (mention["disposition"], mention["conversation_id"]) == ("engage", conversation["id"])
        assert mention["findings"]["sentiment"]["value"] == "negative"
        assert by_post[of_a_stranger]["disposition"] == "dismissed"
        channel = await until(house, f"/v1/channels/{channel['id']}", health="ok")

        # Jo takes it, makes a note and answers; the venue has the answer once and the promise is kept
        queue = f"/v1/queues/{conversation['queue_id']}"
        taken = await house.post(f"{queue}/next", status=200, key=key)
        assert (taken["id"], taken["assignee_id"]) == (conversation["id"], jo["id"])
        assert (await house.call("POST", f"{queue}/next", key=key)).status_code == 204
        await house.post(f"{path}/notes", {"text": "There is an outage in the east."}, key=key)
        too_long = await house.call("POST", f"{path}/replies", {"text": "x" * 600}, key=key)
        assert (too_long.status_code, too_long.json()["code"]) == (422, "reply_too_long")
        answered = await house.post(f"{path}/replies", {"text": "Sorry Anna! We are on it."}, key=key)
        reply = await until(house, f"/v1/replies/{answered['id']}", state="sent")
        (there,) = venue.replies()
        assert (there.in_reply_to, there.text, there.id) == (
            first,
            "Sorry Anna! We are on it. ^JD",
            reply["external_id"],
        )
        clocks = {one["metric"]: one["state"] for one in (await house.get(f"{path}/sla"))["data"]}
        assert (clocks["first_response"], clocks["resolution"]) == ("met", "running")
        shown = await house.get(path)
        assert (shown["first_replied_at"], shown["waiting_since"]) == (reply["sent_at"], None)

        # Anna goes on: the same conversation waits again, with its agent
        second = venue.post("And when will it work?", author=ANNA, in_reply_to=there.id, thread=first)
        await read_again(house, channel, 2)
        await until(house, path, message_count=4)  # hers, the note, the answer, hers
        shown = await house.get(path)
        assert (shown["status"], shown["assignee_id"], shown["waiting_since"] is not None) == ("open", jo["id"], True)
        turns = (await house.get(f"{path}/messages"))["data"]
        assert [turn["kind"] for turn in turns] == ["inbound", "note", "outbound", "inbound"]
        again = await house.post(f"{path}/replies", {"text": "By noon."}, key=key)
        await until(house, f"/v1/replies/{again['id']}", state="sent")
        assert [one.in_reply_to for one in venue.replies()] == [first, second]

        # it is resolved; she comes back, it is open again; and it is resolved for good
        assert (await house.post(f"{path}/resolve", status=200, key=key))["status"] == "resolved"
        venue.post(
            "It is still down, this is a disgrace!", author=ANNA, in_reply_to=venue.replies()[1].id, thread=first
        )
        await read_again(house, channel, 3)
        await until(house, path, status="open", message_count=6)
        await house.post(f"{path}/resolve", status=200, key=key)

        async def resolved_twice() -> Any:
            return (await told(house, conversation["id"])).count("conversation.resolved") == 2

        await wait_until(resolved_twice, WAIT_S)
        in_this_order(
            [
                "conversation.opened", "conversation.routed", "conversation.assigned", "note.created", "reply.queued",
                "reply.sent", "sla.met", "conversation.message_added", "reply.queued", "reply.sent",
                "conversation.resolved", "conversation.reopened", "conversation.resolved",
            ],
            await told(house, conversation["id"]),
        )  # fmt: skip
        everything = [event["type"] for event in await house.feed()]
        assert everything.count("channel.connected") == 1
        assert everything.count("mention.received") == everything.count("mention.triaged") == 4
        assert everything.count("conversation.opened") == 1
        assert everything.count("reply.sent") == len(venue.replies()) == 2
        ledger = (await house.get("/v1/ledger"))["data"]
        assert (sum(row["received"] for row in ledger), sum(row["stored"] for row in ledger)) == (4, 4)


async def read_again(house: House, channel: Any, seed: int) -> None:
    """Makes the channel due at once, as a change of its settings does."""
    body = {"settings": {**channel["settings"], "seed": seed}}
    answer = await house.call("PATCH", f"/v1/channels/{channel['id']}", body)
    assert answer.status_code == 200, answer.text
