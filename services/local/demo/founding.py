"""Sets the demo brand up over the REST API, as anybody would: what is there already by that name is changed to fit.

The queries come last: once the last of them is there, the setup is complete, and its `created_at` is when the story began.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from services.local.demo import content
from services.local.trouble import LocalTrouble
from shared.kit import clock
from shared.models import taxonomy
from shared.models.taxonomy import IssueTypeDefinition

JsonObject = dict[str, Any]
_PAGE = 100


async def story_began(api: httpx.AsyncClient) -> datetime | None:
    """When the demo brand's story began in this workspace; None where its setup is not complete. Raises LocalTrouble."""
    last = content.setup()["queries"][-1]["name"]
    async for query in _listed(api, "queries"):
        if query["name"] == last:
            return datetime.fromisoformat(query["created_at"])
    return None


async def is_free_for_demo(api: httpx.AsyncClient) -> bool:
    """Whether nobody has begun something of their own here: no brand, or only the demo's. Raises LocalTrouble."""
    ours = {brand["name"] for brand in content.setup()["brands"]}
    return {brand["name"] async for brand in _listed(api, "brands")} <= ours


async def found(api: httpx.AsyncClient, data_dir: Path) -> datetime:
    """Makes the demo's workspace and returns when its story began. `data_dir` is where the venues' files are kept.

    May be repeated, also after a stop in the middle. Raises LocalTrouble with the API's own words where it refuses."""
    setup = content.setup()
    teams = await _all(api, "teams", setup["teams"])
    await _all(api, "agents", [_with_ids(agent, "teams", "team_ids", teams) for agent in setup["agents"]])
    calendars = await _all(api, "calendars", setup["calendars"])
    definitions = taxonomy.load(str(setup["sector"]))
    await _all(api, "issue-types", [issue_type(definition) for definition in definitions], by="key")
    await _all(api, "playbooks", setup["playbooks"])
    policies = [_with_id(policy, "calendar", "calendar_id", calendars) for policy in setup["sla_policies"]]
    await _all(api, "sla-policies", policies)
    queues = [_with_ids(queue, "teams", "team_ids", teams) for queue in setup["queues"]]
    await _all(api, "queues", [_with_ids(one, "secondary_teams", "secondary_team_ids", teams) for one in queues])
    await _all(api, "channels", [_at(channel, data_dir) for channel in setup["channels"]])
    brands = await _all(api, "brands", setup["brands"])
    await _all(api, "queries", [_with_id(query, "brand", "brand_id", brands) for query in setup["queries"]])
    return await story_began(api) or clock.now()


def issue_type(definition: IssueTypeDefinition) -> JsonObject:
    """An issue type of a taxonomy as the body of `POST /v1/issue-types`. Pure."""
    source = definition.as_source()
    return {
        "key": definition.key,
        "name": definition.name["en"],
        "names": source["name"],
        "parent_key": definition.parent,
        "severity": definition.severity,
        "phrases": source["phrases"],
        "unless": source["unless"],
    }


async def _all(api: httpx.AsyncClient, noun: str, wanted: list[JsonObject], *, by: str = "name") -> dict[str, str]:
    """Makes or changes each, in this order; gives the id of each by its name."""
    there = {one[by]: one["id"] async for one in _listed(api, noun)}
    for body in wanted:
        known = there.get(body[by])
        if known is None:
            there[body[by]] = (await _ask(api, "POST", f"/v1/{noun}", body))["id"]
        else:
            await _ask(api, "PATCH", f"/v1/{noun}/{known}", body)
    return there


async def _listed(api: httpx.AsyncClient, noun: str) -> AsyncIterator[JsonObject]:
    cursor = ""
    while True:
        page = await _ask(api, "GET", f"/v1/{noun}?limit={_PAGE}{cursor}")
        for one in page["data"]:
            yield one
        if not page["page"]["has_more"]:
            return
        cursor = f"&cursor={page['page']['next_cursor']}"


async def _ask(api: httpx.AsyncClient, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
    try:
        answer = await api.request(method, path, json=body)
    except httpx.TransportError as error:
        raise LocalTrouble(
            f"The api does not answer, so the demo cannot be set up: {error}. Start it again."
        ) from error
    if answer.is_success:
        told: JsonObject = answer.json()
        return told
    raise LocalTrouble(
        f"The demo cannot be set up: {method} {path} was refused with {answer.status_code}: {_why(answer)}"
    )


def _why(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        details = [f"{one.get('pointer', '')} {one.get('detail', '')}" for one in problem.get("errors") or ()]
        return "; ".join([str(problem.get("detail") or problem.get("title")), *details])
    except (ValueError, AttributeError):
        return answer.text[:500]


def _with_id(body: Mapping[str, Any], named: str, field: str, ids: Mapping[str, str]) -> JsonObject:
    return {**{name: value for name, value in body.items() if name != named}, field: ids[body[named]]}


def _with_ids(body: Mapping[str, Any], named: str, field: str, ids: Mapping[str, str]) -> JsonObject:
    rest = {name: value for name, value in body.items() if name != named}
    return {**rest, field: [ids[name] for name in body.get(named, ())]}


def _at(channel: Mapping[str, Any], data_dir: Path) -> JsonObject:
    # absolute, because the process that reads the venue need not have been started in our folder
    return {**channel, "settings": {**channel["settings"], "data_dir": str(data_dir.resolve())}}
