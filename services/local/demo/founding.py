"""Sets the demo brand up: one transaction by the desk's own verbs, so that it is there wholly or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import SQLModel

from services.api.desk import (
    brands,
    calendars,
    channels,
    issue_types,
    people,
    playbooks,
    queries,
    queues,
    sla_policies,
)
from services.api.desk.desk import Desk
from services.local.demo import content
from shared.models import taxonomy
from shared.models.brand import Brand, IssueType, Playbook, Query
from shared.models.channel import Channel
from shared.models.people import Agent, Queue, Team
from shared.models.sla import Calendar, SlaPolicy
from shared.models.taxonomy import IssueTypeDefinition
from shared.store import named

JsonObject = dict[str, Any]
_Ids = Mapping[str, UUID]
_Create = Callable[[Desk, Mapping[str, Any]], Awaitable[UUID]]
_Change = Callable[[Desk, UUID, Mapping[str, Any]], Awaitable[UUID]]


async def story_began(desk: Desk) -> datetime | None:
    """When the demo brand was set up in this workspace, which is when its story began; None where it was not. The desk must
    be writing."""
    brand = await named.find(desk.session, Brand, desk.workspace_id, "name", content.setup()["brands"][0]["name"])
    return brand.created_at if brand else None


async def found(desk: Desk) -> datetime:
    """Makes all that the demo needs, in the transaction of the desk, and returns when its story began. What a new workspace
    has already (queues, issue types) is changed to fit; issue types of other trades are paused, so that a power cut is
    not found in a provider's outage.

    Raises Invalid or Conflict, as the desk does."""
    setup = content.setup()
    definitions = taxonomy.load(str(setup["sector"]))
    await _pause_other_trades(desk, {definition.key for definition in definitions})
    await _all(desk, IssueType, "key", map(issue_type, definitions), issue_types.create_issue_type, _issue_type_again)
    teams = await _all(desk, Team, "name", setup["teams"], people.create_team, people.change_team)
    agents = [_with_ids(agent, "teams", "team_ids", teams) for agent in setup["agents"]]
    await _all(desk, Agent, "name", agents, people.create_agent, people.change_agent)
    hours = await _all(desk, Calendar, "name", setup["calendars"], calendars.create_calendar, calendars.change_calendar)
    policies = [_with_id(policy, "calendar", "calendar_id", hours) for policy in setup["sla_policies"]]
    await _all(desk, SlaPolicy, "name", policies, sla_policies.create_sla_policy, sla_policies.change_sla_policy)
    await _all(desk, Playbook, "name", setup["playbooks"], playbooks.create_playbook, playbooks.change_playbook)
    waiting = [_with_ids(queue, "teams", "team_ids", teams) for queue in setup["queues"]]
    waiting = [_with_ids(queue, "secondary_teams", "secondary_team_ids", teams) for queue in waiting]
    await _all(desk, Queue, "name", waiting, queues.create_queue, queues.change_queue)
    await _all(desk, Channel, "name", setup["channels"], channels.create_channel, channels.change_channel)
    named_brands = await _all(desk, Brand, "name", setup["brands"], brands.create_brand, brands.change_brand)
    listened = [_with_id(query, "brand", "brand_id", named_brands) for query in setup["queries"]]
    await _all(desk, Query, "name", listened, queries.create_query, queries.change_query)
    began = await story_began(desk)
    if began is None:
        raise RuntimeError("the demo brand was made and is not there")
    return began


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


async def _issue_type_again(desk: Desk, issue_type_id: UUID, body: Mapping[str, Any]) -> UUID:
    return await issue_types.change_issue_type(desk, issue_type_id, {**body, "status": "active"})


async def _pause_other_trades(desk: Desk, wanted: set[str]) -> None:
    others = {definition.key for sector in taxonomy.sectors() for definition in taxonomy.load(sector)} - wanted
    for key in sorted(others):
        known = await named.find(desk.session, IssueType, desk.workspace_id, "key", key)
        if known is not None:
            await issue_types.change_issue_type(desk, known.id, {"status": "paused"})


async def _all(
    desk: Desk,
    table: type[SQLModel],
    column: str,
    bodies: Iterable[Mapping[str, Any]],
    create: _Create,
    change: _Change,
) -> _Ids:
    """Makes or changes each, in this order; gives the id of each by its name."""
    ids: dict[str, UUID] = {}
    for body in bodies:
        known: Any = await named.find(desk.session, table, desk.workspace_id, column, body[column])
        ids[body[column]] = await (create(desk, body) if known is None else change(desk, known.id, body))
    return ids


def _with_id(body: Mapping[str, Any], named_as: str, field: str, ids: _Ids) -> JsonObject:
    rest = {name: value for name, value in body.items() if name != named_as}
    return {**rest, field: str(ids[body[named_as]])}


def _with_ids(body: Mapping[str, Any], named_as: str, field: str, ids: _Ids) -> JsonObject:
    rest = {name: value for name, value in body.items() if name != named_as}
    return {**rest, field: [str(ids[name]) for name in body.get(named_as, ())]}
