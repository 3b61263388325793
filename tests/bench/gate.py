"""The gate with 100,000 keywords over real tweets, by the second of CPU, against a bare automaton that knows no words.

Three sets of keywords, all of words and pairs of words out of other real texts: such that a text in twenty holds one, as in a
firehose; rare ones; and common ones, which nearly all texts hold. With exclusions: a keyword does not count beside the word that
goes with it.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from ahocorasick_rs import AhoCorasick, MatchKind

from shared.kit.settings import Settings
from shared.rules.folding import fold
from shared.rules.gate import Gate
from shared.rules.wanted import Named, Wanted
from tests.bench.measured import Measured
from tests.bench.real_texts import rows, tweets

KEYWORDS = 100_000
ROUNDS = 5
GOAL = "200,000/s or more"
SOURCES = (
    "sentiment_multilingual_dev",
    "intent_clinc150_train",
    "intent_banking77_train",
    "language_dev",
    "spam_sms_dev",
    "airline_dev",
)
_WORD = re.compile(r"[^\W\d_]{4,}")


async def measure(_: Settings) -> list[Measured]:
    """No database is needed."""
    said = tweets()
    if not said:
        return []
    found = []
    rare = keywords_of(said, 2)
    few = list(dict.fromkeys([*rare[::5], *keywords_of(said, 0)]))[:KEYWORDS]
    for name, keywords in (("a firehose's", few), ("rare", rare), ("common", keywords_of(said, 200))):
        gate = Gate((word, number) for number, word in enumerate(keywords))
        bare = AhoCorasick(keywords, matchkind=MatchKind.LeftmostLongest, store_patterns=False)
        wanted = Wanted(
            [Named((word,), unless=(f"not {word}",)) for word in keywords[: KEYWORDS // 2]]
            + [Named(tuple(keywords[KEYWORDS // 2 :]))]
        )
        ours, with_exclusions, floor = _per_second(
            len(said),
            lambda: gate.select(said),  # noqa: B023  # run at once
            lambda: wanted.select(said),  # noqa: B023
            lambda: [n for n, text in enumerate(said) if bare.find_matches_as_indexes(text.lower())],  # noqa: B023
        )
        share = len(gate.select(said)) / len(said)
        for what, rate in (("word boundaries", ours), ("boundaries and exclusions", with_exclusions)):
            found.append(
                Measured(
                    f"gate, {KEYWORDS:,} {name} keywords, {what}; {share:.0%} of 20,000 tweets pass", f"{rate:,.0f}/s of CPU",
                    f"{floor:,.0f}/s", rate / floor, GOAL, "a bare automaton: lower case, no boundaries, the longest only",
                )
            )  # fmt: skip
    return found


def keywords_of(said: Sequence[str], at_most: int) -> list[str]:
    """Words and pairs of words of other real texts that stand in at most so many of these."""
    often = Counter(word for text in said for word in set(_WORD.findall(fold(text))))
    others = [_WORD.findall(fold(row["text"])) for name in SOURCES for row in rows(name)]
    found = dict.fromkeys(word for words in others for word in words if often[word] <= at_most)
    for one, other in (pair for words in others for pair in pairwise(words)):
        if min(often[one], often[other]) <= at_most:
            found.setdefault(f"{one} {other}")
    single = list(found)
    for number in range(max(0, KEYWORDS - len(single))):  # rare words are not so many: names made of two of them
        found.setdefault(f"{single[number]} {single[-1 - number]}")
    return list(found)[:KEYWORDS]


def _per_second(count: int, *ways: Callable[[], object]) -> list[float]:
    """The best of some rounds of each, in turn: others may be busy too, and that only ever slows."""
    best = [float("inf")] * len(ways)
    for _ in range(ROUNDS):
        for at, way in enumerate(ways):
            began = time.process_time()
            way()
            best[at] = min(best[at], time.process_time() - began)
    return [count / took for took in best]
