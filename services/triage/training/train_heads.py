"""Trains linear heads: the shipped ones and a workspace's own, by the same function. Seeded: the same rows, the same head."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy
from numpy.typing import NDArray
from scipy import optimize, sparse
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from services.triage.words.features import SIGNS, Block, Features
from services.triage.words.heads import Head, Kind, hits_of

Floats = NDArray[numpy.float64]
Rarity = NDArray[numpy.uint8]
Labels = Sequence[str] | Sequence[Collection[str]]


class TooFewLabels(ValueError):
    """There is too little to learn from; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a head is trained. `bits` are those of the words' and of the letters' hashes (2 ** bits weights per label), `cost`
    the support vector machine's C, `signs` how much the signs weigh against n-grams; `even` gives each label the same say,
    whatever its share (calibrated for an even mix, too); `folds` are for calibration."""

    bits: tuple[int, int] = (17, 17)
    cost: float = 0.3
    signs: float = 0.3
    even: bool = True
    folds: int = 4
    evenly: float = 1.0
    """With `even`, how far: 1 wholly, less where rare labels would be named too readily."""
    known: float = 0.3
    """What is added to each count before its logarithm is taken, see `_leanings`."""
    lean: float = 0.0
    """How far n-grams are stretched by the side they lean to: 1 wholly, 0 not at all. It pays with tens of thousands of rows."""
    right: float = 0.6
    """`unsure_below` is put where answers are right less often than this."""
    rare: bool = False
    """Whether n-grams that few texts have count more. It pays where labels are told apart by their subject."""
    words: float = 1.0
    """How much words weigh against letters."""
    hits: float = 0.3
    """How much what was found in a text otherwise weighs against n-grams."""


OF_SUBJECTS: Final = Recipe(bits=(16, 17), cost=0.1, rare=True, words=0.7, evenly=0.85)
"""For heads that tell what a text is about, from a workspace's own labels."""


def train_head(
    rows: Features,
    labels: Labels,
    *,
    name: str,
    kind: Kind = "one_of",
    order: Sequence[str] | None = None,
    recipe: Recipe = Recipe(),
    weights: Sequence[float] | None = None,
    hits: Sequence[Collection[str]] | None = None,
    seed: int = 0,
    about: Mapping[str, Any] = MappingProxyType({}),
) -> Head:
    """A head that tells these labels apart.

    `rows` are the n texts' features (Vectoriser.rows_of); `labels` n labels, or for `any_of` n collections of labels, which
    may be empty. `order` names the labels in the order wanted (by default sorted; for `yes_no` no comes first). `weights`
    (n,) lets some rows count more. `hits` (n,) are names of what was found in each text otherwise; the head asks for the same
    wherever it is asked. Calibration is fitted on what each fold's head says of the rows it did not see; the head
    itself is fitted on all rows. Raises TooFewLabels where a label has fewer than two rows, or there is only one label.
    """
    known = tuple(order) if order else tuple(sorted({one for label in labels for one in _each(label)}))
    target = _target(labels, known, kind)
    _hold(target, known, kind)
    rare = (_rarity(rows.words, recipe.bits[0]), _rarity(rows.letters, recipe.bits[1])) if recipe.rare else (None, None)
    found = tuple(sorted({one for held in hits or () for one in held}))
    matrix = matrix_of(rows, recipe, rare, hits_of(hits or (), found) if found else None)
    each = numpy.ones(len(labels)) if weights is None else numpy.asarray(weights, dtype=numpy.float64)
    coefficients, bias = _fit(matrix, target, each, recipe, seed, kind)
    held = _out_of_fold(matrix, target, each, recipe, seed, kind)
    head = replace(
        _packed(name, known, kind, coefficients, bias, recipe),
        rare_words=rare[0],
        rare_letters=rare[1],
        hits=found,
        hit_weights=(coefficients[:, -len(found) :] * recipe.hits).astype(numpy.float32) if found else None,
    )
    return replace(_calibrated(head, held, target, recipe), about=MappingProxyType({**about, "rows": len(labels)}))


