"""Refits a head that is there with a workspace's own rows: what it knows stays, and the rows move it where they disagree.

The new head is the old one plus a difference D, fitted by logistic regression with the old head's margins as the offset:

    loss(D, b) = sum of weight * cross-entropy(label, slope * margin_old + offset + x D + b) + (|D|^2 + |b|^2) / (2 cost)

so that no row means no change, and n-grams that no row has stay as they were. Rows of rare labels count more, and n-grams that few
rows have may move further: both were chosen on an airline's earlier mentions. The bias is held as the weights are: people correct
what was wrong, so that corrections lean to a few labels, and a free bias would lean with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy
from numpy.typing import NDArray
from scipy import optimize, sparse, special

from services.triage.training.train_heads import TooFewLabels, csr_of, scale_of
from services.triage.words.features import Features
from services.triage.words.heads import Head

Floats = NDArray[numpy.float64]

COST: Final = 1.0
"""How far the rows may move the head; the larger, the further."""
LIFT: Final = 0.5
"""How far rare labels are lifted: 1 gives each the same say, 0 each row."""
FURTHER: Final = 4.0
"""An n-gram moves as far as this one's logarithm of rarity (1 where all rows have it) goes into its own."""
SIGNS: Final = 0.3
"""How much the signs weigh against n-grams, as in training from nothing."""


def adapt_head(
    head: Head,
    rows: Features,
    labels: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    cost: float = COST,
    about: Mapping[str, Any] = MappingProxyType({}),
) -> Head:
    """The head moved by n rows. `labels` are among the head's own; `weights` (n,) lets some rows count more. For `one_of` and
    `yes_no`. Raises TooFewLabels where there is no row, ValueError for a label that the head does not have."""
    if head.kind == "any_of":
        raise ValueError("A head of several labels is trained anew.")
    if not labels:
        raise TooFewLabels("There is nothing to learn from.")
    number = {label: at for at, label in enumerate(head.labels)}
    if strangers := sorted({label for label in labels if label not in number}):
        raise ValueError(f"{head.name} has no label {', '.join(strangers)}; it has {', '.join(head.labels)}.")
    target = numpy.array([number[label] for label in labels])
    each = numpy.ones(len(labels)) if weights is None else numpy.asarray(weights, dtype=numpy.float64)
    matrix, used = _used(rows, head)
    held = (head.margins(rows) * head.slope + head.offset).astype(numpy.float64)
    reach = _reach(matrix, used, head)
    moved, bias = _fit(matrix @ sparse.diags(reach), target, each * _lift(target, each), held, cost)
    return replace(_moved(head, used, moved * reach, bias), about=MappingProxyType({**about, "rows": len(labels)}))


def _used(rows: Features, head: Head) -> tuple[sparse.csr_matrix, NDArray[numpy.int64]]:
    """(n, columns) of the n-grams and signs that any row has, and which columns of the head those are."""
    parts = [
        csr_of(block, weights.shape[1].bit_length() - 1, rare)
        for block, weights, rare in (
            (rows.words, head.words, head.rare_words),
            (rows.letters, head.letters, head.rare_letters),
        )
    ]
    whole = sparse.hstack([*parts, sparse.csr_matrix(rows.signs.astype(numpy.float64) * SIGNS)], format="csc")
    used = numpy.flatnonzero(numpy.diff(whole.indptr))
    return whole[:, used].tocsr(), used


def _lift(target: NDArray[numpy.int64], each: Floats) -> Floats:
    """(n,) how much each row counts by its label, 1 in the mean."""
    counts = numpy.bincount(target, weights=each)
    lift: Floats = (each.sum() / numpy.maximum(counts, 1e-9))[target] ** LIFT
    lift *= each.sum() / (lift * each).sum()
    return lift


def _reach(matrix: sparse.csr_matrix, used: NDArray[numpy.int64], head: Head) -> Floats:
    """(columns,) how far each may move: rare n-grams further, signs as far as ever."""
    having = numpy.bincount(matrix.indices, minlength=matrix.shape[1])
    reach: Floats = (numpy.log((1 + matrix.shape[0]) / (1 + having)) + 1) / FURTHER
    reach[used >= head.words.shape[1] + head.letters.shape[1]] = 1.0
    return reach


def _fit(
    matrix: sparse.csr_matrix, target: NDArray[numpy.int64], each: Floats, held: Floats, cost: float
) -> tuple[Floats, Floats]:
    """(K, columns) and (K,): the difference. K is 1 for yes_no, whose margin is the log-odds of the second label."""
    count, width = held.shape[1], matrix.shape[1]
    wanted = target[:, None] == (numpy.array([1]) if count == 1 else numpy.arange(count))
    across = matrix.T.tocsr()

    def loss(values: Floats) -> tuple[float, Floats]:
        moved, bias = values[: count * width].reshape(count, width), values[count * width :]
        scaled = held + matrix @ moved.T + bias
        if count == 1:
            chances = 1 / (1 + numpy.exp(-scaled.clip(-30, 30)))
            wrong = (each[:, None] * (numpy.logaddexp(0, scaled) - wanted * scaled)).sum()
        else:
            logs = scaled - special.logsumexp(scaled, axis=1, keepdims=True)
            chances = numpy.exp(logs)
            wrong = -(each * logs[wanted]).sum()
        slip = (chances - wanted) * each[:, None]
        slope = (across @ slip).T + moved / cost
        held_back = ((moved**2).sum() + (bias**2).sum()) / (2 * cost)
        return float(wrong + held_back), numpy.concatenate([slope.ravel(), slip.sum(axis=0) + bias / cost])

    start = numpy.zeros(count * width + count)
    best = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    return best[: count * width].reshape(count, width), best[count * width :]


def _moved(head: Head, used: NDArray[numpy.int64], moved: Floats, bias: Floats) -> Head:
    """The head with the difference in its weights. Margins are those of the calibrated head from here on."""
    words, letters = head.words.shape[1], head.letters.shape[1]
    slope = head.slope.astype(numpy.float64)[:, None]
    whole = numpy.hstack(
        [
            head.words * head.scales[0].astype(numpy.float64)[:, None] * slope,
            head.letters * head.scales[1].astype(numpy.float64)[:, None] * slope,
            head.signs.astype(numpy.float64) * slope,
        ]
    )
    share = numpy.where(used >= words + letters, SIGNS, 1.0)
    whole[:, used] += moved * share
    parts = (whole[:, :words], whole[:, words : words + letters])
    scales = numpy.stack([scale_of(part) for part in parts])
    rounded = [
        numpy.clip(numpy.round(part / scale[:, None]), -127, 127).astype(numpy.int8)
        for part, scale in zip(parts, scales, strict=True)
    ]
    return replace(
        head,
        words=rounded[0],
        letters=rounded[1],
        signs=whole[:, words + letters :].astype(numpy.float32),
        scales=scales.astype(numpy.float32),
        bias=(head.bias * head.slope + head.offset + bias).astype(numpy.float32),
        slope=numpy.ones_like(head.slope),
        offset=numpy.zeros_like(head.offset),
    )
