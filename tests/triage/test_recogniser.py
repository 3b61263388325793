"""The quick way of reading entities finds what spaCy's own way finds, and stands aside where it cannot be sure."""

import random

import pytest
from spacy.language import Language
from spacy.tokens import Doc

from services.triage import recogniser
from services.triage.library import DEFAULT_MODELS, _load
from services.triage.recogniser import Recogniser

TEXTS = (
    *(
        f"@united flight {n} from {place} on {n % 28 + 1} May cost {person} $ {n}.50, says {person}'s lawyer at {firm}"
        for n, (place, person, firm) in enumerate(
            [("Boston", "Ann Lee", "Acme Ltd"), ("New York", "Bob", "IBM"), ("the Hague", "Dr. Who", "the BBC")] * 20
        )
    ),
    "",
    " ",
    "\n\n  \n",
    "!!!",
    "no capitals, no numbers, nobody",
    "UNITED AIRLINES OF AMERICA " * 60,
    "Zürich 東京 😀 Müller & Söhne",
)


@pytest.fixture
def nlp() -> Language:
    return _load(DEFAULT_MODELS["en"], "en")


def entities(docs: list[Doc]) -> list[list[tuple[int, int, str]]]:
    return [[(one.start, one.end, one.label_) for one in doc.ents] for doc in docs]


def test_both_ways_find_the_same(nlp: Language) -> None:
    theirs = entities(list(nlp.pipe(TEXTS)))
    quick = Recogniser(nlp)
    docs = [nlp.make_doc(text) for text in TEXTS]
    read = quick.read(docs)
    assert quick.quick
    assert all(one is other for one, other in zip(read, docs, strict=True))
    assert entities(read) == theirs
    assert sum(map(len, theirs)) > len(TEXTS)


def test_names_of_many_words_between_spaces_and_lines_are_the_same(nlp: Language) -> None:
    """Where a name is open, at the end of a text, and beside white space, which no name begins with, other moves are open."""
    chance = random.Random(11)
    said = "The University of California , Los Angeles Mr. van der Berg $ 12 million Bank & Sons on the 3rd of May 2026 New York City"
    pieces = [*said.split(), " ", "\n"]
    texts = [" ".join(chance.choices(pieces, k=chance.randrange(1, 40))) for _ in range(300)]
    theirs = [(entities([doc])[0], [token.ent_iob for token in doc]) for doc in nlp.pipe(texts)]
    read = Recogniser(nlp).read([nlp.make_doc(text) for text in texts])
    assert [(entities([doc])[0], [token.ent_iob for token in doc]) for doc in read] == theirs
    assert sum(end - start > 3 for found, _ in theirs for start, end, _ in found) > 15


def test_what_nobody_listens_to_is_not_computed(nlp: Language) -> None:
    assert nlp.pipe_names == ["tok2vec", "ner"]
    Recogniser(nlp)
    assert nlp.pipe_names == ["ner"]


def test_a_pipeline_with_other_parts_is_read_by_spacy(nlp: Language) -> None:
    nlp.add_pipe("entity_ruler", before="ner").add_patterns([{"label": "PRODUCT", "pattern": "windphone"}])  # type: ignore[attr-defined]
    mixed = Recogniser(nlp)
    assert not mixed.quick
    assert entities(mixed.read([nlp.make_doc("my windphone is dead")])) == [[(1, 2, "PRODUCT")]]


def test_where_the_two_ways_differ_spacys_is_taken(nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recogniser.Recogniser, "_quickly", lambda _, docs: list(docs))  # finds nothing
    careful = Recogniser(nlp)
    assert not careful.quick
    assert entities(careful.read([nlp.make_doc("Ann Lee lives in Boston")]))[0]


def test_where_the_quick_way_breaks_spacys_is_taken(nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Doc]:
        raise AttributeError("transition_states")

    monkeypatch.setattr(recogniser.Recogniser, "_quickly", broken)
    assert not Recogniser(nlp).quick
