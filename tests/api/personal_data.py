"""A workspace that is full of personal data, and how to tell whether some of it is seen."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.api.rest.door import OPERATIONS
from services.triage.worker import Triage
from shared.kit import clock
from shared.models.facts import MentionEdited
from shared.models.reply_rules import ReplyRules
from tests.api.listening.understood import InThisProcess, understand
from tests.api.world import VENUE, World
from tests.builders import a_channel, an_item, taken
from tests.telling import sequence_all

SAID = "No internet again and nobody answers! My name is Maria Jansen, mail maria.jansen@example.org or call 06 12345678, IBAN {}."
IBAN = "NL91ABNA0417164300"
MARKERS = ("maria", "jansen", "12345678", "example.org", "0417164300")
"""Parts of an e-mail address, a telephone number, an IBAN and a name, small letters: none of them may be seen."""
ALL_AT_ONCE = f"Maria Jansen maria.jansen@example.org 06 12345678 {IBAN}"


def seen(answer: str) -> list[str]:
    return [marker for marker in MARKERS if marker in answer.lower()]


async def full(world: World) -> dict[str, UUID]:
    """A workspace in which every text that a customer, or somebody about a customer, could write holds personal data. Returns the
    ids of what is in it, by the first part of the path under which it is found."""
    await world.post("/v1/brands", {"name": "Northwind"})
    channel = await a_channel(world.database, world.workspace_id, type="venue", owned=True)
    items = [a_post(n) for n in range(3)]
    rules = ReplyRules.model_validate(VENUE["reply_rules"])
    await taken(world.database, world.workspace_id, channel, *items, rules=rules)
    await understand(world.database)
    edited = {**items[0], "text": f"Edited, still no internet. {SAID.format(IBAN)}", "edited_at": clock.now()}
    await taken(world.database, world.workspace_id, channel, edited)
    triage = Triage(world.database, [])
    while await triage.once(MentionEdited.type, InThisProcess()):  # type: ignore[arg-type]  # all that once asks of it
        pass
    mentions = (await world.get("/v1/mentions"))["data"]
    mention = next(one for one in mentions if one["text"].startswith("Edited"))
    conversation_id = mention["conversation_id"]
    assert conversation_id is not None
    assert mention["issue_keys"]
    found: dict[str, UUID] = {
        "mentions": UUID(mention["id"]), "conversations": UUID(conversation_id), "authors": UUID(mention["author"]["id"]),
    }  # fmt: skip
    base = f"/v1/conversations/{conversation_id}"
    correction = {"finding": "urgency", "value": "Maria Jansen calls", "note": ALL_AT_ONCE}
    await world.post(f"/v1/mentions/{mention['id']}/corrections", correction)
    version = (await world.get(base))["version"]
    changed = await world.call("PATCH", base, {"subject": ALL_AT_ONCE}, headers={"if-match": f'"{version}"'})
    assert changed.status_code == 200, changed.text
    found["messages"] = UUID((await world.post(f"{base}/notes", {"text": ALL_AT_ONCE}))["id"])
    found["replies"] = UUID(
        (await world.post(f"{base}/replies", {"text": "Dear Maria Jansen, call 06 12345678"}))["id"]
    )
    reported = await world.post(f"/v1/mentions/{mention['id']}/report", {"reason": ALL_AT_ONCE})
    found["moderations"] = UUID(reported["id"])
    endpoint = await world.post("/v1/webhook-endpoints", {"url": "http://127.0.0.1:9/", "event_types": ["*"]})
    found["webhook-endpoints"] = UUID(endpoint["id"])
    await sequence_all(world.database, world.workspace_id)
    async with world.database.write(world.workspace_id) as session:
        for said in (
            "UPDATE reply SET error = :said, external_id = :said, permalink = :said",
            "UPDATE moderation SET error = :said",
            "UPDATE delivery SET last_error = :said",
            """INSERT INTO delivery_attempt (workspace_id, id, delivery_id, n, at, latency_ms, error, excerpt)
               SELECT workspace_id, uuidv7(), id, 1, now(), 1, :said, :said FROM delivery""",
        ):
            await session.execute(text(said), {"said": ALL_AT_ONCE})
    found["deliveries"] = UUID((await world.get("/v1/deliveries"))["data"][0]["id"])
    for operation in OPERATIONS:
        noun = operation.path.split("/")[2]
        if operation.method == "GET" and operation.path == f"/v1/{noun}" and operation.shows.form == "page":
            rows = (await world.get(operation.path))["data"]
            if rows and "id" in rows[0]:
                found.setdefault(noun, UUID(rows[0]["id"]))
    return found


def a_post(n: int) -> dict[str, Any]:
    name = f"maria.jansen.{n}@example.org"
    return an_item(
        f"post of {name}", SAID.format(IBAN), title=ALL_AT_ONCE, permalink=f"https://venue.test/maria.jansen/{n}",
        author={
            "external_id": name, "handle": f"maria.jansen{n}", "name": "Maria Jansen", "url": "https://example.org/maria", "followers": 5,
        },
        thread_id=f"thread of {name}", in_reply_to=f"a post to {name}", media=[{"url": "https://example.org/maria.jpg", "kind": "image"}],
        raw={"said": ALL_AT_ONCE}, published_at=clock.now() - timedelta(minutes=10),
    )  # fmt: skip
