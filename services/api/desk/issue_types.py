"""Issue types: the kinds of problems people have, with the phrases that express them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields, looked_for
from services.api.desk.desk import Desk
from shared.kit.errors import Conflict, Invalid
from shared.models.brand import IssueType, IssueTypeFields, Playbook
from shared.models.people import Team
from shared.models.phrase import LANGUAGES, TaxonomyError
from shared.models.taxonomy import read_definition
from shared.store import issue_types, rows

_PHRASES = ("phrases", "unless")
_WHAT_TRIAGE_NEEDS = frozenset({"key", "severity", "phrases", "unless", "status", "parent_key"})


async def create_issue_type(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds an issue type. Raises Invalid where a phrase cannot be read, Conflict where the key is taken."""
    asked = fields.read_fields(IssueTypeFields, given)
    await _check(desk, asked)
    looked_for.may_choose(desk, "An issue type's phrases", _PHRASES, fields.values_of(asked))
    issue_type = IssueType(workspace_id=desk.workspace_id, **fields.values_of(asked))
    await rows.add(desk.session, issue_type)
    return issue_type.id


async def change_issue_type(desk: Desk, issue_type_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given; the key stays, because findings and conversations carry it. `playbook_id` attaches a playbook."""
    issue_type = await rows.take(desk.session, IssueType, desk.workspace_id, issue_type_id)
    asked = fields.changed_fields(IssueTypeFields, issue_type, given)
    if asked.key != issue_type.key:
        raise Invalid("An issue type keeps its key; add another one.", errors=[("/key", "cannot be changed")])
    await _check(desk, asked)
    looked_for.may_choose(desk, "An issue type's phrases", _PHRASES, fields.values_of(asked), issue_type)
    if _WHAT_TRIAGE_NEEDS & set(fields.lay_over(issue_type, asked)):
        issue_type.version += 1
    await rows.touch(desk.session, issue_type)
    return issue_type.id


async def remove_issue_type(desk: Desk, issue_type_id: UUID) -> None:
    """Takes an issue type away; what was found of it keeps the key. Raises Conflict where others have it as their parent."""
    issue_type = await rows.take(desk.session, IssueType, desk.workspace_id, issue_type_id)
    if children := await issue_types.children(desk.session, desk.workspace_id, issue_type.key):
        raise Conflict(f"It is the parent of {', '.join(children)}; give those another parent first.")
    await rows.remove(desk.session, issue_type)


async def _check(desk: Desk, asked: IssueTypeFields) -> None:
    """What the grammar of phrases says of it, and that what it names exists."""
    source = {
        "key": asked.key,
        "name": {language: asked.names.get(language) or asked.name for language in LANGUAGES},
        "severity": asked.severity,
        "parent": asked.parent_key,
        "phrases": asked.phrases,
        "unless": asked.unless,
    }
    try:
        read_definition(source)
    except TaxonomyError as wrong:
        pointer = "/unless" if "unless" in str(wrong) else "/phrases" if "hrase" in str(wrong) else "/key"
        raise Invalid(str(wrong), errors=[(pointer, str(wrong))], code="taxonomy") from wrong
    if asked.parent_key is not None:
        if asked.parent_key == asked.key:
            raise Invalid("An issue type is not its own parent.", errors=[("/parent_key", "is itself")])
        if await issue_types.unknown_keys(desk.session, desk.workspace_id, [asked.parent_key]):
            raise Invalid(f"There is no issue type {asked.parent_key}.", errors=[("/parent_key", "is unknown")])
    await fields.must_exist(desk, Team, [asked.owner_team_id], "/owner_team_id")
    await fields.must_exist(desk, Playbook, [asked.playbook_id], "/playbook_id")
