"""The entity model's reading of a batch: what spaCy's parser would decide, decided for all tokens at once.

spaCy takes a batch through its parser step by step, and its compiled rules ask for Python's lock some hundreds of times a token:
more than half of all the time that the model takes. But outside a name what the parser thinks of a token hangs on that token
alone. So all tokens are judged at once as if no name were open, and only inside names one step is taken after another, for all
texts together. The rules of what may follow what are spaCy's (`BiluoPushDown`), for texts in which nothing is marked beforehand.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE  # type: ignore[import-not-found]  # compiled, without types
from spacy.language import Language
from spacy.pipeline import EntityRecognizer
from spacy.tokens import Doc, Span

from services.triage import word_rows

CHUNK: Final = 32
"""Texts that are read together: of 16, 32 and 64 the quickest."""
_TRIED_ON: Final = (
    "Anna Smith of Acme Ltd paid $ 12.50 in New York on 3 May, her 2nd order.",
    "Hello",
    "@united flight 1234 from Boston was two hours late, and nobody at United told us until 5 pm!",
    "\n\nThe University of California, Los Angeles, and Mr. van der Berg   of\nAmsterdam",
)


class _Moves(NamedTuple):
    """The parser's classes: those that may follow where no name is open, in their order, and by label those inside a name."""

    closed: list[int]
    names: list[tuple[str, str]]
    """Of each of `closed` its letter (B, U or O) and its label."""
    begins: NDArray[numpy.int64]
    """Places in `closed` of what needs a further token, and"""
    marks: NDArray[numpy.int64]
    """of what no white space can be: all but O."""
    goes_on: dict[str, int]
    ends: dict[str, int]


class _Open(NamedTuple):
    """A name that is not at its end: in which text, of which kind, and its first token and the one that is looked at, counted from
    the first text's first token."""

    text: int
    label: str
    first: int
    at: int


