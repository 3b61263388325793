"""Language identification on real sentences: all seven languages, short ones, and languages that the workspace does not expect.

A language outside the workspace is played by leaving one of the seven out of it: its sentences should be told to be in none of the
workspace's languages, and the others' should not.
"""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from services.triage.library import Library
from services.triage.stage import Assessment, Briefing
from services.triage.stages import language
from services.triage.training.evaluate.row import Row
from shared.kit import clock, ids

LANGUAGES = ("en", "nl", "de", "fr", "es", "it", "pt")
SHORT = 25
PUBLISHED = "py3langid 0.4.0, restricted to the seven"


def measure(data: Path) -> list[Row]:
    """Accuracy over all and over texts of up to 25 characters; and the open set, by language left out."""
    with gzip.open(data / "language_dev.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    library = Library()
    said, right = [row["text"] for row in rows], [row["lang"] for row in rows]
    short = [at for at, text in enumerate(said) if len(text) <= SHORT]
    every = range(len(said))
    ours, bare = told(library, said, LANGUAGES), _restricted(library, said)
    found = [
        Row("language", "accuracy, 7 languages", _share(ours, right, every), _share(bare, right, every), PUBLISHED),
        Row("language", f"accuracy up to {SHORT} characters", _share(ours, right, short), _share(bare, right, short), PUBLISHED),
    ]  # fmt: skip
    two = [at for at in short if right[at] in ("en", "nl")]
    pair = told(library, said, ("en", "nl"))
    found.append(
        Row("language", f"accuracy up to {SHORT} characters, English and Dutch", _share(pair, right, two), None, "")
    )
    for left_out in LANGUAGES:
        expected = tuple(one for one in LANGUAGES if one != left_out)
        answers = told(library, said, expected)
        theirs = [at for at in every if right[at] == left_out]
        outside = sum(answers[at] not in expected for at in theirs) / len(theirs)
        kept = [at for at in every if right[at] != left_out]
        found.append(Row("language", f"{left_out} not expected: told to be outside", outside, None, ""))
        found.append(
            Row("language", f"{left_out} not expected: the others right", _share(answers, right, kept), None, "")
        )
    return found


def told(library: Library, said: Sequence[str], languages: tuple[str, ...]) -> list[str]:
    """What the stage says of each text in a workspace of these languages."""
    briefing = Briefing("evaluate", "1", languages=languages).with_models(library)
    now = clock.now()
    batch = [Assessment(ids.new_id(), text, "push", now) for text in said]
    return [str(a.value("language")) for a in language.assess(batch, briefing)]


def _restricted(library: Library, said: Sequence[str]) -> list[str]:
    codes, odds = library.language_odds(said)
    places = [(code, list(codes).index(code)) for code in LANGUAGES]
    return [max(places, key=lambda one: row[one[1]])[0] for row in odds.tolist()]


def _share(answers: Sequence[str], right: Sequence[str], places: Sequence[int]) -> float:
    return sum(answers[at] == right[at] for at in places) / max(len(places), 1)
