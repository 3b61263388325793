"""Runs batches through the pipeline in several processes at once, and gives the outcomes in the batches' order."""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final, Self, TypeVar

from services.triage import pipeline
from services.triage.library import Library
from services.triage.stage import Assessment, Briefing

Item = TypeVar("Item")

AHEAD: Final = 2
"""So many batches wait for each process, so that none is idle and little is held."""


class AnalysisEnded(RuntimeError):
    """A process that analyses has died. The message says what it was at."""


class Spread:
    """The processes. Each loads the models once; the first answer takes their seconds."""

    def __init__(self, briefing: Briefing, models: Mapping[str, str], processes: int) -> None:
        """`briefing` without models; `models` as Library takes them."""
        self._most = AHEAD * processes
        spawn = multiprocessing.get_context("spawn")  # a fork would share what numeric libraries cannot share
        self._pool = ProcessPoolExecutor(processes, spawn, _prepare, (dict(models), briefing))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(
        self, batches: Iterable[tuple[Item, Sequence[Assessment]]]
    ) -> Iterator[tuple[Item, list[pipeline.Assessed]]]:
        """For each batch its item and its outcomes, in order. Raises AnalysisEnded."""
        waiting: deque[tuple[Item, Sequence[Assessment], Future[list[pipeline.Assessed]]]] = deque()
        for item, batch in batches:
            waiting.append((item, batch, self._pool.submit(_run, list(batch))))
            while len(waiting) > self._most or (waiting and waiting[0][2].done()):
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    def _next(
        self, waiting: deque[tuple[Item, Sequence[Assessment], Future[list[pipeline.Assessed]]]]
    ) -> tuple[Item, list[pipeline.Assessed]]:
        item, batch, outcome = waiting.popleft()
        try:
            return item, outcome.result()
        except BrokenProcessPool as broken:
            begins = batch[0].text[:60] if batch else ""
            raise AnalysisEnded(
                f"A process died over the {len(batch)} texts that begin with {begins!r}, or the batches after it."
                " Analyse with one process, or leave them out."
            ) from broken


_briefing: Briefing | None = None


def _prepare(models: Mapping[str, str], briefing: Briefing) -> None:
    global _briefing
    library = Library(models)
    library.warm(briefing.languages)
    _briefing = briefing.with_models(library)


def _run(batch: list[Assessment]) -> list[pipeline.Assessed]:
    assert _briefing is not None  # the pool has prepared it
    return pipeline.run(batch, _briefing).assessed()