def matrix_of(
    rows: Features,
    recipe: Recipe,
    rare: tuple[Rarity | None, Rarity | None] = (None, None),
    hits: NDArray[numpy.float32] | None = None,
) -> sparse.csr_matrix:
    """(n, 2 ** bits + 2 ** bits + signs + hits) what the fit sees."""
    parts = [
        csr_of(block, bits, rarity) * weight
        for block, bits, rarity, weight in zip(
            (rows.words, rows.letters), recipe.bits, rare, (recipe.words, 1.0), strict=True
        )
    ]
    parts.append(sparse.csr_matrix(rows.signs.astype(numpy.float64) * recipe.signs))
    if hits is not None:
        parts.append(sparse.csr_matrix(hits.astype(numpy.float64) * recipe.hits))
    return sparse.hstack(parts, format="csr")


def csr_of(block: Block, bits: int, rare: Rarity | None = None) -> sparse.csr_matrix:
    """(n, 2 ** bits) the n-grams of a block, as a head with this rarity sees them."""
    columns = (block.hashes & numpy.uint32((1 << bits) - 1)).astype(numpy.int64)
    values = block.weighed(rare).astype(numpy.float64)
    made = sparse.csr_matrix((values, columns, block.starts), shape=(len(block.starts) - 1, 1 << bits))
    made.sum_duplicates()
    return made


def _rarity(block: Block, bits: int) -> Rarity:
    """(2 ** bits,) how rare the n-grams of each bucket are among the rows: the logarithm of one in how many texts, in steps of
    a twentieth. Their common scale is of no account, as texts are brought to length 1."""
    texts = len(block.starts) - 1
    having = numpy.bincount(csr_of(block, bits).indices, minlength=1 << bits)
    steps = 20 * (numpy.log((1 + texts) / (1 + having)) + 1)
    return numpy.clip(numpy.round(steps), 1, 255).astype(numpy.uint8)


def _each(label: str | Collection[str]) -> Collection[str]:
    return (label,) if isinstance(label, str) else label


def _target(labels: Labels, known: Sequence[str], kind: Kind) -> NDArray[numpy.int64]:
    """(n,) the number of the label; for any_of (n, labels) 0 or 1."""
    number = {label: at for at, label in enumerate(known)}
    if kind != "any_of":
        return numpy.array([number[str(label)] for label in labels], dtype=numpy.int64)
    target = numpy.zeros((len(labels), len(known)), dtype=numpy.int64)
    for row, held in enumerate(labels):
        for label in _each(held):
            target[row, number[label]] = 1
    return target


def _hold(target: NDArray[numpy.int64], known: Sequence[str], kind: Kind) -> None:
    if kind == "any_of":
        counts = target.sum(axis=0)
        counts = numpy.minimum(counts, len(target) - counts)
    else:
        counts = numpy.bincount(target, minlength=len(known))
        if len(known) < 2:
            raise TooFewLabels("There is only one label; correct some mentions to another one first.")
    for label, count in zip(known, counts, strict=True):
        if count < 2:
            raise TooFewLabels(f"{label!r} needs two examples or more, and as many of the others; it has {count}.")


def _columns(target: NDArray[numpy.int64], kind: Kind) -> NDArray[numpy.int64]:
    """(n, K) 0 or 1: what each column of weights has to tell."""
    if kind == "any_of":
        return target
    if kind == "yes_no":
        return target[:, None]
    held: NDArray[numpy.int64] = (target[:, None] == numpy.arange(target.max() + 1)).astype(numpy.int64)
    return held


def _fit(
    matrix: sparse.csr_matrix,
    target: NDArray[numpy.int64],
    each: Floats,
    recipe: Recipe,
    seed: int,
    kind: Kind,
    columns: int | None = None,
) -> tuple[Floats, Floats]:
    """(K, features) and (K,): one machine per column."""
    wanted = _columns(target, kind)
    count = columns or wanted.shape[1]
    coefficients, bias = numpy.zeros((count, matrix.shape[1])), numpy.full(count, -1.0)
    share = _shares(target, each, recipe, kind)
    for column in range(wanted.shape[1]):
        asked = wanted[:, column]
        if asked.min() == asked.max():
            continue  # a fold without this label
        machine = LinearSVC(C=recipe.cost, random_state=seed, dual=True, max_iter=4_000)
        leaning = _leanings(matrix, asked, recipe)
        machine.fit(matrix @ sparse.diags(leaning), asked, sample_weight=share[:, min(column, share.shape[1] - 1)])
        coefficients[column], bias[column] = machine.coef_[0] * leaning, machine.intercept_[0]
    return coefficients, bias


