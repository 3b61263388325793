"""Skills: the list of what agents of a workspace can do. Naming a new one on an agent or a queue adds it."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields
from services.api.desk.desk import Desk
from shared.kit.errors import Conflict
from shared.models.people import Skill, SkillFields
from shared.store import rows
from shared.store import skills as store

LEVELS = range(1, 6)

Named = Mapping[str, Any]


async def create_skill(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds a skill. Raises Conflict where it is known."""
    skill = Skill(workspace_id=desk.workspace_id, **fields.values_of(fields.read_fields(SkillFields, given)))
    await rows.add(desk.session, skill)
    return skill.id


async def change_skill(desk: Desk, skill_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes the title. Kind and name stay as agents and queues have them. Raises Invalid for those."""
    fields.refuse_others(given, ("title",))
    skill = await rows.take(desk.session, Skill, desk.workspace_id, skill_id)
    fields.lay_over(skill, fields.changed_fields(SkillFields, skill, given))
    await rows.touch(desk.session, skill)
    return skill.id


async def remove_skill(desk: Desk, skill_id: UUID) -> None:
    """Takes a skill away. Raises Conflict while an agent or a queue names it."""
    skill = await rows.take(desk.session, Skill, desk.workspace_id, skill_id)
    if used := await store.used_by(desk.session, desk.workspace_id, skill.kind, skill.name):
        raise Conflict(f"{', '.join(used[:5])} name it; change those first.")
    await rows.remove(desk.session, skill)


def wrong(
    named: Iterable[Named], pointer: str, *, needs_name: bool = True, also: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    """What is wrong with a list of skills, [{kind, name, level 1..5}], each with its place."""
    errors = []
    shape = 'must be as {"kind": "product", "name": "mobile", "level": 3}, level 1 to 5'
    for place, one in enumerate(named):
        kind, name, level = one.get("kind"), one.get("name"), one.get("level", 3)
        nameless = name is None and not needs_name
        known = {"kind", "name", "level", *also}
        if (
            not isinstance(kind, str) or not 0 < len(kind) <= 50
            or not (nameless or (isinstance(name, str) and 0 < len(name) <= 100))
            or isinstance(level, bool) or level not in LEVELS or not set(one) <= known
        ):  # fmt: skip
            errors.append((f"{pointer}/{place}", shape))
    return errors


async def know(desk: Desk, named: Iterable[Named]) -> None:
    """Adds to the list what is named and not known."""
    await store.know(desk.session, desk.workspace_id, [(one["kind"], one["name"]) for one in named if one.get("name")])
