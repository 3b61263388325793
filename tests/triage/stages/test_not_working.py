"""That something does not work, in a hundred ways in English and a hundred in Dutch, and what sounds like it and is not.

One phrase finds them all: a pattern of shared/models/taxonomies/words.yaml with the things put in.
"""

import pytest

from services.triage.library import Library
from services.triage.stage import Briefing, IssueTypeBrief
from services.triage.stages import issues
from tests.triage.building import a_mention
from tests.triage.stages.not_working import DUTCH, ENGLISH, NOT_DUTCH, NOT_ENGLISH

THINGS = {
    "en": "app|site|website|router|internet|wifi|screen|tv|broadband|chat",
    "nl": "app|site|website|router|internet|wifi|scherm|tv|televisie|verbinding|modem",
}
TYPE = IssueTypeBrief(
    "broken",
    "Does not work",
    3,
    {language: (f"<broken: {things}>",) for language, things in THINGS.items()},
    {language: (f"<fine: {things}>",) for language, things in THINGS.items()},
)


@pytest.fixture(scope="module")
def briefing(library: Library) -> Briefing:
    return Briefing("w", "1", issue_types=(TYPE,)).with_models(library)


def places(text: str, language: str, briefing: Briefing) -> list[str]:
    found = issues.assess([a_mention(text, lang=language)], briefing)[0].many("issues")
    return [text[start:end] for one in found for start, end in one.extra["spans"]]


def test_there_are_enough_of_each() -> None:
    assert min(len(set(ENGLISH)), len(set(DUTCH))) >= 100
    assert min(len(set(NOT_ENGLISH)), len(set(NOT_DUTCH))) >= 60


@pytest.mark.parametrize(("text", "language"), [(t, "en") for t in ENGLISH] + [(t, "nl") for t in DUTCH])
def test_it_is_found(text: str, language: str, briefing: Briefing) -> None:
    assert places(text, language, briefing)


@pytest.mark.parametrize(("text", "language"), [(t, "en") for t in NOT_ENGLISH] + [(t, "nl") for t in NOT_DUTCH])
def test_what_sounds_like_it_is_not(text: str, language: str, briefing: Briefing) -> None:
    assert places(text, language, briefing) == []
