"""Who asks and what they may do: API keys, the agent a key acts for, and the one table of roles. Deny by default."""

import time
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from services.api.desk.desk import Actor, Desk
from shared.kit.database import Database
from shared.kit.errors import Forbidden, TooMany, Unauthenticated
from shared.kit.ids import parse_id
from shared.kit.limits import Allowance, Buckets
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.models.masking import NOTHING, Masking
from shared.models.people import Agent
from shared.models.workspace import Role
from shared.store import agents, workspaces
from shared.store.keys import Keys, KnownKey
from shared.store.reading import PersonalDataHidden


class Action(StrEnum):
    """What an operation does, as far as permission goes. Every operation of both doors declares one."""

    READ_MENTIONS = "mentions:read"
    CORRECT_MENTIONS = "mentions:correct"
    READ_CONVERSATIONS = "conversations:read"
    WORK_CONVERSATIONS = "conversations:work"
    TAKE_WORK = "queues:take"
    READ_REPLIES = "replies:read"
    WRITE_REPLIES = "replies:write"
    READ_MODERATIONS = "moderations:read"
    MODERATE = "moderations:write"
    READ_SETTINGS = "settings:read"
    WRITE_SETTINGS = "settings:write"
    CONNECT_CHANNELS = "channels:write"
    READ_WEBHOOKS = "webhooks:read"
    WRITE_WEBHOOKS = "webhooks:write"
    MANAGE_KEYS = "keys:manage"
    MANAGE_MASKING = "masking:manage"
    READ_METRICS = "metrics:read"
    READ_EVENTS = "events:read"
    READ_LEDGER = "ledger:read"


_READS = frozenset(
    {
        Action.READ_MENTIONS, Action.READ_CONVERSATIONS, Action.READ_REPLIES, Action.READ_MODERATIONS,
        Action.READ_SETTINGS, Action.READ_METRICS, Action.READ_LEDGER, Action.READ_EVENTS,
    }
)  # fmt: skip
_WORKS = frozenset(
    {Action.CORRECT_MENTIONS, Action.WORK_CONVERSATIONS, Action.TAKE_WORK, Action.WRITE_REPLIES, Action.MODERATE}
)  # fmt: skip

ROLES: Mapping[Role, frozenset[Action]] = MappingProxyType(
    {
        Role.ADMIN: frozenset(Action),
        Role.LEAD: frozenset(Action) - {Action.MANAGE_KEYS, Action.MANAGE_MASKING},
        Role.AGENT: (_READS - {Action.READ_EVENTS, Action.READ_LEDGER}) | _WORKS,
        Role.ANALYST: _READS | {Action.CORRECT_MENTIONS},
        Role.INTEGRATION: _READS | _WORKS | {Action.READ_WEBHOOKS, Action.WRITE_WEBHOOKS},
    }
)
"""Role → what it may do. What is not here is forbidden."""

MAY_ACT_FOR_AGENTS = frozenset({Role.ADMIN, Role.INTEGRATION})
STRANGERS_PER_MINUTE = 120
TAKES_EVERYTHING_OUT = frozenset({Action.WRITE_WEBHOOKS})
"""Who does not see personal data may not have it sent to an address of their choice either."""
_AGENT_KEPT_S = 5.0
MASKING_KEPT_S = 3.0
"""For how long a workspace's masking is not looked up again: a change holds after this much at the latest."""
_HOW = "Send `Authorization: Bearer <API key>`; `webcare key create` makes one."


def allow(actor: Actor, action: Action) -> None:
    """Raises Forbidden where the actor's role does not list the action, or does not see the personal data that it takes out."""
    if action not in ROLES.get(actor.role, frozenset()):
        able = ", ".join(role for role, actions in ROLES.items() if action in actions)
        raise Forbidden(f"The role {actor.role} may not do {action}. Roles that may: {able}.")
    if actor.hidden and action in TAKES_EVERYTHING_OUT:
        raise PersonalDataHidden(
            f"Personal data is hidden from the role {actor.role} here, and webhooks carry it: ask an admin to set them up."
        )


class Doorkeeper:
    """Lets callers in: finds whose key it is, and gives them the desk of their workspace. One per process."""

    def __init__(self, database: Database, vault: Vault, settings: Settings) -> None:
        self.database = database
        self.vault = vault
        self.settings = settings
        self.keys = Keys(database)
        self._buckets = Buckets(settings.requests_per_minute)
        self._strangers = Buckets(STRANGERS_PER_MINUTE)
        self._agents: dict[tuple[UUID, UUID], float] = {}
        self._masking: dict[UUID, tuple[Masking, float]] = {}

    async def admit(self, authorization: str | None, for_agent: str | None, client: str) -> tuple[Desk, Allowance]:
        """The desk of whoever holds this key, and what is left of the key's limit.

        `authorization` and `for_agent` are the headers Authorization and Webcare-Agent; `client` the caller's address, by
        which those without a key are counted. Raises Unauthenticated, Forbidden or TooMany.
        """
        known = await self._recognise(authorization, client)
        allowance = self._buckets.take(known.id)
        if not allowance.granted:
            raise TooMany(f"This key may make {allowance.quota} requests a minute.", retry_after=allowance.retry_after)
        agent_id = known.agent_id
        if for_agent:
            agent_id = await self._act_for(known, for_agent)
        actor = Actor(known.id, known.role, known.role, agent_id, await self._hidden_from(known))
        return Desk(known.workspace_id, actor, self.database, self.vault, self.settings), allowance

    async def _recognise(self, authorization: str | None, client: str) -> KnownKey:
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise Unauthenticated(_HOW)
        if not self._strangers.left(client):
            raise TooMany("Too many requests with an unknown key came from this address.", retry_after=60)
        known = await self.keys.recognise(key.strip())
        if known is None:
            self._strangers.take(client)
            raise Unauthenticated(f"This key is unknown, expired or revoked. {_HOW}")
        return known

    async def _act_for(self, known: KnownKey, for_agent: str) -> UUID:
        if known.role not in MAY_ACT_FOR_AGENTS:
            raise Forbidden(
                "Only integration and admin keys may act for an agent; leave the Webcare-Agent header out.",
                code="may_not_act_for_agents",
            )
        agent_id = parse_id(for_agent)
        if agent_id is None or not await self._is_agent(known.workspace_id, agent_id):
            raise Forbidden(f"Webcare-Agent names no {Agent.__tablename__} of this workspace.", code="unknown_agent")
        return agent_id

    async def _hidden_from(self, known: KnownKey) -> frozenset[str]:
        if known.role == Role.ADMIN:
            return NOTHING
        at = time.monotonic()
        kept = self._masking.get(known.workspace_id)
        if kept is None or kept[1] <= at:
            async with self.database.read(known.workspace_id) as connection:
                kept = await workspaces.masking(connection), at + MASKING_KEPT_S
            if len(self._masking) > 10_000:
                self._masking.clear()
            self._masking[known.workspace_id] = kept
        return kept[0].hidden_from(known.role)

    async def _is_agent(self, workspace_id: UUID, agent_id: UUID) -> bool:
        at = time.monotonic()
        if self._agents.get((workspace_id, agent_id), 0.0) > at:
            return True
        async with self.database.read(workspace_id) as connection:
            known = await agents.exists(connection, agent_id)
        if known:
            if len(self._agents) > 10_000:
                self._agents.clear()
            self._agents[workspace_id, agent_id] = at + _AGENT_KEPT_S
        return known
