"""What customers' sentences the shipped taxonomies find, by a matcher of this file's own."""

import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from shared.models.phrase import Negation, Phrase, Shape, fold, negations
from shared.models.taxonomy import IssueTypeDefinition, load

TWEETS = Path(__file__).resolve().parents[3] / "shared" / "data" / "airline_dev.jsonl.gz"
ENDS = frozenset(".!?…\n")


class TestCustomersWords:
    """What a matcher that follows the rules of shared/models/phrase.py finds. Written apart from triage's own."""

    @pytest.mark.parametrize(
        ("sector", "language", "text", "key"),
        [
            ("telecom", "en", "My internet is down AGAIN and nobody answers the phone", "outage.internet"),
            ("telecom", "en", "still waiting, the engineer never showed up", "installation.engineer"),
            ("telecom", "en", "I’m leaving you for a competitor, never again", "contract.cancel"),
            ("telecom", "en", "Charged twice for October!", "billing.charged_wrongly"),
            ("telecom", "nl", "mijn internet doet het weer niet", "outage.internet"),
            ("telecom", "nl", "al drie kwartier in de wacht", "contact.unreachable"),
            ("telecom", "nl", "geld terug nog steeds niet gekregen", "billing.refund"),
            ("telecom", "nl", "monteur is weer niet komen opdagen", "installation.engineer"),
            ("telecom", "nl", "in heel Zwolle geen bereik", "mobile.coverage"),
            ("telecom", "nl", "ik zeg mijn abonnement op", "contract.cancel"),
            ("telecom", "nl", "krijg mijn geld maar niet terug", "billing.refund"),
            ("airline", "en", "3 hour delay and now you lost my bag", "baggage.lost"),
            ("airline", "nl", "onze vlucht is zonder uitleg geannuleerd", "flight.cancelled"),
            ("bank", "en", "my card was declined at the supermarket", "card.declined"),
            ("bank", "nl", "oplichters hebben mijn spaarrekening leeggehaald", "fraud.unauthorised"),
            ("energy", "en", "we can smell gas in the hallway", "gas.leak"),
            ("energy", "nl", "termijnbedrag is ineens verdubbeld", "bill.advance"),
            ("retail", "en", "parcel says delivered but nothing has arrived", "delivery.missing"),
            ("retail", "nl", "verkeerde maat gestuurd en retourlabel werkt niet", "order.wrong"),
            ("software", "en", "the app crashes since the last update and I lost all my notes", "data.loss"),
            ("software", "nl", "exporteren naar csv lukt niet", "export"),
        ],
    )
    def test_a_problem_is_found(self, sector: str, language: str, text: str, key: str) -> None:
        assert key in find(sector, language, text)

    @pytest.mark.parametrize(
        ("language", "text"),
        [
            ("en", "works fine, no problem at all"),
            ("en", "No outage here, never had an outage in nine years"),
            ("en", "not expensive at all and great speeds"),
            ("en", "got my refund within two days, thank you"),
            ("en", "I have no plans to leave"),
            ("nl", "geen storing hier hoor, werkt prima"),
            ("nl", "nooit storing gehad"),
            ("nl", "ik zeg niet op, veel te blij mee"),
            ("nl", "netjes mijn geld terug gekregen"),
            ("nl", "internet doet het weer, dank jullie wel!"),
            ("nl", "vijf streepjes in de kelder, top bereik"),
        ],
    )
    def test_praise_and_denials_are_not_problems(self, language: str, text: str) -> None:
        assert find("telecom", language, text) == set()

    def test_real_complaints_are_found_and_real_praise_is_left_alone(self) -> None:
        if not TWEETS.exists():
            pytest.skip(f"{TWEETS} is not on this machine")
        with gzip.open(TWEETS, "rt", encoding="utf-8") as file:
            tweets = [json.loads(line) for line in islice(file, 1_500)]
        hit: Counter[str] = Counter()
        reasons: dict[str, list[set[str]]] = defaultdict(list)
        for tweet in tweets:
            found = find("airline", "en", tweet["text"])
            hit[tweet["sentiment"]] += bool(found)
            reasons[tweet["reason"]].append(found)
        total = Counter(tweet["sentiment"] for tweet in tweets)
        assert hit["positive"] / total["positive"] < 0.10
        assert hit["negative"] / total["negative"] > 0.36
        for reason, key in (("Cancelled Flight", "flight.cancelled"), ("Late Flight", "flight.delayed")):
            assert sum(key in found for found in reasons[reason]) / len(reasons[reason]) > 0.4, reason