def _leanings(matrix: sparse.csr_matrix, asked: NDArray[numpy.int64], recipe: Recipe) -> Floats:
    """(features,) n-grams that stand on one side much oftener than on the other are stretched before the fit, so that they
    cost it less (as in NB-SVM, Wang and Manning 2012, but never to nothing); the stretch is folded into the weights."""
    words, letters = 1 << recipe.bits[0], 1 << recipe.bits[1]
    stretch = numpy.ones(matrix.shape[1])
    yes = numpy.asarray(matrix[asked == 1].sum(axis=0)).ravel()[: words + letters] + recipe.known
    no = numpy.asarray(matrix[asked == 0].sum(axis=0)).ravel()[: words + letters] + recipe.known
    for part in (slice(0, words), slice(words, words + letters)):
        ratio = numpy.log((yes[part] / yes[part].sum()) / (no[part] / no[part].sum()))
        stretch[part] = (1 - recipe.lean) + recipe.lean * (0.4 + numpy.minimum(numpy.abs(ratio), 2.0))
    return stretch


def _shares(target: NDArray[numpy.int64], each: Floats, recipe: Recipe, kind: Kind) -> Floats:
    """(n, 1 or K) how much each row counts."""
    if not recipe.even:
        return each[:, None]
    if kind != "any_of":
        counts = numpy.bincount(target, weights=each)
        present = counts > 0
        factor = numpy.where(present, counts.sum() / (present.sum() * numpy.maximum(counts, 1e-9)), 0.0)
        factor = factor**recipe.evenly
        return (each * factor[target])[:, None]
    yes = (target * each[:, None]).sum(axis=0)
    rest = each.sum() - yes
    lift = numpy.sqrt(numpy.maximum(rest, 1) / numpy.maximum(yes, 1))  # half way to even: rare labels stay rare
    return each[:, None] * numpy.where(target == 1, lift, 1.0)


def _out_of_fold(
    matrix: sparse.csr_matrix, target: NDArray[numpy.int64], each: Floats, recipe: Recipe, seed: int, kind: Kind
) -> Floats:
    """(n, K) margins of rows by heads that did not see them."""
    strata = target if kind != "any_of" else target @ (1 << numpy.arange(target.shape[1]) % 20)
    count = target.shape[1] if kind == "any_of" else 1 if kind == "yes_no" else int(target.max()) + 1
    folds = recipe.folds if len(target) < _MANY else 2
    folds = max(2, min(folds, int(numpy.bincount(target).min()) if kind != "any_of" else folds))
    margins = numpy.zeros((matrix.shape[0], count))
    for seen, held in _folds(strata, folds, seed):
        coefficients, bias = _fit(matrix[seen], target[seen], each[seen], recipe, seed, kind, count)
        margins[held] = matrix[held] @ coefficients.T + bias
    return margins


def _folds(strata: NDArray[numpy.int64], folds: int, seed: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    counts = numpy.unique(strata, return_inverse=True, return_counts=True)
    common = numpy.where(counts[2][counts[1]] >= folds, strata, -1)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(numpy.zeros(len(strata)), common))


def _packed(name: str, labels: tuple[str, ...], kind: Kind, weights: Floats, bias: Floats, recipe: Recipe) -> Head:
    """Rounded to whole numbers; each label's largest weight is 127, but for a few that are cut."""
    words, letters = 1 << recipe.bits[0], 1 << recipe.bits[1]
    parts = (weights[:, :words] * recipe.words, weights[:, words : words + letters])
    scales = numpy.stack([scale_of(part) for part in parts])
    rounded = [
        numpy.clip(numpy.round(part / scale[:, None]), -127, 127).astype(numpy.int8)
        for part, scale in zip(parts, scales, strict=True)
    ]
    ones = numpy.ones(len(bias), dtype=numpy.float32)
    return Head(
        name=name,
        labels=labels,
        kind=kind,
        words=rounded[0],
        letters=rounded[1],
        signs=(weights[:, words + letters :][:, : len(SIGNS)] * recipe.signs).astype(numpy.float32),
        scales=scales.astype(numpy.float32),
        bias=bias.astype(numpy.float32),
        slope=ones,
        offset=0 * ones,
    )


def scale_of(part: Floats) -> Floats:
    """(K,) so that all but one weight in ten thousand of those in use fit."""
    found = []
    for row in numpy.abs(part):
        used = row[row > 0]
        found.append((numpy.quantile(used, 0.9999) if len(used) else 1.0) / 127)
    scales: Floats = numpy.maximum(numpy.array(found), 1e-9)
    return scales


