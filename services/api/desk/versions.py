"""What is promised by (calendars, SLA policies) is kept in versions: a clock runs by the version that it was started with."""

from collections.abc import Collection, Mapping
from typing import Any

from services.api.desk.desk import Desk
from shared.models.sla import Calendar, SlaPolicy
from shared.store import rows, sla


async def add(desk: Desk, row: Calendar | SlaPolicy, kept: Collection[str]) -> None:
    """Adds a calendar or policy and keeps its first version: the fields `kept`. Raises as `rows.add` does."""
    await rows.add(desk.session, row)
    await _keep(desk, row, kept)


async def change(
    desk: Desk, row: Calendar | SlaPolicy, asked: Mapping[str, Any], binding: Collection[str], kept: Collection[str]
) -> bool:
    """Lays what is asked over a locked calendar or policy: a new version where any of the `binding` fields is another. Returns whether
    there is one. Raises as `rows.add` does."""
    is_new = any(asked[name] != getattr(row, name) for name in binding)
    row.version += is_new
    for name, value in asked.items():
        setattr(row, name, value)
    await rows.touch(desk.session, row)
    await _keep(desk, row, kept)
    return is_new


async def _keep(desk: Desk, row: Calendar | SlaPolicy, kept: Collection[str]) -> None:
    body = {name: getattr(row, name) for name in kept}
    await sla.keep_version(desk.session, desk.workspace_id, str(row.__tablename__), row.id, row.version, body)
