"""Tunes the English entity recogniser on social text: `train(data, out, progress)` writes `ner.en.bin`, the same bytes each time.

The recogniser of the base pipeline goes on learning from WNUT-17 (each sentence twice) and the Broad Twitter Corpus without its
held-out section, and from sentences of our own about products and works, which those sets hardly name. Broad Twitter does not
label products and works, so that its silence about them would teach the model to drop them: what a first model, taught by WNUT-17
alone, takes for one there is left open. After each epoch the running mean of the weights is tried on a tenth of the training
data that is not trained on; the best epoch is kept.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam, Optimizer, fix_random_seed, set_current_ops

from services.triage import library, tuned
from services.triage.training import ner_sets
from services.triage.training.ner_sets import Sentence

NAME: Final = "webcare_ner"
VERSION: Final = "1"
SEED: Final = 7
FIRST_EPOCHS: Final = 3
"""Epochs of the first model, on WNUT-17 alone."""
EPOCHS: Final = 6
BATCH: Final = 32
DROPOUT: Final = 0.2
RATE: Final = 5e-4
TWICE: Final = 2
WRITTEN: Final = 1_500
"""Sentences of our own in each epoch."""
LOWERED: Final = 0.05
RENAMED: Final = 0.4
"""The share of sentences that are put in lower case, and of persons that are given another given name."""

_FOLDER: Final = Path(__file__).parent
_LABELS: Final = {"PERSON": "PERSON", "ORG": "ORG", "PLACE": "GPE", "PRODUCT": "PRODUCT", "WORK": "WORK_OF_ART"}
_UNLABELLED: Final = ("PRODUCT", "WORK_OF_ART")
Open = tuple[tuple[int, int], ...]


def train(data: Path, out: Path, progress: Callable[[str], None]) -> dict[str, float]:
    """Tune on the sets in `data`, write `ner.en.bin` into the folder `out`, and give the figures by which the epoch was chosen."""
    set_current_ops(library._BlasOps(use_blis=False))  # noqa: SLF001  # not the faster of two: both give other last digits
    fix_random_seed(SEED)
    tuner = _Tuner(tuned.base("en", library.NOT_NEEDED), random.Random(SEED))
    wnut, wnut_choose = ner_sets.cut(ner_sets.read(data / ner_sets.WNUT_TRAIN))
    broad, broad_choose = ner_sets.cut(ner_sets.read(data / ner_sets.BROAD, without=ner_sets.HELD_OUT))
    stock = tuner.weights()
    for _ in range(FIRST_EPOCHS):
        tuner.epoch([(one, ()) for one in wnut])
    left_open = tuner.averaged(lambda: tuner.open_places(broad))
    progress(f"entities: {sum(map(len, left_open))} places in Broad Twitter may be products or works")
    tuner.put(stock)
    best, figures, kept = -1.0, {}, stock
    for epoch in range(1, EPOCHS + 1):
        tuner.epoch(
            [(one, ()) for one in wnut] * TWICE
            + list(zip(broad, left_open, strict=True))
            + [(one, ()) for one in tuner.written(WRITTEN)]
        )
        on_wnut, on_broad = tuner.averaged(lambda: [_f1(tuner.nlp, chosen) for chosen in (wnut_choose, broad_choose)])
        progress(f"entities: epoch {epoch} of {EPOCHS}, F1 {on_wnut:.3f} on WNUT-17, {on_broad:.3f} on Broad Twitter")
        if on_wnut + on_broad > best:
            best, kept = on_wnut + on_broad, tuner.averaged(tuner.weights)
            figures = {"epoch": float(epoch), "wnut_cut_f1": on_wnut, "broad_cut_f1": on_broad}
    tuner.put(kept)
    out.mkdir(parents=True, exist_ok=True)
    (out / "ner.en.bin").write_bytes(tuned.packed(tuner.nlp, NAME, VERSION))
    return figures


def recognised(nlp: Language, sentences: Sequence[Sentence]) -> list[list[ner_sets.Span]]:
    """What a pipeline's recogniser finds among the given words, in the types of the sets."""
    docs = [Doc(nlp.vocab, words=list(one.words)) for one in sentences]
    ner: Any = nlp.get_pipe("ner")
    for _ in ner.pipe(docs, batch_size=64):
        pass
    types = ner_sets.MODEL_TYPES
    return [[(one.start, one.end, types[one.label_]) for one in doc.ents if one.label_ in types] for doc in docs]


def _f1(nlp: Language, sentences: Sequence[Sentence]) -> float:
    return ner_sets.score(sentences, recognised(nlp, sentences)).f1


