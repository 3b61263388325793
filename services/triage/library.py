"""spaCy models and lexicons, loaded once per process and handed to the stages by the runner."""

import gc
import importlib
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy
import spacy
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import compile_infix_regex
from thinc.api import NumpyOps, set_current_ops

from services.triage import tuned
from services.triage.identifier import Identifier
from services.triage.reading import fold
from services.triage.recogniser import Recogniser
from services.triage.words.features import Vectoriser
from services.triage.words.heads import Head
from services.triage.words.lexicon import PhraseTree, WeightedWords, plain_words
from services.triage.words.shipped import shipped_heads

DEFAULT_MODELS: Final[Mapping[str, str]] = dict.fromkeys(tuned.BASE, tuned.SHIPPED)
"""The trained model of each language; a language not named here is read by rules alone."""
NOT_NEEDED: Final = ("tagger", "parser", "lemmatizer", "attribute_ruler", "senter")
"""Parts of a pipeline that recognise no entity; without them a text costs a third less, with the same entities."""
READ_TOKENS: Final = 1_000
"""Tokens of one text that the entity model looks at. It reads some 5,000 a second, and a text of 20,000 exclamation
marks is 20,000 tokens."""

SLOW_TO_LOAD: Final = frozenset(("fr", "id", "ms"))
"""Languages whose rules spaCy compiles for two to five seconds when they are first asked for. A text of theirs is read at its
deadline's cost, and so may be any text that looks like theirs."""
ELIDES: Final = frozenset(("fr",))
"""Languages of these in which a word may be drawn together with the next: l'internet is two."""
_ELISION: Final = r"(?<=[^\W\d_]['’])(?=[^\W\d_])"

MANY_TOKENS: Final = 100
DIFFERENT: Final = 20
"""Of so many tokens one at least is another word in what people write (in a long text it is every second or third)."""


class Library:
    """The models of one process. Making it is cheap; `warm` loads what a briefing's languages need."""

    def __init__(self, models: Mapping[str, str] | None = None) -> None:
        """`models`: language to the import name or the folder of a spaCy pipeline, over the defaults; an empty name
        takes a language's model away, `webcare` is the one that comes with the project (tuned.py)."""
        self._names = {**DEFAULT_MODELS, **(models or {})}
        self._pipelines: dict[str, Language] = {}
        self._recognisers: dict[str, Recogniser] = {}
        self._tokenizers: dict[str, Language] = {}
        self._folded: dict[str, dict[int, int]] = {}
        self._lexicons: dict[tuple[str, str], WeightedWords] = {}
        self._phrasebooks: dict[tuple[str, str], PhraseTree] = {}
        self._identifier: Identifier | None = None
        self._vectoriser = Vectoriser(self)
        self._heads: Mapping[str, Head] | None = None

    def warm(self, languages: Sequence[str]) -> None:
        """Load now what these languages need, and keep it out of the garbage collector's rounds."""
        self.languages_by_likelihood("warm")
        self.heads()
        for language in languages:
            self.read(["Warm up."], language)
        gc.collect()
        gc.freeze()

    def has_entity_model(self, language: str) -> bool:
        """Whether a trained entity recogniser is at hand for this language."""
        return bool(self._names.get(language))

    def model_name(self, language: str) -> str:
        """Name and version of what reads this language."""
        if not self.has_entity_model(language):
            return f"blank-{language}"
        meta = self._pipeline(language).meta
        return f"{meta['lang']}_{meta['name']}-{meta['version']}"

    def read(self, texts: Sequence[str], language: str, *, entities: bool = True) -> list[Doc]:
        """Tokenised texts whose tokens' lemmas are the folded words; with `entities`, also what the model recognised.
        Texts must have been made safe first (reading.Reading)."""
        tokenizer = self._tokenizer(language)
        docs = [tokenizer.make_doc(text) for text in texts]
        if entities and self.has_entity_model(language):
            self._recognise(docs, language)
        for doc in docs:
            self._fold_into_lemmas(doc)
        return docs

    def language_odds(self, texts: Sequence[str]) -> tuple[Sequence[str], NDArray[numpy.float32]]:
        """Every language the identifier knows, and for each text a row of their probabilities, in that order."""
        if self._identifier is None:
            self._identifier = Identifier()
        return self._identifier.codes, self._identifier.odds(texts)

    def languages_by_likelihood(self, text: str) -> list[tuple[str, float]]:
        """Every language the identifier knows with its probability, best first."""
        codes, odds = self.language_odds([text])
        return sorted(zip(codes, odds[0].tolist(), strict=True), key=lambda one: one[1], reverse=True)

    def lexicon(self, name: str, language: str) -> WeightedWords:
        """The weighted words of that name; empty where the language has none."""
        if (name, language) not in self._lexicons:
            self._lexicons[name, language] = WeightedWords.read(name, language)
        return self._lexicons[name, language]

    def phrasebook(self, name: str, language: str) -> PhraseTree:
        """The phrases of that name; empty where the language has none."""
        if (name, language) not in self._phrasebooks:
            self._phrasebooks[name, language] = PhraseTree.read(name, language)
        return self._phrasebooks[name, language]

    def words(self, name: str) -> frozenset[str]:
        """A plain list of folded words."""
        return plain_words(name)

    def vectoriser(self) -> Vectoriser:
        """What makes features of texts for every head."""
        return self._vectoriser

    def heads(self) -> Mapping[str, Head]:
        """The heads that the project ships, by name."""
        if self._heads is None:
            self._heads = shipped_heads()
        return self._heads

    def _pipeline(self, language: str) -> Language:
        if language not in self._pipelines:
            self._pipelines[language] = _load(self._names[language], language)
            self._recognisers[language] = Recogniser(self._pipelines[language])
        return self._pipelines[language]

    def _tokenizer(self, language: str) -> Language:
        if self.has_entity_model(language):
            return self._pipeline(language)
        if language not in self._tokenizers:
            self._tokenizers[language] = _by_rules(language)
        return self._tokenizers[language]

    def _recognise(self, docs: Sequence[Doc], language: str) -> None:
        """Mark the entities, in very long texts those of the first tokens only, and none where signs or the same few words go on
        and on."""
        told = [doc for doc in docs if _says_something(doc)]
        heads = [doc if len(doc) <= READ_TOKENS else doc[:READ_TOKENS].as_doc() for doc in told]
        for doc, head in zip(told, self._recognisers[language].read(heads), strict=True):
            if head is not doc:
                doc.set_ents([Span(doc, one.start, one.end, label=one.label) for one in head.ents])

    def _fold_into_lemmas(self, doc: Doc) -> None:
        """No lemmatiser runs, so the lemma's place is free for the folded word that phrases are matched by; the norm
        is left alone, for the entity model looks at it."""
        strings = doc.vocab.strings
        known = self._folded.setdefault(doc.vocab.lang, {})
        if len(known) > 200_000:
            known.clear()
        for token in doc:
            orth = token.orth
            folded = known.get(orth)
            if folded is None:
                folded = known[orth] = strings.add(fold(token.text))
            token.lemma = folded


