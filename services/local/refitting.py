"""A workspace's heads from the terminal: refit them, list the versions, go back, and see what would teach most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.api.desk import heads as desk_heads
from services.api.desk.desk import Desk
from services.local.operator import all_of
from services.local.trouble import LocalTrouble
from services.triage.library import Library
from services.triage.training import workspace as training
from services.triage.training.train_heads import TooFewLabels
from shared.models.head import Head, HeadState, Question
from shared.store import heads as store
from shared.store import rows

if TYPE_CHECKING:
    from shared.kit.settings import Settings

SHIPPED = "shipped"
"""What goes back means where no version of the workspace's own is to answer."""


@dataclass(frozen=True, slots=True)
class Refit:
    """What became of one question: the version made and whether it answers now; or why there is none."""

    question: Question
    version: int | None
    promoted: bool
    told: str
    figures: dict[str, Any]


def question_named(name: str) -> Question:
    """The question of that name. Raises LocalTrouble."""
    try:
        return Question(name)
    except ValueError:
        raise LocalTrouble(f"There is no head for {name!r}; there are {', '.join(Question)}.") from None


def library_of(settings: Settings) -> Library:
    """The models that triage reads with."""
    return Library(settings.spacy_models)


async def refit(
    desk: Desk, questions: Sequence[Question], library: Library, tell: Callable[[str], None], *, keep: bool = True
) -> list[Refit]:
    """Makes a new version of each head from what people said, and puts it in force where it is better on what it did not learn
    from. With `keep` false it is only tried."""
    done = []
    for question in questions:
        try:
            async with desk.reading() as connection:
                made = await training.refit(
                    connection, desk.workspace_id, question, library, partial(_tell, tell, question)
                )
        except TooFewLabels as few:
            done.append(Refit(question, None, False, str(few), {}))
            continue
        version = await _keep(desk, made) if keep else None
        promoted = keep and made.trial.better
        done.append(Refit(question, version, promoted, made.trial.because, made.trial.figures()))
    return done


def _tell(tell: Callable[[str], None], question: Question, step: str) -> None:
    tell(f"{question}: {step}")


async def _keep(desk: Desk, made: training.Refitted) -> int:
    """Stores the version; one transaction with its promotion, where it is better."""
    async with desk.writing() as writing:
        session, workspace_id = writing.session, writing.workspace_id
        await store.lock(session, workspace_id)
        head = Head(
            workspace_id=workspace_id,
            question=made.question,
            version=await store.next_version(session, workspace_id, made.question),
            state=HeadState.KEPT if made.trial.better else HeadState.REFUSED,
            learned_from=made.learned_from,
            held_out=made.trial.corrected,
            figures=made.trial.figures(),
            because=made.trial.because,
            actor=writing.actor.name,
            weights=made.head.to_bytes(),
        )
        await rows.add(session, head)
        if made.trial.better:
            await desk_heads.promote_head(writing, head.id)
        return head.version


async def versions(desk: Desk, question: Question | None = None) -> list[dict[str, Any]]:
    """All versions, the newest first."""
    return [row for row in await all_of(desk, "head") if question is None or row["question"] == question]


async def back(desk: Desk, question: Question, to: str | None) -> str:
    """Has an earlier version answer again: the one named by its number, the shipped head, or by default the one that answered
    before. Returns what answers now, in words. Raises LocalTrouble."""
    made = await versions(desk, question)
    active = next((row for row in made if row["state"] == HeadState.ACTIVE), None)
    if to is None:
        before = [row for row in made if row["promoted_at"] is not None and row is not active]
        to = str(max(before, key=lambda row: row["promoted_at"])["version"]) if before else SHIPPED
    if to == SHIPPED:
        if active is None:
            raise LocalTrouble(f"What the project ships answers {question} already.")
        async with desk.writing() as writing:
            await desk_heads.retire_head(writing, UUID(active["id"]))
        return f"What the project ships answers {question} again."
    chosen = next((row for row in made if str(row["version"]) == to), None)
    if chosen is None:
        known = ", ".join(str(row["version"]) for row in made) or "none"
        raise LocalTrouble(f"There is no version {to} of {question}; there is {known}, and {SHIPPED}.")
    async with desk.writing() as writing:
        await desk_heads.promote_head(writing, UUID(chosen["id"]))
    return f"Version {to} answers {question} again."
