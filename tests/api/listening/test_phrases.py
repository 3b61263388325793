"""Phrases stand letter for letter in what they cite, are people's own, and show nobody's personal data."""

import gzip
import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from services.api.listening.phrases import ENGLISH, WHOLE_PAIRS, phrases
from services.api.listening.sample import IssueMention
from tests.api.listening.made_up import OUTAGE, PRAISE, WAITING, a_mention, an_id, mentions_of
from tests.machine import slowness

REAL = Path(__file__).parents[4] / "shared" / "data" / "airline_dev.jsonl.gz"

TOWNS = ("Leeds", "York", "Hull", "Bath", "Ely", "Rye", "Deal", "Wells", "Ripon")


def said(texts: Sequence[str], **others: object) -> list[IssueMention]:
    """Each text by somebody else, a minute apart."""
    return [
        a_mention(text, name=(text, at), minutes=at, author=f"author {at}", **others)  # type: ignore[arg-type]
        for at, text in enumerate(texts)
    ]


def told(mentions: Sequence[IssueMention], *background: IssueMention, top: int = 5) -> dict[str, int]:
    return {phrase.text: phrase.count for phrase in phrases(mentions, background, top=top)}


def test_a_phrase_cites_only_mentions_with_exactly_its_spelling() -> None:
    upper = said(["No internet here", "No internet in Leeds"])
    lower = said(["we have no internet", "still no internet!", "no internet, again"])
    found = phrases(upper + lower)
    assert [phrase.text for phrase in found] == ["no internet"]
    assert set(found[0].mention_ids) == {mention.id for mention in lower}
    assert found[0].count == 3


def test_reposts_and_copies_count_once() -> None:
    first = a_mention("the app keeps crashing on start for me", name="first", author="a")
    linked = a_mention("crashing on start, he says", name="linked", minutes=1, author="b", duplicate_of=first.id)
    retold = a_mention("RT @a: The app keeps crashing on start for me! https://x.example", minutes=2, author="c")
    other = a_mention("mine is crashing on start too", minutes=3, author="d")
    found = phrases([retold, linked, other, first])
    assert {id_ for phrase in found for id_ in phrase.mention_ids} == {first.id, other.id}


def test_many_people_outweigh_one_who_repeats_it() -> None:
    shouter = [
        a_mention(f"{word} scandal company is robbing people", minutes=at, author="the same")
        for at, word in enumerate(["big", "huge", "giant", "total", "utter", "what", "endless"])
    ]
    crowd = said(["my screen is broken", "a screen is broken too", "the screen is broken"])
    assert next(iter(told(shouter + crowd))) == "screen is broken"


def test_what_everybody_says_anyway_is_no_problems_phrase() -> None:
    usual = said([f"northwind mobile in {town}, lovely shop" for town in TOWNS])
    about = said(
        [*(f"northwind mobile: charged twice ({n})" for n in "abcd"), "northwind mobile!", "northwind mobile?"]
    )
    assert next(iter(told(about))) == "northwind mobile"
    assert next(iter(told(about, *usual))) == "charged twice"
    only_names = phrases(said(["northwind mobile!", "northwind mobile?"]), names=["Northwind Mobile"])
    assert only_names == ()


def test_an_issues_own_mentions_are_no_background_to_it() -> None:
    both = ["screen broken, delivery man never rang"] * 6
    mentions = said(
        [f"{text} ({n})" for n, text in enumerate([*both, *["screen broken"] * 3, "delivery man never rang"])]
    )
    assert list(told(mentions)) == list(told(mentions, *mentions)) == ["screen broken", "delivery man never rang"]


def test_words_where_triage_found_the_issue_are_preferred() -> None:
    texts = ["blue router box and slow connection speed", "slow connection speed on a blue router box"]
    plain, marked = said(texts), said(texts, span="slow connection speed")
    assert next(iter(told(marked))) == "slow connection speed"
    assert set(told(plain)) == set(told(marked))


def test_a_longer_phrase_takes_the_place_of_its_part_where_both_stand_together() -> None:
    together = ["Lost my parcel yesterday", "you lost my parcel", "who lost my parcel?", "Well, lost my parcel."]
    assert told(said(together)) == {"lost my parcel": 3}
    apart = [*together, *(f"my parcel {what}" for what in ("burned", "leaks", "was opened", "smells"))]
    assert told(said(apart)) == {"lost my parcel": 3}, "what stands in another phrase is not told again"


def test_a_phrase_stays_within_its_sentence() -> None:
    for mark in (". ", "\n", ", ", ",", "/", " @x ", " 😡 ", "  "):
        found = told(said([f"my screen broken{mark}battery dead", f"screen broken{mark}battery dead ({mark})"]))
        assert not any("broken" in text and "battery" in text for text in found), repr(mark)
    lines = ["my screen broken ", " " * 17 + "battery dead"] * 3
    assert "my screen broken".find("n", 12) + 2 == 17, "the second text begins where the first would go on"
    assert told(said(lines)) == {"screen broken": 3, "battery dead": 3}


