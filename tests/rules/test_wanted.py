"""What a firehose lets through: names that mean the brand, who speaks to it, and what a search finds; never less than triage wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.triage.stage import BrandBrief, Briefing, QueryBrief
from services.triage.stages import relevance
from shared.rules.query_language import parse
from shared.rules.wanted import Named, Wanted
from tests.triage.building import a_mention

BRANDS = (
    Named(("Orange", "Orange Mobile", "Ünited"), ("@orange", "orange_help"), ("juice", "orange is the new black")),
    Named(("KLM",), ("klm",)),
)
SEARCHES = ("outage NOT planned", '"no signal" OR storing', "ceo AND (fraud OR scandal)")
WANTED = Wanted(BRANDS, [parse(one) for one in SEARCHES], never=("giveaway", "#ad"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("my Orange phone is dead", True),
        ("ORANGE\nmobile, again", True),
        ("united airlines", True),  # folded
        ("oranges are fruit", False),
        ("a glass of orange juice", False),
        ("orange juice, said KLM", True),  # the other brand is meant
        ("juice for @Orange!", True),  # it is spoken to
        ("mail bob@orange.example", True),  # the name stands there, if not the handle
        ("mail juice@orange.example", False),
        ("@orange_helper", False),
        ("an outage in Delft", True),
        ("a planned outage", False),
        ("no\n signal here", True),
        ("no-signal here", True),
        ("no clear signal", False),
        ("the CEO and the scandal", True),
        ("the CEO", False),
        ("KLM giveaway", False),
        ("outage giveaway", False),
        ("giveaway, @klm!", True),
        ("", False),
        ("\ud800 klm \x00", True),
    ],
)
def test_what_is_wanted(text: str, wanted: bool) -> None:
    assert WANTED.wants(text) is wanted
    assert WANTED.select(["nothing", text, ""]) == ([1] if wanted else [])


def test_where_nothing_is_listened_for_nothing_is_wanted() -> None:
    assert len(Wanted(())) == 0
    assert Wanted(()).select(["orange", ""]) == []
    assert len(Wanted([Named((" ", "@", "™"), ("@",))])) == 0


BRIEFING = Briefing(
    "w", "1",
    brands=tuple(BrandBrief(str(at), one.names[0], one.names[1:], one.handles, (), one.unless) for at, one in enumerate(BRANDS)),
    queries=tuple(QueryBrief(str(at), text, text) for at, text in enumerate(SEARCHES)),
    exclusions=("giveaway", "#ad"),
)  # fmt: skip
PIECES = [
    "orange", "Orange", "mobile", "klm", "KLM,", "@klm", "x@klm", "@orange", "orange_help", "juice", "united", "u\u0308nited", "outage",
    "planned", "no", "signal", "storing", "ceo", "fraud", "giveaway", "#ad", "#", "@", "-", "\n", "  ", "é", "漢", "😡", "is", "the", "new",
    "black", "\u200d", ".",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.booleans())
def test_the_firehose_never_keeps_back_what_triage_would_want(pieces: list[str], spaced: bool) -> None:
    text = (" " if spaced else "").join(pieces)
    (assessed,) = relevance.assess([a_mention(text)], BRIEFING)
    assert WANTED.wants(text) is bool(assessed.value("relevance"))
    assert bool(WANTED.select([text])) is WANTED.wants(text)
