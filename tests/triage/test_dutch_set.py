"""The hand-written Dutch set: it reads, it is what its description says, and nothing in it stands twice or is learned from."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from services.triage.library import Library
from services.triage.sketching import sketch
from services.triage.stage import Sketch
from services.triage.stages.duplicates import NEAR
from services.triage.training import dutch_set, sets
from services.triage.training.dutch_set import LabelError, LabelledMention, read
from services.triage.training.evaluate import dutch
from shared.models import taxonomy

DESCRIPTION = Path(__file__).parents[2] / "docs" / "models" / "dutch-set.md"


@pytest.fixture(scope="module")
def mentions() -> list[LabelledMention]:
    return read()


# ------------------------------------------------------------------------------------------------ the set


def test_the_labels_stand_at_their_words(mentions: list[LabelledMention]) -> None:
    for mention in mentions:
        for span in (*mention.issues, *mention.entities):
            assert mention.text[span.start : span.end] == span.text


def test_the_sectors_have_an_even_share(mentions: list[LabelledMention]) -> None:
    assert len(mentions) >= 520
    shares = Counter(mention.sector for mention in mentions)
    assert set(shares) == set(dutch_set.sectors())
    assert max(shares.values()) <= 1.1 * min(shares.values())


def test_feelings_irony_and_problems_are_mixed_as_in_a_webcare_inbox(mentions: list[LabelledMention]) -> None:
    feelings = Counter(mention.sentiment for mention in mentions)
    assert feelings["negative"] / len(mentions) == pytest.approx(0.55, abs=0.05)
    assert feelings["neutral"] / len(mentions) == pytest.approx(0.20, abs=0.05)
    assert feelings["positive"] / len(mentions) == pytest.approx(0.25, abs=0.05)
    assert sum(mention.ironic for mention in mentions) / len(mentions) == pytest.approx(0.10, abs=0.02)
    assert sum(len(mention.issue_keys) > 1 for mention in mentions) >= 80
    assert sum(not mention.issues for mention in mentions) >= 150


def test_every_label_is_used(mentions: list[LabelledMention]) -> None:
    assert {mention.venue for mention in mentions} == set(dutch_set.VENUES)
    assert min(Counter(mention.intent for mention in mentions).values()) >= 30
    assert {one.label for mention in mentions for one in mention.entities} == set(dutch_set.ENTITY_TYPES)
    common = _keys(dutch_set.NO_SECTOR)
    for sector in dutch_set.sectors():
        told = {key for mention in mentions if mention.sector == sector for key in mention.issue_keys}
        own = common if sector == dutch_set.NO_SECTOR else _keys(sector) - common
        assert own <= told, f"{sector} has no mention of {sorted(own - told)}"


def test_praise_is_positive_and_complaints_are_negative(mentions: list[LabelledMention]) -> None:
    for mention in mentions:
        if mention.intent == "praise":
            assert mention.sentiment == "positive", mention
        if mention.intent == "complaint":
            assert mention.sentiment == "negative", mention


def test_issues_do_not_stand_in_praise(mentions: list[LabelledMention]) -> None:
    assert not [mention for mention in mentions if mention.intent == "praise" and mention.issues]


def test_near_copies_are_told() -> None:
    told = _Sketched()
    told.add("Drie weken geen bereik in mijn eigen huis, ik stap over naar een ander, de groeten @wolkbel")
    assert told.like("drie weken geen bereik in mijn eigen huis!! ik stap over naar een ander, groeten @bolderkar")
    assert told.like("Na drie weken is er nu gelukkig weer bereik in mijn huis") is None


def test_entities_do_not_overlap(mentions: list[LabelledMention]) -> None:
    for mention in mentions:
        for one, other in combinations(mention.entities, 2):
            assert one.end <= other.start or other.end <= one.start, mention


def test_every_mention_of_a_brand_is_labelled(mentions: list[LabelledMention]) -> None:
    brands = {sector: dutch_set.brands(sector) for sector in dutch_set.sectors()}
    for mention in mentions:
        taken = [(one.start, one.end) for one in mention.entities]
        for brand in brands[mention.sector]:
            for name in (brand.name, *brand.handles):
                for found in re.finditer(rf"(?<![\w@]){re.escape(name)}(?!\w)", mention.text, re.IGNORECASE):
                    assert any(start <= found.start() < end for start, end in taken), (mention.line, name)


def test_nothing_stands_twice(mentions: list[LabelledMention]) -> None:
    earlier = _Sketched()
    for mention in mentions:
        assert earlier.like(mention.text) is None, mention
        earlier.add(mention.text)


def test_nothing_of_it_is_learned_from(mentions: list[LabelledMention]) -> None:
    """A text that a head is trained on and that is nearly the same as one of these would flatter every figure."""
    measured = _Sketched()
    for mention in mentions:
        measured.add(mention.text)
    for path in sorted(dutch_set.WRITTEN.glob("*.jsonl")):
        if path != dutch_set.MENTIONS:
            for text in _texts(path):
                assert measured.like(text) is None, f"{path.name}: {text}"


@pytest.mark.parametrize("question", ["sentiment", "intent", "urgency", "spam", "issues"])
def test_the_readers_of_training_texts_hold_it_back(mentions: list[LabelledMention], question: str) -> None:
    texts = {mention.text for mention in mentions}
    assert not [row for row in sets.split_of(sets.written(question), sets.TRAIN) if row.text in texts]


def test_the_description_has_the_counts_of_the_set(mentions: list[LabelledMention]) -> None:
    told = dict(re.findall(r"^\| (\S[^|]*?) \| ([\d |]+?) \|$", DESCRIPTION.read_text(encoding="utf-8"), re.MULTILINE))
    for sector in dutch_set.sectors():
        of_sector = [mention for mention in mentions if mention.sector == sector]
        assert told[sector] == _counts(of_sector), sector
    assert told["all"] == _counts(mentions)
    for counter in (
        Counter(mention.intent for mention in mentions),
        Counter(mention.venue for mention in mentions),
        Counter(one.label for mention in mentions for one in mention.entities),
    ):
        for label, count in counter.items():
            assert told[label] == str(count), label


# ------------------------------------------------------------------------------------------------ the reader


def _line(**changes: Any) -> str:
    source = {
        "text": "weer geen net, echt geen net", "lang": "nl", "venue": "tweet", "sector": "telecom",
        "sentiment": "negative", "intent": "complaint", "ironic": False, "issues": [], "entities": [],
    }  # fmt: skip
    return json.dumps({**source, **changes})


@pytest.fixture
def reading(tmp_path: Path) -> Callable[[str], list[LabelledMention]]:
    def read_lines(*lines: str) -> list[LabelledMention]:
        path = tmp_path / "few.jsonl"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return read(path)

    return read_lines


def test_nth_says_which_of_several_is_meant(reading: Callable[[str], list[LabelledMention]]) -> None:
    issue = {"key": "mobile.coverage", "quote": "geen net", "nth": 2}
    (mention,) = reading(_line(issues=[issue]))
    assert [(one.label, one.start, one.end) for one in mention.issues] == [("mobile.coverage", 20, 28)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issues": [{"key": "outage", "quote": "geen bereik"}]}, "does not stand in the text; copy"),
        ({"issues": [{"key": "outage", "quote": "geen net"}]}, 'stands 2 times in the text; add "nth"'),
        ({"issues": [{"key": "outage", "quote": "geen net", "nth": 3}]}, "mend nth or leave it out"),
        ({"issues": [{"key": "outage", "quote": "weer", "nth": 1}]}, "mend nth or leave it out"),
        ({"issues": [{"key": "baggage", "quote": "weer"}]}, "'baggage', which is unknown; write one of: accessibility"),
        ({"entities": [{"type": "HANDLE", "text": "weer"}]}, "write one of: BRAND"),
        ({"entities": [{"type": "BRAND", "text": "weer "}]}, "quote the words alone"),
        ({"entities": [{"text": "weer"}]}, "has type, text and, where needed, nth"),
        ({"sentiment": "boos"}, "write one of: positive, neutral, negative"),
        ({"intent": "moan"}, "write one of: churn"),
        ({"sector": "bakery"}, "write one of: common"),
        ({"venue": "pub"}, "write one of: tweet"),
        ({"lang": "en"}, "write one of: nl"),
        ({"ironic": "ja"}, "true or false"),
        ({"text": " "}, "`text` is empty"),
        ({"mood": "x"}, "exactly the fields text"),
    ],
)
def test_a_wrong_label_is_told_with_its_line(
    reading: Callable[..., list[LabelledMention]], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(LabelError, match=r"few\.jsonl, line 2: ") as told:
        reading(_line(), _line(**changes))
    assert said in str(told.value)


def test_what_is_not_json_is_told_with_its_line(reading: Callable[..., list[LabelledMention]]) -> None:
    with pytest.raises(LabelError, match="line 3: this is not JSON"):
        reading(_line(), "", "{")


# ------------------------------------------------------------------------------------------------ the figures


def test_a_pipeline_that_says_what_is_labelled_has_full_marks(mentions: list[LabelledMention]) -> None:
    perfect = [_as_labelled(mention) for mention in mentions]
    assert {row.ours for row in dutch.rows(perfect)} == {1.0}


def test_the_figures_fall_with_what_is_wrong(mentions: list[LabelledMention]) -> None:
    """Nine right answers of ten, then one sentiment turned, one issue missed and one moved elsewhere."""
    few = [mention for mention in mentions if len(mention.issue_keys) == 1 and mention.sentiment == "negative"][:10]
    right = [_as_labelled(mention) for mention in few]
    key, *_ = few[0].issue_keys
    nowhere = (len(few[1].text) + 1, len(few[1].text) + 2)
    (other,) = few[1].issue_keys
    wrong = [
        _as_labelled(few[0], sentiment="positive", issues={}),
        _as_labelled(few[1], issues={other: [nowhere]}),
        *right[2:],
    ]
    figures = {(row.task, row.metric): row.ours for row in dutch.rows(wrong)}
    assert key not in wrong[0].issues
    assert figures["dutch sentiment", "recall of negative"] == pytest.approx(0.9)
    assert figures["dutch sentiment", "macro recall"] == pytest.approx(0.3)
    assert figures["dutch issues", "precision"] == 1.0
    assert figures["dutch issues", "recall"] == pytest.approx(0.9)
    assert figures["dutch issues", "share of right ones at the right words"] == pytest.approx(8 / 9)


def test_every_mention_is_answered_in_its_sectors_workspace(mentions: list[LabelledMention]) -> None:
    few = [next(mention for mention in mentions if mention.sector == sector) for sector in dutch_set.sectors()]
    found = dutch.answers(few, Library())
    assert [answer.mention for answer in found] == few
    assert all(answer.sentiment and answer.intent for answer in found)
    named = {(one.label, one.start, one.end) for mention in few for one in mention.entities if one.label == "BRAND"}
    assert named <= {entity for answer in found for entity in answer.entities}


# ------------------------------------------------------------------------------------------------ what is needed above


def _as_labelled(mention: LabelledMention, **changes: Any) -> dutch.Answer:
    said: dict[str, Any] = {
        "mention": mention,
        "language": "nl",
        "dismissed": None,
        "sentiment": mention.sentiment,
        "intent": mention.intent,
        "issues": {issue.label: [(issue.start, issue.end)] for issue in mention.issues},
        "entities": frozenset((one.label, one.start, one.end) for one in mention.entities),
    }
    return dutch.Answer(**{**said, **changes})


def _counts(mentions: list[LabelledMention]) -> str:
    feelings = Counter(mention.sentiment for mention in mentions)
    counts = (
        len(mentions),
        *(feelings[feeling] for feeling in ("negative", "neutral", "positive")),
        sum(mention.ironic for mention in mentions),
        sum(bool(mention.issues) for mention in mentions),
        sum(len(mention.issue_keys) > 1 for mention in mentions),
    )
    return " | ".join(map(str, counts))


def _keys(sector: str) -> set[str]:
    return {definition.key for definition in taxonomy.load(dutch_set.taxonomy_of(sector))}


class _Sketched:
    """Texts by their sketches. Near copies share a band of it, so only those that do are compared."""

    def __init__(self) -> None:
        self._by_key: dict[bytes | int, list[tuple[str, Sketch]]] = {}

    def add(self, text: str) -> None:
        made = sketch(text)
        keys: list[bytes | int] = [made.exact, *made.numbers()]
        for key in keys:
            self._by_key.setdefault(key, []).append((text, made))

    def like(self, text: str) -> str | None:
        """A text that was added and that is this one, or nearly."""
        made = sketch(text)
        if same := self._by_key.get(made.exact):
            return same[0][0]
        for band in made.numbers():
            for other, theirs in self._by_key.get(band, ()):
                if made.similarity(theirs) >= NEAR:
                    return other
        return None


def _texts(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)["text"]
