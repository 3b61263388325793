"""Figures about promises agree with the clocks that they are about: business time, and late is late before anybody has looked."""

from collections import Counter
from datetime import datetime
from typing import Any

import time_machine

from tests.acts.a_journey import CALENDAR, START, Journey, targets
from tests.api.world import World

MONDAY = datetime.fromisoformat(
    "2026-03-30T07:30:00+00:00"
)  # 09:30 in Amsterdam, which went over to summer time on Sunday
LENGTHS = (("first_response", "*", "PT2H"), ("next_response", "*", "PT1H"), ("resolution", "*", "P2D"))


async def figures(world: World, series: str) -> list[Any]:
    found: list[Any] = (await world.get(f"/v1/metrics/{series}?group=none"))["data"]
    return found


async def by_clocks(world: World, journey: Journey) -> dict[str, Counter[str]]:
    """How the clocks stand, by metric, as each conversation shows them."""
    found: dict[str, Counter[str]] = {}
    for conversation_id in journey.threads.values():
        for one in (await world.get(f"/v1/conversations/{conversation_id}/sla"))["data"]:
            found.setdefault(one["metric"], Counter())[one["state"]] += 1
    return found


async def test_figures_agree_with_the_clocks(world: World) -> None:
    with time_machine.travel(START, tick=False) as travel:  # Friday 15:00 in Amsterdam
        for policy in (await world.get("/v1/sla-policies"))["data"]:
            await world.call("DELETE", f"/v1/sla-policies/{policy['id']}")
        calendar = await world.post("/v1/calendars", CALENDAR)
        promised = {"name": "p", "calendar_id": calendar["id"], "targets": targets(*LENGTHS, hours="business")}
        await world.post("/v1/sla-policies", promised)
        journey = Journey(world.database, world.workspace_id, await world.a_channel(), travel)
        for name in ("in time", "on monday", "never", "bounced"):
            await journey.writes(name)
        journey.goes_on(30)
        await journey.answers("in time")
        await journey.does("in time", "wait_for_customer", actor="agent")
        await journey.answers("bounced")
        journey.goes_on(1)
        await journey.writes("bounced")
        await journey.bounces("bounced")  # what the answer began never was
        journey.goes_on((MONDAY - journey.now).total_seconds() / 60)
        await journey.answers("on monday")
        await journey.writes("new")
        journey.goes_on(20)
        await journey.does("on monday", "resolve", actor="agent")
        for looked in (False, True):
            if looked:
                await journey.watch()
            stand = await by_clocks(world, journey)
            assert stand["first_response"] == {"met": 1, "breached": 3, "running": 1}
            assert stand["resolution"] == {"met": 1, "paused": 1, "running": 3}
            rows = {row["metric"]: row for row in await figures(world, "sla")}
            for metric in ("first_response", "resolution"):
                told = {
                    state: rows[metric][state]
                    for state in ("met", "breached", "running", "paused")
                    if rows[metric][state]
                }
                assert told == stand[metric]
            assert rows["first_response"]["kept"] == 0.25
            assert rows["resolution"]["kept"] == 1.0
            assert (rows["next_response"]["cancelled"], rows["next_response"]["kept"]) == (1, None)
        (times,) = await figures(world, "response-times")
        assert (times["conversations"], times["answered"]) == (5, 2)
        # 30 minutes; and from 15:00 to 17:30 on Friday with 09:00 to 09:30 on Monday
        assert (times["counted_mean"], times["counted_median"]) == ("PT1H45M", "PT1H45M")
        assert times["mean"] == "P1DT9H", "by the clock on the wall: 30 minutes, and 65 and a half hours"
        explained = await world.get(f"/v1/conversations/{journey.threads['on monday']}/sla/first_response/explain")
        assert explained["elapsed"] == "PT3H"
