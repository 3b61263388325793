"""The SLA policies in force in a workspace, as the rules read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from shared.kit.database import WriteSession
from shared.rules import business_calendar, duration, sla_policy
from shared.rules.business_hours import Calendar
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.rules.sla_policy import Policy
from shared.store import sla


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy with the calendar version that it goes by at present."""

    policy: Policy
    policy_id: UUID
    calendar_id: UUID | None
    calendar_version: int | None


async def in_force(session: WriteSession, workspace_id: UUID) -> tuple[PolicyInForce, ...]:
    """The active policies by position. Every calendar they go by has its version kept, so that a clock can always be read."""
    found = []
    for row in await sla.policies(session, workspace_id):
        calendar_id, calendar_version = row["calendar_id"], row["calendar_version"]
        written = (
            orjson.dumps({name: row[name] for name in ("timezone", "weekly", "holidays")}) if calendar_id else None
        )
        found.append(
            PolicyInForce(
                _policy(orjson.dumps({name: row[name] for name in _WRITTEN}), str(row["id"]), row["version"], written, calendar_version),
                row["id"], calendar_id, calendar_version,
            )
        )  # fmt: skip
    return tuple(found)


def calendar_of(body: Mapping[str, Any], version: int) -> Calendar:
    """A calendar as its stored fields say."""
    return _calendar(orjson.dumps({name: body[name] for name in ("timezone", "weekly", "holidays")}), version)


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