class _Tuner:
    """A recogniser that goes on learning."""

    def __init__(self, nlp: Language, chance: random.Random) -> None:
        self.nlp, self.chance = nlp, chance
        self._ner: Any = nlp.get_pipe("ner")
        self._optimizer = _optimizer()
        names = _FOLDER / "written" / "given_names.yaml"
        told: Mapping[str, list[str]] = yaml.safe_load(names.read_text(encoding="utf-8"))
        self._english = " ".join(told["en"]).split()
        self._all = " ".join(line for lines in told.values() for line in lines).split()

    def weights(self) -> dict[tuple[int, str], Any]:
        """A copy of every matrix of the model."""
        return {
            (at, name): node.get_param(name).copy()
            for at, node in enumerate(self._ner.model.walk())
            for name in node.param_names
        }

    def put(self, weights: Mapping[tuple[int, str], Any]) -> None:
        """Start over from these weights."""
        for at, node in enumerate(self._ner.model.walk()):
            for name in node.param_names:
                node.set_param(name, weights[at, name].copy())
        self._optimizer = _optimizer()

    def averaged(self, ask: Callable[[], Any]) -> Any:
        """What `ask` answers while the running means of the weights stand in their place."""
        with self.nlp.use_params(self._optimizer.averages):
            return ask()

    def epoch(self, material: list[tuple[Sentence, Open]]) -> None:
        """Learn from all of it once, in an order of its own."""
        self.chance.shuffle(material)
        for start in range(0, len(material), BATCH):
            batch = [
                self._example(*self._varied(one), left) for one, left in material[start : start + BATCH] if one.words
            ]
            self._ner.update(batch, drop=DROPOUT, sgd=self._optimizer)

    def open_places(self, sentences: Sequence[Sentence]) -> list[Open]:
        """For each sentence the places where the model sees a product or a work and the set says nothing."""
        docs = [Doc(self.nlp.vocab, words=list(one.words)) for one in sentences]
        for _ in self._ner.pipe(docs, batch_size=64):
            pass
        return [
            tuple(
                (ent.start, ent.end)
                for ent in doc.ents
                if ent.label_ in _UNLABELLED
                and not any(ent.start < end and start < ent.end for start, end, _ in one.spans)
            )
            for one, doc in zip(sentences, docs, strict=True)
        ]

    def written(self, count: int) -> list[Sentence]:
        """Sentences of our own about products and works, put together by chance."""
        told = yaml.safe_load((_FOLDER / "written" / "things.en.yaml").read_text(encoding="utf-8"))
        patterns = told["sentences"].strip().split("\n")
        things = {
            kind: [name.strip() for name in re.split(r"[,\n]", told[f"{kind}s"]) if name.strip()]
            for kind in ("product", "work")
        }
        made = []
        for _ in range(count):
            words: list[str] = []
            spans: list[ner_sets.Span] = []
            for piece in re.split(r"(\{\w+\})", self.chance.choice(patterns)):
                if not piece.startswith("{"):
                    words += piece.split()
                    continue
                kind = piece[1:-1]
                name = self.chance.choice(things[kind])
                name = name.lower() if self.chance.random() < 0.15 else name
                tokens = [token.text for token in self.nlp.tokenizer(name)]
                spans.append((len(words), len(words) + len(tokens), kind.upper()))
                words += tokens
            if self.chance.random() < 0.4:
                words[0] = words[0][:1].upper() + words[0][1:]
            made.append(Sentence(tuple(words), tuple(spans)))
        return made

    def _varied(self, one: Sentence) -> tuple[list[str], tuple[ner_sets.Span, ...]]:
        """The sentence with some of its people named otherwise, and now and then in lower case."""
        words = list(one.words)
        skipped = ner_sets.handles(words)
        for start, _, kind in one.spans:
            if (
                kind == "PERSON"
                and start not in skipped
                and words[start][:1].isalpha()
                and self.chance.random() < RENAMED
            ):
                name = self.chance.choice(self._english if self.chance.random() < 0.6 else self._all)
                old = words[start]
                words[start] = (
                    name.lower() if old.islower() else name.upper() if old.isupper() and len(old) > 1 else name
                )
        return ([word.lower() for word in words] if self.chance.random() < LOWERED else words), one.spans

    def _example(self, words: Sequence[str], spans: Sequence[ner_sets.Span], left_open: Open) -> Example:
        read, meant = Doc(self.nlp.vocab, words=list(words)), Doc(self.nlp.vocab, words=list(words))
        meant.set_ents(
            [Span(meant, start, end, label=_LABELS[kind]) for start, end, kind in spans],
            missing=[Span(meant, start, end) for start, end in left_open],
            default="outside",
        )
        return Example(read, meant)


def _optimizer() -> Optimizer:
    adam: Optimizer = Adam(RATE, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=True)
    return adam
