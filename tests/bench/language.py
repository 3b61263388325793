"""Telling languages apart by the second of CPU, against the identifier alone."""

import time
from collections.abc import Callable

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from services.triage.library import Library
from services.triage.stage import Assessment, Briefing
from services.triage.stages import language
from shared.kit import clock, ids
from shared.kit.settings import Settings
from tests.bench.measured import Measured
from tests.bench.real_texts import rows

ROUNDS = 5
BATCH = 64


async def measure(_: Settings) -> list[Measured]:
    """No database is needed. Both read the same sentences; ours makes findings with their reasons, too."""
    said = [row["text"] for row in rows("language_dev")]
    if not said:
        return []
    library, now = Library(), clock.now()
    alone = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    batch = [Assessment(ids.new_id(), text, "push", now) for text in said]
    found = []
    for languages in (("en", "nl"), ("en", "nl", "de", "fr", "es", "it", "pt")):
        briefing = Briefing("bench", "1", languages=languages).with_models(library)

        def ours() -> None:
            for start in range(0, len(batch), BATCH):
                language.assess(batch[start : start + BATCH], briefing)  # noqa: B023  # run at once

        rate, floor = _per_second(len(said), ours, lambda: [alone.classify(text) for text in said])
        found.append(
            Measured(f"language, {len(languages)} expected, {len(said):,} sentences", f"{rate:,.0f}/s of CPU", f"{floor:,.0f}/s",
                     rate / floor, "20,000/s or more", "py3langid alone, text by text")
        )  # fmt: skip
    return found


def _per_second(count: int, *ways: Callable[[], object]) -> list[float]:
    best = [float("inf")] * len(ways)
    for _ in range(ROUNDS):
        for at, way in enumerate(ways):
            began = time.process_time()
            way()
            best[at] = min(best[at], time.process_time() - began)
    return [count / took for took in best]
