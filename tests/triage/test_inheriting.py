"""Copies are not read again by the language's model: they inherit what it found in the first, as long as they say no more."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.triage.library import Library
from services.triage.pipeline import run
from services.triage.stage import Assessment, Background, Briefing, LookAlike
from tests.triage.building import NOON, a_briefing, a_mention

SAID = "My parcel with Northwind is stuck in Rotterdam since Tuesday and John Smith of your depot hangs up on me"


class Counting(Library):
    """The library, which notes what its entity model was given to read."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []

    def read(self, texts: Sequence[str], language: str, *, entities: bool = True) -> Any:
        if entities:
            self.given += texts
        return super().read(texts, language, entities=entities)


@pytest.fixture(scope="module")
def counting() -> Counting:
    return Counting()


@pytest.fixture
def briefing(counting: Counting) -> Briefing:
    counting.given.clear()
    return a_briefing("telecom").with_models(counting)


def names(a: Assessment) -> set[tuple[str, str]]:
    return {(one.extra["type"], one.extra["text"]) for one in a.many("entities")}


def said(text: str, minute: int, **fields: Any) -> Assessment:
    return a_mention(text, author=f"a{minute}", minutes=minute, owned=True, **fields)


def test_in_a_storm_the_model_reads_one_text(briefing: Briefing, counting: Counting) -> None:
    copies = [said(f"{SAID} {'#fail' * (n % 3)} https://t.example/{n}", n) for n in range(1, 40)]
    outcome = run([said(SAID, 0), *copies], briefing).assessments
    assert counting.given == [SAID]
    found = names(outcome[0])
    assert ("PLACE", "Rotterdam") in found
    assert all(names(a) >= {one for one in found if one[0] in ("PLACE", "PERSON", "ORG")} for a in outcome)
    for a in outcome:
        for one in a.many("entities"):
            assert a.text[one.start : one.end] == one.extra["text"]
            assert one.version == outcome[0].many("entities")[0].version
    assert {a.disposition for a in outcome} == {"engage"}  # each customer is answered
    assert all(a.many("issues") == () or a.one("sentiment") for a in outcome)


def test_what_was_found_in_an_earlier_mention_is_inherited(briefing: Briefing, counting: Counting) -> None:
    (first,) = run([said(SAID, 0)], briefing).assessments
    kept = tuple((one.extra["type"], one.extra["text"], one.decided_by) for one in first.many("entities"))
    like = LookAlike(first.mention_id, SAID, "a0", "push", NOON, entities=kept)
    counting.given.clear()
    copy = said(f"{SAID}!!", 5, background=Background(look_alikes=(like,)))
    (inherited,) = run([copy], briefing).assessments
    assert counting.given == []
    assert names(inherited) == names(first)
    assert [one.decided_by for one in inherited.many("entities")] == [one.decided_by for one in first.many("entities")]
    (read,) = run([copy.but(background=Background(look_alikes=(replace(like, entities=None),)))], briefing).assessments
    assert counting.given == [copy.text]  # not known yet: it is read
    assert names(read) == names(first)


@pytest.mark.parametrize(
    "copy",
    [
        SAID.replace("Rotterdam", "Eindhoven"),
        f"{SAID}, said Mary",
        SAID.replace("since Tuesday", "since 3 May"),
    ],
)
def test_a_copy_that_says_more_is_read(briefing: Briefing, counting: Counting, copy: str) -> None:
    outcome = run([said(SAID, 0), said(copy, 1)], briefing).assessments
    assert outcome[1].value("duplicate") == str(outcome[0].mention_id)
    assert counting.given == [SAID, copy]


def test_what_a_copy_leaves_out_it_does_not_inherit(briefing: Briefing, counting: Counting) -> None:
    shorter = SAID.replace(" in Rotterdam", "")
    outcome = run([said(SAID, 0), said(shorter, 1)], briefing).assessments
    assert counting.given == [SAID]
    assert ("PLACE", "Rotterdam") not in names(outcome[1])


def test_reposts_are_set_aside_and_read_by_nobody(briefing: Briefing, counting: Counting) -> None:
    first = said(SAID, 0).but(owned=False)
    reposts = [said(f"RT @ann: {SAID}", n).but(owned=False) for n in range(1, 5)]
    outcome = run([first, *reposts], briefing).assessments
    assert counting.given == [SAID]
    assert [a.dismissed for a in outcome] == [None, *["a repost of a mention we have"] * 4]
