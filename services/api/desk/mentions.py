"""Mentions: corrected by people. What a person says of a mention stands above what the pipeline says."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields
from services.api.desk.corrections import follow
from services.api.desk.desk import Desk
from shared import outbox
from shared.kit import clock, ids
from shared.kit.errors import Invalid
from shared.models import facts
from shared.models.brand import IssueType
from shared.models.conversation import Conversation, Priority
from shared.models.mention import Correction
from shared.store import conversation as conversations
from shared.store import corrections, issue_types, rows
from shared.store.corrections import Found

_VERSION = "1"
Corrected = tuple[Any, dict[str, Any]]
"""A finding as a person said it, and the columns that go with it."""


async def correct_mention(desk: Desk, mention_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Sets a finding right: {"finding": "sentiment", "value": "negative", "note": "irony"}. The conversation follows: its issue
    types, sentiment, language and priority. Returns the mention's id.

    Raises NotFound, Conflict where the mention is not triaged yet, Invalid for a value that the finding cannot have."""
    fields.refuse_others(given, ("finding", "value", "note"))
    name = given.get("finding")
    if not isinstance(name, str) or name not in CORRECTABLE:
        raise Invalid("Say which finding is wrong.", errors=[("/finding", f"is none of {', '.join(CORRECTABLE)}")])
    if "value" not in given:
        raise Invalid("Say what is right.", errors=[("/value", "is missing")])
    note = fields.take_text(given, "note", most=2_000, required=False)
    conversation = await _conversation(
        desk, await corrections.conversation_of(desk.session, desk.workspace_id, mention_id)
    )
    found = await corrections.lock(desk.session, desk.workspace_id, mention_id)
    if conversation is None:  # it may have come into one meanwhile
        conversation = await _conversation(desk, found.conversation_id)
    said = _Said(desk.actor.said(), note)
    if name == "issues":
        finding, flat = await _issues(desk, found, given["value"], said)
    else:
        finding, flat = _READ[name](found, given["value"], said)
    old = found.findings.get(name)
    if conversation is not None:
        await follow(desk, conversation, mention_id, flat)
    await corrections.write(desk.session, desk.workspace_id, mention_id, name, finding, flat)
    await rows.add(
        desk.session,
        Correction(
            workspace_id=desk.workspace_id, id=ids.new_id(), mention_id=mention_id, finding=name, old=old, new=finding,
            note=note, actor=desk.actor.said(), corrected_at=clock.now(),
        ),
    )  # fmt: skip
    detail = {"finding": name, "value": given["value"], "by": desk.actor.said()}
    await outbox.add(
        desk.session, desk.workspace_id,
        [facts.MentionCorrected(subject_id=mention_id, conversation_id=found.conversation_id, detail=detail)],
    )  # fmt: skip
    return mention_id


async def _conversation(desk: Desk, conversation_id: UUID | None) -> Conversation | None:
    return (
        None if conversation_id is None else await conversations.lock(desk.session, desk.workspace_id, conversation_id)
    )


class _Said:
    """Who said it, as a finding tells it."""

    def __init__(self, actor: str, note: str | None) -> None:
        self.actor = actor
        self.note = note

    def finding(self, value: Any, **more: Any) -> dict[str, Any]:
        why = f"corrected by a person: {self.note}" if self.note else "corrected by a person"
        return {"value": value, "confidence": 1.0, "why": why, "decided_by": self.actor, "version": _VERSION, **more}


def _one_of(*choices: str | None) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in choices:
            raise _wrong(f"must be one of {', '.join(str(one) if one is not None else 'null' for one in choices)}")
        return value

    return check


def _wrong(said: str) -> Invalid:
    return Invalid("That is no value of this finding.", errors=[("/value", said)])


def _language(found: Found, value: Any, said: _Said) -> Corrected:
    if not isinstance(value, str) or not 2 <= len(value) <= 3 or not value.isascii() or not value.islower():
        raise _wrong("must be a language code, as en or nl")
    return said.finding(value), {"lang": value}


def _sentiment(found: Found, value: Any, said: _Said) -> Corrected:
    score = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}.get(
        _one_of("positive", "neutral", "negative")(value), 0.0
    )
    return said.finding(value, score=score), {"sentiment": value, "sentiment_score": score}


def _intent(found: Found, value: Any, said: _Said) -> Corrected:
    _one_of("complaint", "question", "request", "praise", "churn", "other")(value)
    return said.finding(value), {"intent": value}


def _urgency(found: Found, value: Any, said: _Said) -> Corrected:
    if value is not None and (not isinstance(value, str) or not 0 < len(value) <= 100):
        raise _wrong("must be what makes it urgent, in a word, or null")
    return said.finding(value), {"urgency": value}


def _priority(found: Found, value: Any, said: _Said) -> Corrected:
    _one_of(*Priority)(value)
    return said.finding(value), {"priority": value}


def _relevance(found: Found, value: Any, said: _Said) -> Corrected:
    _truth(value)
    return said.finding(value), _disposed(found, "not about the brand", dismissed=not value)


def _spam(found: Found, value: Any, said: _Said) -> Corrected:
    _truth(value)
    return said.finding(value), _disposed(found, "spam", dismissed=value)


def _truth(value: Any) -> None:
    if not isinstance(value, bool):
        raise _wrong("must be true or false")


def _disposed(found: Found, because: str, *, dismissed: bool) -> dict[str, Any]:
    """What is dismissed is counted no more. What was dismissed and should not have been is counted again; whether it is
    owed an answer, a person decides."""
    if dismissed:
        return {"disposition": "dismissed", "dismissed_because": because}
    if found.disposition == "dismissed":
        return {"disposition": "watch", "dismissed_because": None}
    return {}


async def _issues(desk: Desk, found: Found, value: Any, said: _Said) -> Corrected:
    """The whole list of issue types: those that triage found stay as they were found, others cover the whole text."""
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value) or len(value) > 20:
        raise _wrong("must be a list of at most 20 keys of issue types")
    keys = list(dict.fromkeys(value))
    if unknown := await issue_types.unknown_keys(desk.session, desk.workspace_id, keys):
        raise _wrong(f"names no {rows.noun_of(IssueType)}: {', '.join(unknown)}")
    kept = [one for one in found.findings.get("issues") or [] if one.get("value") in keys]
    known = {one["value"] for one in kept}
    added = [said.finding(key, start=0, end=len(found.text)) for key in keys if key not in known]
    return [*kept, *added], {"issue_keys": keys}


_READ: Mapping[str, Callable[[Found, Any, _Said], Corrected]] = {
    "language": _language,
    "sentiment": _sentiment,
    "intent": _intent,
    "urgency": _urgency,
    "priority": _priority,
    "relevance": _relevance,
    "spam": _spam,
}
CORRECTABLE = (*_READ, "issues")
"""The findings that a person may correct."""