def find(sector: str, language: str, text: str) -> set[str]:
    """The keys found in a text, by a matcher of this file's own."""
    tokens = words(text)
    negation = negations(language)
    hits: list[tuple[str, bool, int, int]] = []
    for at, token in enumerate(tokens):
        for key, undoes, phrase, shape in shapes_by_first_word(sector, language).get(token, ()):
            for runs, end, skipped in ends(tokens, at, shape, 0, negation):
                sentence = next((i + 1 for i in range(at - 1, -1, -1) if tokens[i] in ENDS), 0)
                denied = negation.governs(tokens[sentence:at]) is not None or any(
                    negation.denies_within(tokens[i]) for i in skipped
                )
                if (phrase.is_negatable(runs) and denied) or negation.supposes(tokens[sentence:at]):
                    continue
                if not (undoes and taken_back(tokens[end : end + 3], negation)):
                    hits.append((key, undoes, at, end))
    undone = [hit for hit in hits if hit[1]]
    return {
        key
        for key, undoes, start, end in hits
        if not undoes and not any(one[0] == key and one[2] < end and start < one[3] for one in undone)
    }


def taken_back(behind: list[str], negation: Negation) -> bool:
    for word in behind:
        if word in ENDS or is_break(word, negation):
            return False
        if negation.denies_within(word):
            return True
    return False


def is_break(word: str, negation: Negation) -> bool:
    return word in negation.joins or not any(letter.isalnum() for letter in word)


def words(text: str) -> list[str]:
    return re.findall(r"\n|[^\W_]+(?:'[^\W_]+)*|[^\w\s]", fold(text))


def ends(
    tokens: list[str], at: int, shape: Shape, number: int, negation: Negation
) -> Iterator[tuple[list[str], int, list[int]]]:
    """The runs, where they end, and what was skipped, for each way that the shape stands from its segment `number` on at `at`."""
    for run in shape.segments[number]:
        behind = at + len(cut(run))
        if tuple(tokens[at:behind]) != cut(run):
            continue
        if number + 1 == len(shape.segments):
            yield [run], behind, []
            continue
        gap = shape.gaps[number]
        for skip in range(gap.most + 1):
            between = tokens[behind : behind + skip]
            if any(word in ENDS or (gap.short and is_break(word, negation)) for word in between):
                break
            for runs, end, skipped in ends(tokens, behind + skip, shape, number + 1, negation):
                yield [run, *runs], end, [*range(behind, behind + skip), *skipped]


@cache
def cut(run: str) -> tuple[str, ...]:
    return tuple(words(run))


@cache
def shapes_by_first_word(sector: str, language: str) -> dict[str, list[tuple[str, bool, Phrase, Shape]]]:
    found: dict[str, list[tuple[str, bool, Phrase, Shape]]] = defaultdict(list)
    for definition in load(sector):
        for undoes, phrases in both(definition, language):
            for phrase in phrases:
                for shape in phrase.shapes():
                    for first in {cut(run)[0] for run in shape.segments[0]}:
                        found[first].append((definition.key, undoes, phrase, shape))
    return found


def both(definition: IssueTypeDefinition, language: str) -> Iterator[tuple[bool, Any]]:
    yield False, definition.phrases.get(language, ())
    yield True, definition.unless.get(language, ())
