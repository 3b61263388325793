"""The order in which a mention is understood, written out, and the runner that carries a batch through it."""

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from services.triage import disposition
from services.triage.stage import Assessment, Briefing, Stage
from services.triage.stages import (
    authenticity,
    duplicates,
    entities,
    intent,
    issues,
    language,
    pii,
    priority,
    relevance,
    sentiment,
    spam,
    urgency,
    wording,
)
from shared.kit import logging

log = logging.get(__name__)

PIPELINE: Final[tuple[Stage, ...]] = (
    relevance.assess,
    language.assess,
    wording.assess,
    spam.assess,
    duplicates.assess,
    sentiment.assess,
    intent.assess,
    entities.assess,
    issues.assess,
    pii.assess,
    authenticity.assess,
    urgency.assess,
    priority.assess,
)
"""Cheap questions first; a mention that one of them dismisses is asked no more."""

VERSION: Final = blake2b(
    "+".join(f"{stage.name}.{stage.version}" for stage in PIPELINE).encode(), digest_size=6
).hexdigest()
"""What assessed a mention, for the record: changes whenever a stage does."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """What came out for one mention, in plain values that travel between processes. `findings` has the public shape."""

    mention_id: UUID
    disposition: str
    dismissed: str | None
    failed: tuple[str, ...]
    findings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """A batch after its way through the pipeline, in its order, and the seconds each stage took."""

    assessments: tuple[Assessment, ...]
    seconds: dict[str, float]

    def assessed(self) -> list[Assessed]:
        """The outcomes, without the workings."""
        return [
            Assessed(
                a.mention_id,
                a.disposition or "engage",
                a.dismissed,
                tuple(str(note.value) for note in a.many("failed")),
                a.findings_json(),
            )
            for a in self.assessments
        ]


def out_of_order(pipeline: Sequence[Stage]) -> list[str]:
    """What is wrong with an order, a sentence each; empty when every stage finds what it needs."""
    wrong = []
    adders = {added: stage.name for stage in reversed(pipeline) for added in stage.adds}
    seen: dict[str, str] = {}
    names: set[str] = set()
    for stage in pipeline:
        if stage.name in names:
            wrong.append(f"{stage.name} stands twice; take one out.")
        names.add(stage.name)
        for needed in stage.needs:
            if needed in seen:
                continue
            if needed not in adders:
                wrong.append(f"{stage.name} needs {needed}, which no stage adds; put in one that does.")
            elif adders[needed] == stage.name:
                wrong.append(f"{stage.name} needs {needed}, which it adds itself; take one of the two away.")
            else:
                later = adders[needed]
                wrong.append(f"{stage.name} needs {needed}, which {later} adds only after it; move {later} before it.")
        for added in stage.adds:
            if added in seen and seen[added] != stage.name:
                wrong.append(
                    f"{stage.name} adds {added}, which {seen[added]} has added already; let one of them answer."
                )
            seen.setdefault(added, stage.name)
    return wrong


def run(batch: Sequence[Assessment], briefing: Briefing, pipeline: Sequence[Stage] = PIPELINE) -> Run:
    """Carry a batch through. The briefing must have its models (`with_models`). Never raises for what a stage does: a
    stage that fails is tried on each mention alone, and where it fails again the mention says so and goes on."""
    assessments = list(batch)
    seconds: dict[str, float] = {}
    for stage in pipeline:
        began = time.perf_counter()
        live = [at for at, a in enumerate(assessments) if a.dismissed is None]
        if live:
            for at, a in zip(live, _asked(stage, [assessments[at] for at in live], briefing), strict=True):
                assessments[at] = a
        seconds[stage.name] = time.perf_counter() - began
    return Run(tuple(disposition.decide(a, briefing) for a in assessments), seconds)


def _asked(stage: Stage, live: list[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    try:
        return _held_to_the_contract(stage, live, stage(live, briefing))
    except Exception as error:  # noqa: BLE001  # whatever goes wrong in one stage, no customer is lost over it
        if len(live) == 1:
            log.warning("a stage failed", stage=stage.name, mention_id=str(live[0].mention_id), error=_where(error))
            return [live[0].failed(stage.name, type(error).__name__)]
    return [_asked(stage, [a], briefing)[0] for a in live]


def _where(error: Exception) -> str:
    """What went wrong and in which line, without the message, which may quote a customer."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _held_to_the_contract(
    stage: Stage, asked: Sequence[Assessment], answered: Sequence[Assessment]
) -> Sequence[Assessment]:
    if [a.mention_id for a in asked] != [a.mention_id for a in answered]:
        raise ValueError(f"{stage.name} answered for other mentions than it was asked about, or in another order.")
    return answered
