"""Workspaces from their first moment: what a new one comes with, its first key, and `webcare watch`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import ValidationError

from services.api.desk import brands, channels, fields, queries
from services.api.desk.desk import Desk
from services.api.desk.keys import new_key
from shared.kit import clock, ids
from shared.kit.database import Database, WriteSession
from shared.kit.errors import Conflict, Invalid
from shared.kit.secrets import hash_api_key, key_prefix, same_hash
from shared.models import taxonomy
from shared.models.brand import Brand, IssueType, Query
from shared.models.channel import Channel
from shared.models.masking import SETTING, Masking
from shared.models.people import Queue
from shared.models.phrase import TaxonomyError
from shared.models.sla import Calendar, SlaPolicy
from shared.models.taxonomy import IssueTypeDefinition
from shared.models.workspace import ApiKey, Role, Workspace, WorkspaceFields
from shared.store import named, rows, sla
from shared.store import workspaces as store
from shared.store.keys import SHORTEST_KEY

_OFFICE = [["09:00", "17:00"]]
_TARGETS: list[dict[str, object]] = [
    {"metric": "first_response", "priority": "urgent", "within": "PT30M", "hours": "clock"},
    {"metric": "first_response", "priority": "high", "within": "PT2H", "hours": "clock"},
    {"metric": "first_response", "priority": "*", "within": "PT4H", "hours": "business"},
    {"metric": "next_response", "priority": "urgent", "within": "PT1H", "hours": "clock"},
    {"metric": "next_response", "priority": "*", "within": "PT8H", "hours": "business"},
    {"metric": "resolution", "priority": "urgent", "within": "P1D", "hours": "clock"},
    {"metric": "resolution", "priority": "*", "within": "P1DT16H", "hours": "business"},
]
_QUEUES: Sequence[tuple[str, int, dict[str, object]]] = (
    ("Urgent", 10, {"field": "priority", "op": "eq", "value": "urgent"}),
    ("Private messages", 20, {"field": "visibility", "op": "eq", "value": "private"}),
    ("General", 1000, {}),
)


@dataclass(frozen=True, slots=True)
class Watched:
    """What `watch` made or found: ids."""

    brand_id: UUID
    query_id: UUID
    channel_ids: tuple[UUID, ...]


async def create_workspace(
    database: Database, slug: str, name: str, *, timezone: str = "UTC", sectors: Iterable[str] = ()
) -> UUID:
    """Makes a workspace with what it needs to work: issue types of its sectors, office hours, a policy, queues.

    `sectors` are those of `shared.models.taxonomy.sectors()`. Raises Invalid for an unknown sector, zone or slug, Conflict
    where the slug is taken.
    """
    asked = fields.read_fields(WorkspaceFields, {"slug": slug, "name": name, "timezone": timezone})
    if timezone not in available_timezones():
        raise Invalid(f"{timezone} is no time zone of the IANA database.", errors=[("/timezone", "is unknown")])
    chosen = list(sectors)
    definitions = _definitions(chosen)
    workspace_id = ids.new_id()
    async with database.write(workspace_id) as session:
        workspace = Workspace(id=workspace_id, settings={"sectors": chosen}, **fields.values_of(asked))
        await rows.add(session, workspace)
        for definition in definitions:
            session.add(_issue_type(workspace_id, definition))
        for queue_name, position, where in _QUEUES:
            session.add(Queue(workspace_id=workspace_id, name=queue_name, position=position, filter=where))
        await _promises(session, workspace_id, ZoneInfo(timezone))
        await session.flush()
    return workspace_id


async def find_workspace(database: Database, slug: str) -> UUID | None:
    """The workspace of that slug, if there is one."""
    async with database.lookup() as connection:
        return await store.find(connection, slug)


async def create_key(
    database: Database, workspace_id: UUID, role: Role | str, name: str, *, agent_id: UUID | None = None,
    key: str | None = None,
) -> str:  # fmt: skip
    """Makes an API key and returns it; only its beginning and a hash are kept. `key` is one that the operator chose (32
    characters or more); where this very key is there already, nothing changes. Raises Conflict, Invalid."""
    async with database.write(workspace_id) as session:
        if key is None:
            return await new_key(session, workspace_id, Role(role), name, agent_id=agent_id)
        if len(key) < SHORTEST_KEY or not key.isascii() or any(sign.isspace() for sign in key):
            raise Invalid(f"A key has {SHORTEST_KEY} or more visible ASCII characters.")
        known = await named.find(session, ApiKey, workspace_id, "prefix", key_prefix(key))
        if known is not None and same_hash(known.hash, hash_api_key(key)) and known.revoked_at is None:
            return key
        if known is not None:
            raise Conflict(
                "A key that begins with the same 16 characters exists or existed; choose another.",
                code="already_exists",
            )
        return await new_key(session, workspace_id, Role(role), name, agent_id=agent_id, key=key)


async def read_masking(desk: Desk) -> Masking:
    """From whom personal data is hidden."""
    async with desk.reading() as connection:
        return await store.masking(connection)


async def change_masking(desk: Desk, given: Mapping[str, Any]) -> dict[str, list[str]]:
    """Hides personal data from roles: {"roles": ["analyst"], "kinds": ["email", "phone"]}. What is not given stays; at first it is
    hidden from nobody, and all kinds are. It holds within seconds. Returns what holds now. Raises Invalid: admin sees everything."""
    workspace = await store.lock(desk.session, desk.workspace_id)
    standing = Masking.kept(workspace.settings.get(SETTING)).as_setting()
    try:
        masking = Masking.model_validate(standing | dict(given))
    except ValidationError as wrong:
        errors = fields.explain(wrong)
        raise Invalid(f"Personal data cannot be hidden like that: {errors[0][1]}", errors=errors) from wrong
    workspace.settings = {**workspace.settings, SETTING: masking.as_setting()}
    workspace.updated_at = clock.now()
    await rows.flush(desk.session, Workspace)
    return masking.as_setting()


async def watch(desk: Desk, text: str, feeds: Sequence[str]) -> Watched:
    """Makes a brand, a query and one rss channel a feed, so that listening starts; what is there already is used.

    `text` is a name, or a query of its own (with AND, OR, NOT, quotes)."""
    name = " ".join(text.split())
    is_query = any(sign in name for sign in '"()') or any(word in name.split() for word in ("AND", "OR", "NOT"))
    brand_name = queries.first_term(name) if is_query else name
    brand = await named.find(desk.session, Brand, desk.workspace_id, "name", brand_name)
    brand_id = brand.id if brand else await brands.create_brand(desk, {"name": brand_name})
    listened = name if is_query or " " not in name else f'"{name}"'
    query = await named.find(desk.session, Query, desk.workspace_id, "name", name)
    query_id = (
        query.id
        if query
        else await queries.create_query(desk, {"name": name[:200], "text": listened, "brand_id": str(brand_id)})
    )
    connected: list[UUID] = []
    for url in feeds:
        label = f"{urlsplit(url).hostname or 'feed'}: {name}"[:160]
        known = await named.find_channel(desk.session, desk.workspace_id, "rss", url)
        if known is None:
            taken = await named.find(desk.session, Channel, desk.workspace_id, "name", label)
            given = {
                "type": "rss",
                "name": f"{label} ({len(connected) + 2})" if taken else label,
                "settings": {"url": url},
            }
            known = await channels.create_channel(desk, given)
        connected.append(known)
    return Watched(brand_id, query_id, tuple(connected))


def _definitions(sectors: Sequence[str]) -> list[IssueTypeDefinition]:
    found: dict[str, IssueTypeDefinition] = {}
    try:
        for sector in sectors or (None,):
            for definition in taxonomy.load(sector):
                found.setdefault(definition.key, definition)
    except TaxonomyError as wrong:
        raise Invalid(str(wrong), errors=[("/sectors", str(wrong))]) from wrong
    return list(found.values())


def _issue_type(workspace_id: UUID, definition: IssueTypeDefinition) -> IssueType:
    source = definition.as_source()
    return IssueType(
        workspace_id=workspace_id, key=definition.key, name=definition.name["en"], names=dict(definition.name),
        parent_key=definition.parent, severity=definition.severity, phrases=source["phrases"], unless=source["unless"],
    )  # fmt: skip


async def _promises(session: WriteSession, workspace_id: UUID, zone: ZoneInfo) -> None:
    """Office hours and a policy to begin with; people change both."""
    calendar = Calendar(
        workspace_id=workspace_id, name="Office hours", timezone=zone.key, holidays=[],
        weekly=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), _OFFICE),
    )  # fmt: skip
    await rows.add(session, calendar)
    body = {"timezone": calendar.timezone, "weekly": calendar.weekly, "holidays": calendar.holidays}
    await sla.keep_version(session, workspace_id, "calendar", calendar.id, calendar.version, body)
    policy = SlaPolicy(
        workspace_id=workspace_id, name="Standard", position=1000, filter={}, calendar_id=calendar.id, targets=_TARGETS,
        warnings=["0.75"],
    )  # fmt: skip
    await rows.add(session, policy)
