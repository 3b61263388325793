"""Playbooks: the plan for an issue type, in versions. A running plan goes on by the version it began with."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.api.desk import fields
from services.api.desk.desk import Desk
from shared.kit.errors import Invalid
from shared.models.brand import IssueType, Playbook, PlaybookFields, PlaybookVersion
from shared.store import issue_types, rows

MOST_STEPS, MOST_TEMPLATES = 100, 200


class Step(BaseModel):
    """One step of a plan."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["say", "ask", "check", "hand_over", "ask_department", "escalate"]
    title: str = Field(min_length=1, max_length=200)
    text: str = Field(default="", max_length=10_000)


class Template(BaseModel):
    """Words to begin an answer with, by language and, where it matters, venue."""

    model_config = ConfigDict(extra="forbid")
    language: str = Field(min_length=2, max_length=10)
    channel_type: str | None = Field(default=None, max_length=40)
    text: str = Field(min_length=1, max_length=10_000)


async def create_playbook(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Writes a plan; with `issue_key`, attaches it to that issue type."""
    asked = fields.read_fields(PlaybookFields, given)
    playbook = Playbook(workspace_id=desk.workspace_id, **await _read(desk, asked))
    await rows.add(desk.session, playbook)
    await _keep(desk, playbook)
    await _attach(desk, playbook)
    return playbook.id


async def change_playbook(desk: Desk, playbook_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given of a plan: a new version; what it was stays to be read."""
    playbook = await rows.take(desk.session, Playbook, desk.workspace_id, playbook_id)
    asked = await _read(desk, fields.changed_fields(PlaybookFields, playbook, given))
    changed = [name for name, value in asked.items() if getattr(playbook, name) != value]
    for name in changed:
        setattr(playbook, name, asked[name])
    if changed:
        playbook.version += 1
        await rows.touch(desk.session, playbook)
        await _keep(desk, playbook)
    if "issue_key" in changed:
        await _attach(desk, playbook)
    return playbook.id


async def remove_playbook(desk: Desk, playbook_id: UUID) -> None:
    """Takes a plan away from its issue types and from the list; its versions stay."""
    playbook = await rows.take(desk.session, Playbook, desk.workspace_id, playbook_id)
    await rows.set_all(
        desk.session, IssueType, {"playbook_id": None}, workspace_id=desk.workspace_id, playbook_id=playbook_id
    )
    await rows.remove(desk.session, playbook)


async def _read(desk: Desk, asked: PlaybookFields) -> dict[str, Any]:
    values = fields.values_of(asked)
    errors: list[tuple[str, str]] = []
    for name, kind, most in (("steps", Step, MOST_STEPS), ("templates", Template, MOST_TEMPLATES)):
        read = []
        if len(values[name]) > most:
            errors.append((f"/{name}", f"holds more than {most}"))
        for place, one in enumerate(values[name]):
            try:
                read.append(kind.model_validate(one).model_dump())
            except ValidationError as wrong:
                errors += [(f"/{name}/{place}{pointer}", detail) for pointer, detail in fields.explain(wrong)]
        values[name] = read
    if asked.issue_key is not None and await issue_types.unknown_keys(
        desk.session, desk.workspace_id, [asked.issue_key]
    ):
        errors.append(("/issue_key", f"there is no issue type {asked.issue_key}"))
    if errors:
        raise Invalid("This playbook cannot be used.", errors=errors)
    return values


async def _keep(desk: Desk, playbook: Playbook) -> None:
    body = {name: getattr(playbook, name) for name in PlaybookFields.model_fields}
    await rows.add(
        desk.session,
        PlaybookVersion(
            workspace_id=desk.workspace_id, playbook_id=playbook.id, version=playbook.version, body=body
        ),
    )  # fmt: skip


async def _attach(desk: Desk, playbook: Playbook) -> None:
    """An issue type has one plan: the last that was attached to it."""
    await rows.set_all(
        desk.session, IssueType, {"playbook_id": None}, workspace_id=desk.workspace_id, playbook_id=playbook.id
    )
    if playbook.issue_key is not None:
        await rows.set_all(
            desk.session,
            IssueType,
            {"playbook_id": playbook.id},
            workspace_id=desk.workspace_id,
            key=playbook.issue_key,
        )