def _calibrated(head: Head, margins: Floats, target: NDArray[numpy.int64], recipe: Recipe) -> Head:
    """With the slope and offset that make the held-out rows likeliest, and the confidence below which it is unsure."""
    if head.kind == "one_of":
        slope, offset = _softmax_fit(margins, target, recipe)
    else:
        wanted = _columns(target, head.kind)
        fits = [
            _platt(margins[:, column], wanted[:, column], even=recipe.even and head.kind == "yes_no")
            for column in range(margins.shape[1])
        ]
        slope, offset = numpy.array([fit[0] for fit in fits]), numpy.array([fit[1] for fit in fits])
    head = replace(head, slope=slope.astype(numpy.float32), offset=offset.astype(numpy.float32))
    return replace(head, unsure_below=_unsure_below(head, margins, target, recipe))


def _softmax_fit(margins: Floats, target: NDArray[numpy.int64], recipe: Recipe) -> tuple[Floats, Floats]:
    """One slope for all labels: how sure it is changes, which label wins does not. With soft targets, as Platt's: few rows that
    are all told apart do not make it certain."""
    count = margins.shape[1]
    share = 1 / numpy.bincount(target, minlength=count).clip(1) if recipe.even else numpy.ones(count)
    weight = share[target] / share[target].sum()
    held = numpy.bincount(target, minlength=count)
    soft = numpy.repeat((1 / ((held + 2) * max(count - 1, 1)))[target][:, None], count, axis=1)
    soft[numpy.arange(len(target)), target] = ((held + 1) / (held + 2))[target]
    meant = (soft * margins).sum(axis=1)

    def loss(slope: float) -> float:
        scaled = numpy.exp(slope) * margins
        top = scaled.max(axis=1)
        total = top + numpy.log(numpy.exp(scaled - top[:, None]).sum(axis=1))
        return float((weight * (total - numpy.exp(slope) * meant)).sum())

    best = float(optimize.minimize_scalar(loss, bounds=(-3.0, 4.0), method="bounded").x)
    return numpy.full(count, numpy.exp(best)), numpy.zeros(count)


def _platt(margins: Floats, wanted: NDArray[numpy.int64], *, even: bool) -> tuple[float, float]:
    """Slope and offset of a logistic curve through what was held out, with Platt's soft targets."""
    yes, no = int(wanted.sum()), int((1 - wanted).sum())
    soft = numpy.where(wanted == 1, (yes + 1) / (yes + 2), 1 / (no + 2))
    weight = (
        numpy.where(wanted == 1, 0.5 / max(yes, 1), 0.5 / max(no, 1))
        if even
        else numpy.full(len(wanted), 1 / len(wanted))
    )

    def loss(values: Floats) -> tuple[float, Floats]:
        scaled = numpy.exp(values[0]) * margins + values[1]
        wrong = (weight * (numpy.logaddexp(0, scaled) - soft * scaled)).sum()
        slip = weight * (1 / (1 + numpy.exp(-scaled.clip(-30, 30))) - soft)
        return wrong, numpy.array([(slip * margins).sum() * numpy.exp(values[0]), slip.sum()])

    best = optimize.minimize(loss, numpy.zeros(2), jac=True, method="L-BFGS-B").x
    return float(numpy.exp(best[0])), float(best[1])


_MANY: Final = 20_000
"""With so many rows half of them are enough to calibrate on."""
_STEPS: Final = numpy.arange(0.3, 0.96, 0.01)


def _unsure_below(head: Head, margins: Floats, target: NDArray[numpy.int64], recipe: Recipe) -> float:
    """The least confidence at which answers around it are right at least `recipe.right` of the time."""
    chances = head.probabilities(margins.astype(numpy.float32))
    if head.kind == "any_of":
        sure = numpy.maximum(chances, 1 - chances).ravel()
        right = ((chances >= 0.5) == (target == 1)).ravel()
    else:
        sure = chances.max(axis=1)
        right = chances.argmax(axis=1) == target
    for step in _STEPS:
        near = numpy.abs(sure - step) <= 0.05
        if near.sum() >= 20 and right[near].mean() >= recipe.right:
            return round(float(step), 2)
    return 0.5