@pytest.mark.parametrize(
    "text",
    [
        "call me on 06 12 34 56 78 about the refund request",
        "call me on 0612345678 about the refund request",
        "mail jan.smit@mail.example about the refund request",
        "see https://shop.example/jan-smit and shop.example/jan about the refund request",
        "my iban NL91 ABNA 0417 1643 00 for the refund request",
        "@jan_smit @jan@social.example asked for the refund request",
    ],
)
def test_numbers_addresses_and_handles_are_never_part_of_a_phrase(text: str) -> None:
    found = told(said([text, "again: " + text, "indeed. " + text]), top=20)
    assert "refund request" in " ".join(found)
    for phrase in found:
        assert not any(secret in phrase.lower() for secret in ("0417", "91", "12", "34", "56", "smit", "shop.example"))
        assert sum(map(str.isdigit, phrase)) <= 3


def test_what_triage_marked_as_personal_is_never_shown_even_where_it_was_missed() -> None:
    marked = said(
        [f"agent Sarah Jones hung up on me {n} times" for n in ("two", "three", "four")], hidden=["Sarah Jones"]
    )
    missed = said(["then Sarah Jones hung up on me", "why did Sarah Jones hang up"])
    found = told(marked + missed, top=20)
    assert any("hung up" in phrase for phrase in found)
    assert not any("Sarah" in phrase or "Jones" in phrase for phrase in found)


def test_one_wrong_mark_does_not_hide_the_words_of_all() -> None:
    wrong = said(["Customer service hangs up"], hidden=["Customer service"])
    right = said([f"awful customer service in {place}" for place in TOWNS])
    right += said([f"{word} customer service" for word in ["bad", "slow", "rude"]])
    assert told(wrong + right) == {"awful customer service": 9}


def test_the_order_of_the_input_does_not_matter() -> None:
    mentions, background = mentions_of(OUTAGE, 3), mentions_of(PRAISE + WAITING, 2)
    first = phrases(mentions, background)
    for seed in range(4):
        random.Random(seed).shuffle(mentions)
        random.Random(seed).shuffle(background)
        assert phrases(mentions, background) == first


def test_dutch_and_english_each_have_their_own_small_words() -> None:
    dutch = said(["mijn internet doet het niet", "ons internet doet het niet", "weer doet het niet"], lang="nl")
    assert any(text.endswith("doet het niet") for text in told(dutch))
    english = said(["waiting on hold for an hour", "an hour on hold for nothing"])
    assert "on hold" in told(english)


def test_one_mention_and_one_word_still_have_words() -> None:
    assert "no internet in Leeds" in " ".join(told(said(["no internet in Leeds"])))
    assert told(said(["Storing!!"], lang="nl", span="Storing")) == {"Storing": 1}
    assert phrases([]) == ()
    assert phrases(said(["", "@northwind", "!!! 😡", "the and of"])) == ()


def test_spans_outside_the_text_do_no_harm() -> None:
    mention = replace(a_mention("no internet in Leeds"), spans=((5, 900),), hidden=((800, 900), (-5, 0), (7, 3)))
    assert phrases([mention])[0].text in mention.text


@pytest.mark.parametrize(
    "text", ["." * 100_000, "a." * 50_000, "a" * 100_000, "a-" * 50_000, "@a" * 50_000, "x " * 50_000]
)
def test_a_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    before = time.process_time()
    phrases(said([text, "b" + text]))
    assert time.process_time() - before < 2 * slowness()


@pytest.fixture(scope="module")
def real() -> dict[str | None, list[IssueMention]]:
    """Real complaints to airlines, by their reason."""
    if not REAL.exists():
        pytest.skip(f"the real tweets are not here: {REAL.name}")
    by_reason: dict[str | None, list[IssueMention]] = defaultdict(list)
    with gzip.open(REAL, "rt", encoding="utf-8") as lines:
        for at, line in enumerate(lines):
            row = json.loads(line)
            when = datetime.strptime(row["at"], "%m/%d/%Y %H:%M").replace(tzinfo=UTC)
            by_reason[row["reason"]].append(IssueMention(UUID(int=at + 1), row["text"], when, "en"))
    return by_reason


def test_on_real_complaints_every_phrase_stands_in_every_mention_it_cites(
    real: dict[str | None, list[IssueMention]],
) -> None:
    everything = [mention for mentions in real.values() for mention in mentions]
    texts = {mention.id: mention.text for mention in everything}
    for reason, mentions in real.items():
        own = {mention.id for mention in mentions}
        found = phrases(mentions, everything)
        assert len(found) == 5, reason
        for phrase in found:
            words = phrase.text.split(" ")
            assert 2 <= len(words) <= 6
            assert phrase.count == len(set(phrase.mention_ids)) >= 2
            assert own.issuperset(phrase.mention_ids)
            assert all(phrase.text in texts[id_] for id_ in phrase.mention_ids)
            folded = [word.lower().replace("’", "'") for word in words]
            whole = {word for pair in pairwise(folded) if pair in WHOLE_PAIRS for word in pair}
            assert not {folded[0], folded[-1]} & (ENGLISH - whole)
    lost = " | ".join(phrase.text.lower() for phrase in phrases(real["Lost Luggage"], everything))
    assert "lost" in lost
    assert "bag" in lost
    assert "on hold" in {phrase.text for phrase in phrases(real["Customer Service Issue"], everything)}


def test_ten_thousand_mentions_take_about_a_second(real: dict[str | None, list[IssueMention]]) -> None:
    everything = [mention for mentions in real.values() for mention in mentions]
    before = time.process_time()
    phrases(everything, [replace(mention, id=an_id(mention.id)) for mention in everything])
    assert time.process_time() - before < 5 * slowness()
