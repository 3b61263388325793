"""Moderation from the door to the venue and back, also where the worker is killed after the venue did it and before it told us."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from services.api import app as api_app
from services.api.desk import workspaces
from services.ingest.channels.simulated import venue_of
from services.ingest.opening import workspace_folder
from services.ingest.worker import folder_of
from shared.kit import ids
from shared.kit.settings import Settings
from shared.models.workspace import Role
from tests.journeys.house import House, a_house, wait_until
from tests.journeys.sending import carry, carry_and_never_tell

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

ANNA = {"id": "u-anna", "handle": "@anna", "name": "Anna"}
WAIT_S = 120.0


async def mentions(house: House, count: int) -> list[Any]:
    async def there() -> Any:
        found = await house.all_of("/v1/mentions")
        return found if len(found) >= count else None

    found: list[Any] = await wait_until(there, WAIT_S)
    return found


async def until_state(house: House, moderation: Any, *states: str) -> Any:
    async def reached() -> Any:
        found = await house.get(f"/v1/moderations/{moderation['id']}")
        return found if found["state"] in states else None

    return await wait_until(reached, WAIT_S)


async def test_a_rude_review_is_hidden_reported_and_our_answer_taken_back(settings: Settings) -> None:
    async with a_house(settings, sectors=["telecom"]) as house:
        venue = venue_of(workspace_folder(folder_of(house.settings), house.workspace_id), "shop")
        await house.post("/v1/brands", {"name": "Northwind", "handles": ["@northwind"]})
        rude = venue.post("@northwind the internet is down again, you are all thieves!", author=ANNA, rating=1)
        kind = {"type": "simulated", "name": "Shop", "settings": {"venue": "shop", "plays": "trustpilot"}}
        await house.post("/v1/channels", {**kind, "owned": True})
        (mention,) = await mentions(house, 1)
        path = f"/v1/mentions/{mention['id']}"

        (shown,) = [one for one in (await house.get("/v1/channel-types"))["data"] if one["type"] == "simulated"]
        assert {"hide", "report", "dispute", "delete_reply"} <= set(shown["abilities"])

        hide = await house.post(f"{path}/hide", {"reason": "Until we know more."})
        await until_state(house, hide, "done")
        assert venue.is_hidden(rude)
        assert (await house.get(path))["hidden_at"] is not None
        for action in ("report", "dispute"):
            await until_state(house, await house.post(f"{path}/{action}", {"reason": "It insults us."}), "done")
        await until_state(house, await house.post(f"{path}/unhide"), "done")
        assert not venue.is_hidden(rude)
        assert (await house.get(path))["hidden_at"] is None
        assert [one.action for one in venue.moderated(rude)] == ["hide", "report", "dispute", "unhide"]

        async def in_a_conversation() -> Any:
            return (await house.get(path))["conversation_id"]

        conversation_id = await wait_until(in_a_conversation, WAIT_S)
        reply = await house.post(f"/v1/conversations/{conversation_id}/replies", {"text": "We are no thieves."})

        async def stands() -> Any:
            return (await house.get(f"/v1/replies/{reply['id']}"))["state"] == "sent"

        await wait_until(stands, WAIT_S)
        delete = await house.post(f"/v1/replies/{reply['id']}/delete", {"reason": "Not our tone."})
        await until_state(house, delete, "done")
        gone = await house.get(f"/v1/replies/{reply['id']}")
        assert gone["state"] == "deleted"
        assert venue.is_deleted(gone["external_id"])

        async def told() -> Any:
            types = [event["type"] for event in await house.feed(type="moderation.*")]
            return types if types.count("moderation.done") == 5 else None

        types = await wait_until(told, WAIT_S)
        assert sorted(types) == ["moderation.done"] * 5 + ["moderation.requested"] * 5
        deleted = await house.feed(type="reply.deleted")
        assert [event["data"]["state"] for event in deleted] == ["deleted"]
        of_the_conversation = [event["type"] for event in await house.feed(conversation=conversation_id)]
        assert of_the_conversation[-3:] == ["moderation.requested", "moderation.done", "reply.deleted"]


@contextmanager
def a_worker(run: Callable[[Settings], None], settings: Settings) -> Iterator[Any]:
    """A process that carries, killed at the end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.journeys.sending"])
    process = context.Process(target=run, args=(settings,), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(10)


async def test_a_worker_killed_between_the_venue_and_us(settings: Settings) -> None:
    app = api_app.create_app(settings.model_copy(update={"requests_per_minute": 1_000_000}))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api.test", timeout=60) as client,
    ):
        database, slug = app.state.database, f"w-{ids.new_id().hex[-12:]}"
        workspace_id = await workspaces.create_workspace(database, slug, slug, sectors=["telecom"])
        key = await workspaces.create_key(database, workspace_id, Role.ADMIN, "admin")
        house = House(settings, client, client, workspace_id, key)
        venue = venue_of(workspace_folder(folder_of(settings), workspace_id), "square")
        posts = [venue.post(f"kapot {number}", author=ANNA) for number in range(2)]

        with a_worker(carry_and_never_tell, settings):
            await wait_until(lambda: _published(house), WAIT_S)
            await house.post("/v1/channels", {"type": "simulated", "name": "Square", "settings": {"venue": "square"}})
            by_post = {one["external_id"]: one["id"] for one in await mentions(house, 2)}
            hide = await house.post(f"/v1/mentions/{by_post[posts[0]]}/hide")
            report = await house.post(f"/v1/mentions/{by_post[posts[1]]}/report", {"reason": "A threat."})
            await wait_until(lambda: _so(len(venue.moderated()) == 2), WAIT_S)
            assert (await until_state(house, hide, "sending"))["attempts"] == 1
            assert (await until_state(house, report, "sending"))["attempts"] == 1

        with a_worker(carry, settings):
            done = await until_state(house, hide, "done", "failed", "unknown")
            left = await until_state(house, report, "done", "failed", "unknown")
        assert (done["state"], done["attempts"]) == ("done", 2)
        assert (await house.get(f"/v1/mentions/{by_post[posts[0]]}"))["hidden_at"] is not None
        assert [one.action for one in venue.moderated(posts[0])] == ["hide", "hide"], "asked again: it does no harm"
        assert (left["state"], left["attempts"]) == ("unknown", 1)
        assert [one.action for one in venue.moderated(posts[1])] == ["report"], "never sent twice"

        waiting = (await house.get("/v1/moderations?state=unknown"))["data"]
        assert [one["id"] for one in waiting] == [report["id"]]
        settled = await house.post(f"/v1/moderations/{report['id']}/settle", {"outcome": "done"}, status=200)
        assert settled["state"] == "done"
        assert (await house.get("/v1/moderations?state=unknown"))["data"] == []


async def _published(house: House) -> Any:
    return (await house.get("/v1/channel-types"))["data"]


async def _so(true: bool) -> bool:
    return true
