"""What triage's tests share: the models, loaded once, and a workspace that knows the telecom issue types."""

import pytest

from services.triage.library import Library
from services.triage.stage import Briefing
from tests.triage.building import a_briefing, assessed


@pytest.fixture(scope="session")
def library() -> Library:
    """The models that the project ships with."""
    return Library()


@pytest.fixture(scope="session")
def telecom(library: Library) -> Briefing:
    """A telecom brand called Northwind, with its models in hand and its matchers made."""
    briefing = a_briefing("telecom").with_models(library)
    for text in ("Hello, no internet", "Hallo, wij hebben geen internet meer", "?"):
        assessed(text, briefing)
    return briefing
