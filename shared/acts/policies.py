"""The SLA policies in force in a workspace, and as they were at versions, as the rules read them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from shared.kit.database import WriteSession
from shared.rules import business_calendar, duration, sla_history, sla_policy
from shared.rules.business_hours import Calendar
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.rules.sla_history import Version
from shared.rules.sla_policy import Policy
from shared.store import sla


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy with the calendar version that it goes by at present; `body` and `calendar` are both as they are kept."""

    policy: Policy
    policy_id: UUID
    calendar_id: UUID | None
    calendar_version: int | None
    body: Mapping[str, Any]
    calendar: Mapping[str, Any] | None

    def terms(self, priority: str) -> dict[str, Any]:
        """What a conversation of this priority is put under, as it is kept."""
        return {
            "policy_id": str(self.policy_id), "policy_version": self.policy.version,
            "calendar_id": str(self.calendar_id) if self.calendar_id else None, "calendar_version": self.calendar_version,
            "priority": priority,
        }  # fmt: skip


async def in_force(session: WriteSession, workspace_id: UUID) -> tuple[PolicyInForce, ...]:
    """The active policies by position."""
    found = []
    for row in await sla.policies(session, workspace_id):
        calendar_id, calendar_version = row["calendar_id"], row["calendar_version"]
        hours = business_calendar.effective(row) if calendar_id else None
        body = {name: row[name] for name in (*_WRITTEN, "calendar_id")}
        found.append(
            PolicyInForce(
                policy_of(body, str(row["id"]), row["version"], hours, calendar_version), row["id"], calendar_id,
                calendar_version, body, hours,
            )
        )  # fmt: skip
    return tuple(found)


def terms_for(policies: Iterable[PolicyInForce], seen: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a conversation is put under: the first policy whose filter matches it; None where none does."""
    known = {one.policy.id: one for one in policies}
    chosen = sla_policy.choose([one.policy for one in known.values()], seen)
    return None if chosen is None else known[chosen.id].terms(str(seen["priority"]))


async def keep(
    session: WriteSession, workspace_id: UUID, policies: Iterable[PolicyInForce], terms: Iterable[Mapping[str, Any]]
) -> None:
    """Keeps what was applied as it is at present, so that clocks can always be read."""
    wanted = {(one["policy_id"], one["policy_version"]) for one in terms}
    kept: dict[tuple[UUID, int], tuple[str, Mapping[str, Any]]] = {}
    for one in policies:
        if (one.policy.id, one.policy.version) in wanted:
            kept[one.policy_id, one.policy.version] = "sla_policy", one.body
            if one.calendar_id and one.calendar_version and one.calendar is not None:
                kept[one.calendar_id, one.calendar_version] = "calendar", one.calendar
    await sla.keep_versions(session, workspace_id, [(of, *key, body) for key, (of, body) in kept.items()])


async def at_versions(
    session: WriteSession, workspace_id: UUID, wanted: Iterable[Version], present: Iterable[PolicyInForce] = ()
) -> dict[Version, Policy]:
    """Policies as they were. Versions never change: what was read once is not read again."""
    found: dict[Version, Policy] = {
        (one.policy.id, one.policy.version, one.calendar_version): one.policy for one in present
    }
    asked = set(wanted)
    if not (missing := asked - found.keys()):
        return found
    return found | await read_versions(missing, lambda keys: sla.versions_at(session, workspace_id, keys))


async def read_versions(
    wanted: Iterable[Version], read: Callable[[Sequence[tuple[UUID, int]]], Awaitable[Mapping[tuple[UUID, int], Any]]]
) -> dict[Version, Policy]:
    """Policies as they were; `read` gives the fields of policies and calendars at versions."""
    asked = set(wanted)
    found = {version: _READ[version] for version in asked if version in _READ}
    if not (missing := asked - found.keys()):
        return found
    bodies = await read([(UUID(key), version) for key, version, _ in missing])
    calendars = {
        version: (UUID(str(calendar_id)), version[2])
        for version in missing
        if version[2] and (calendar_id := bodies[UUID(version[0]), version[1]].get("calendar_id"))
    }
    hours = await read(list(set(calendars.values())))
    for version in missing:
        policy_id, number, calendar_version = version
        by = calendars.get(version)
        if len(_READ) >= _MOST_READ:
            _READ.clear()
        found[version] = _READ[version] = policy_of(
            bodies[UUID(policy_id), number], policy_id, number, by and hours[by], calendar_version
        )
    return found


def versions_in(changes: Iterable[sla_history.Change]) -> set[Version]:
    """The policies, as they were, that a history names."""
    return {sla_history.version_of(terms) for one in changes if (terms := one.detail.get("terms"))}


def calendar_of(body: Mapping[str, Any], version: int) -> Calendar:
    """A calendar as its stored fields say."""
    return _calendar(orjson.dumps({name: body[name] for name in ("timezone", "weekly", "holidays")}), version)


def policy_of(
    body: Mapping[str, Any], policy_id: str, version: int, hours: Mapping[str, Any] | None, calendar_version: int | None
) -> Policy:
    """A policy as its stored fields, and those of its calendar, say."""
    written = orjson.dumps({name: body[name] for name in _WRITTEN})
    return _policy(written, policy_id, version, orjson.dumps(hours) if hours else None, calendar_version)


_WRITTEN = (
    "position",
    "filter",
    "starts_at",
    "ignore_older_than",
    "targets",
    "pause_on",
    "warnings",
    "automatic_replies_count",
)
_MOST_READ = 5_000
_READ: dict[Version, Policy] = {}


@lru_cache(maxsize=1_000)
def _calendar(written: bytes, version: int) -> Calendar:
    return business_calendar.parse(orjson.loads(written), version=version)


@lru_cache(maxsize=1_000)
def _policy(
    written: bytes, policy_id: str, version: int, calendar: bytes | None, calendar_version: int | None
) -> Policy:
    data = orjson.loads(written)
    if data["ignore_older_than"] is not None:
        data["ignore_older_than"] = duration.write(timedelta(seconds=data["ignore_older_than"]))
    return sla_policy.parse(
        data,
        policy_id=policy_id,
        version=version,
        fields=CONVERSATION_FIELDS,
        calendar=_calendar(calendar, calendar_version or 1) if calendar else None,
    )