class Recogniser:
    """Marks the entities of tokenised texts with one pipeline."""

    def __init__(self, nlp: Language) -> None:
        """Takes out what would be computed for nobody, and tries whether the quick way gives what spaCy gives."""
        self._nlp = nlp
        if "tok2vec" in nlp.pipe_names and not getattr(nlp.get_pipe("tok2vec"), "listeners", True):
            nlp.remove_pipe("tok2vec")  # the vectors of parts that are not loaded
        self._moves: _Moves
        self._model: Any
        self.quick = _alone(nlp) and self._agrees()
        if self.quick:
            word_rows.only_needed(nlp.vocab, nlp.get_pipe("ner").model)  # type: ignore[attr-defined]  # every trained part has one

    def read(self, docs: Sequence[Doc]) -> list[Doc]:
        """The same documents in their order, with their entities."""
        return self._quickly(docs) if self.quick else list(self._nlp.pipe(docs))

    def _quickly(self, docs: Sequence[Doc]) -> list[Doc]:
        by_length = sorted(filter(len, docs), key=len)
        for start in range(0, len(by_length), CHUNK):
            chunk = by_length[start : start + CHUNK]
            for doc, names in zip(chunk, self._names(chunk), strict=True):
                doc.set_ents([Span(doc, first, end, label=label) for first, end, label in names], default="outside")
        return list(docs)

    def _names(self, docs: Sequence[Doc]) -> list[list[tuple[int, int, str]]]:
        """(first token, the one behind the last, label) of the names in each of some documents, none of which is empty."""
        moves = self._moves
        step = self._model.predict(docs)
        ends = numpy.cumsum([len(doc) for doc in docs])
        alone = numpy.full((int(ends[-1]), 3), -1, dtype="i")
        alone[:, 0] = numpy.arange(len(alone))
        scores = self._scores(step, alone)[:, moves.closed]
        scores[numpy.ix_(ends - 1, moves.begins)] = -numpy.inf
        spaces = numpy.flatnonzero(numpy.concatenate([doc.to_array(IS_SPACE) for doc in docs]))
        scores[numpy.ix_(spaces, moves.marks)] = -numpy.inf
        chosen = scores.argmax(axis=1)
        telling = numpy.flatnonzero(chosen != moves.names.index(("O", "")))
        text_of = numpy.searchsorted(ends, telling, side="right").tolist()
        told: list[list[tuple[int, str, str]]] = [[] for _ in docs]  # of each text, last first: token, letter, label
        for at, move, text in zip(
            reversed(telling.tolist()), reversed(chosen[telling].tolist()), reversed(text_of), strict=True
        ):
            told[text].append((at, *moves.names[move]))
        behind: list[int] = ends.tolist()
        begins = [0, *behind]
        found: list[list[tuple[int, int, str]]] = [[] for _ in docs]

        def go_on(text: int, after: int) -> _Open | None:
            """Take what is told of a text up to the next name of several tokens."""
            while told[text]:
                at, letter, label = told[text].pop()
                if at < after:
                    continue  # inside the name before
                if letter == "B":
                    return _Open(text, label, at, at + 1)
                found[text].append((at - begins[text], at - begins[text] + 1, label))
            return None

        names = [one for text in range(len(docs)) if (one := go_on(text, 0))]
        while names:
            looked = numpy.array([(one.at, one.first, one.at - 1) for one in names], dtype="i")
            rows = self._scores(step, looked)
            further: list[_Open] = []
            for one, row in zip(names, rows, strict=True):
                on, end = moves.goes_on[one.label], moves.ends[one.label]
                if one.at + 1 < behind[one.text] and (row[on] > row[end] or (row[on] == row[end] and on < end)):
                    further.append(_Open(one.text, one.label, one.first, one.at + 1))
                    continue
                start = begins[one.text]
                found[one.text].append((one.first - start, one.at - start + 1, one.label))
                if following := go_on(one.text, one.at + 1):
                    further.append(following)
            names = further
        step.clear_memory()
        return found

    def _scores(self, step: Any, looked: Any) -> Any:
        """(n, classes) what the parser thinks where it looks at these tokens: the next one, the first and the last of the name that
        is open (-1: none)."""
        return step.vec2scores.predict(step.state2vec.predict(looked))

    def _agrees(self) -> bool:
        """Whether both ways find the same. Another version of spaCy may have moved what the quick way stands on."""
        try:
            ner: Any = self._nlp.get_pipe("ner")
            self._moves, self._model = _moves(ner), word_rows.keeping(ner.model)
            ours = self._quickly([self._nlp.make_doc(text) for text in _TRIED_ON])
        except Exception:  # noqa: BLE001  # whatever it is, spaCy's own way is there
            return False
        theirs = list(self._nlp.pipe(_TRIED_ON))
        return [_entities(doc) for doc in ours] == [_entities(doc) for doc in theirs]


def _alone(nlp: Language) -> bool:
    """Whether nothing but a greedy entity recogniser is at work, built as the quick way knows it."""
    if nlp.pipe_names != ["ner"]:
        return False
    ner: Any = nlp.get_pipe("ner")
    if type(ner) is not EntityRecognizer or ner.cfg["beam_width"] != 1:
        return False
    model = ner.model
    return (
        bool(model.attrs["has_upper"])
        and not model.attrs["unseen_classes"]
        and model.get_ref("lower").get_dim("nF") == 3
    )


def _moves(ner: Any) -> _Moves:
    every = [ner.moves.get_class_name(at) for at in range(ner.moves.n_moves)]
    told = [(name[0], name[2:]) for name in every]
    closed = [at for at, (letter, label) in enumerate(told) if letter == "O" or (letter in "BU" and label)]
    names = [told[at] for at in closed]
    return _Moves(
        closed,
        names,
        numpy.array([place for place, (letter, _) in enumerate(names) if letter == "B"], dtype=numpy.int64),
        numpy.array([place for place, (letter, _) in enumerate(names) if letter != "O"], dtype=numpy.int64),
        {label: at for at, (letter, label) in enumerate(told) if letter == "I"},
        {label: at for at, (letter, label) in enumerate(told) if letter == "L"},
    )


def _entities(doc: Doc) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, one.label_) for one in doc.ents]