def _by_rules(language: str) -> Language:
    """A tokenizer for a language without a model: spaCy's, and where it knows none, or takes seconds of the first text's time to
    make it ready, its rules for no language in particular."""
    if language not in SLOW_TO_LOAD:
        with suppress(ImportError):
            return spacy.blank(language)
    nlp = spacy.blank("xx")
    if language in ELIDES:
        tokenizer: Any = nlp.tokenizer
        tokenizer.infix_finditer = compile_infix_regex([*(nlp.Defaults.infixes or ()), _ELISION]).finditer
    return nlp


def _says_something(doc: Doc) -> bool:
    """Whether there may be names: of many tokens at least a few are different words."""
    if len(doc) <= MANY_TOKENS:
        return True
    looked_at = min(len(doc), READ_TOKENS)
    words = {token.orth for token in doc[:looked_at] if token.is_alpha and len(token) > 1}
    return len(words) * DIFFERENT >= looked_at


class _BlasOps(NumpyOps):  # type: ignore[misc]  # thinc comes without these types
    """thinc's numbers by numpy, with numpy's own matrix product: on many machines it is faster than the one that
    spaCy brings (up to 1.6 times for a whole pipeline), on others slower. The entities found are the same."""

    name = "numpy"

    def gemm(self, x: Any, y: Any, out: Any = None, trans1: bool = False, trans2: bool = False) -> Any:
        """The product of two matrices, each transposed first where asked, into `out` where given."""
        left, right = x.T if trans1 else x, y.T if trans2 else y
        if out is None:
            return left @ right
        return numpy.matmul(left, right, out=out)


@cache
def _choose_arithmetic() -> None:
    """Take the faster matrix product of the two on this machine: a few milliseconds, once per process."""
    x, y = numpy.ones((640, 288), dtype="f"), numpy.ones((288, 288), dtype="f")
    candidates = (NumpyOps(), _BlasOps(use_blis=False))
    took = [min(_seconds_of(ops, x, y) for _ in range(12)) for ops in candidates]  # the least: others may be busy too
    set_current_ops(candidates[took.index(min(took))])


def _seconds_of(ops: NumpyOps, x: Any, y: Any) -> float:
    began = time.perf_counter()
    ops.gemm(x, y)
    return time.perf_counter() - began


def _load(name: str, language: str) -> Language:
    _choose_arithmetic()
    setting = f"WEBCARE_SPACY_MODEL_{language.upper()}"
    try:
        if name == tuned.SHIPPED:
            return tuned.load(language, NOT_NEEDED)
        if Path(name).is_dir():
            return spacy.load(name, exclude=list(NOT_NEEDED))
        nlp: Language = importlib.import_module(name).load(exclude=list(NOT_NEEDED))
    except (ImportError, OSError, AttributeError, KeyError) as error:
        raise LookupError(
            f"The spaCy model {name!r} for {language!r} cannot be loaded ({error}); install it, or set {setting} to the"
            " import name or folder of another one, or to nothing to do without."
        ) from error
    return nlp
