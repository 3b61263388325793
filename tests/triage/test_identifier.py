"""Many texts read together get the odds that py3langid gives each alone."""

import numpy
import pytest

from services.triage.identifier import CHUNK, LONGEST, Identifier

TEXTS = (
    "Where is my order?", "Waar blijft mijn bestelling?", "CHEAP FLIGHTS FROM £9", "Ça ne marche plus depuis l'été",
    "いつ届きますか", "لا يوجد إنترنت", "Где мой заказ", "สวัสดีครับ", "🔥🔥", "12345", "", " ", "a", "\ud800 half a sign",
    "Grüße aus München, das Paket fehlt", "é" * 300, "x" * 5_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    return Identifier()


def test_it_reads_quickly_and_says_the_same(identifier: Identifier) -> None:
    assert identifier.quick
    alone = identifier._one_by_one(TEXTS)
    assert numpy.allclose(identifier.odds(TEXTS), alone, atol=1e-5)


def test_a_neighbour_changes_nothing(identifier: Identifier) -> None:
    crowd = [text for text in TEXTS for _ in range(CHUNK // 4)]
    together = identifier.odds(crowd)
    assert together.shape == (len(crowd), len(identifier.codes))
    for at in range(0, len(crowd), 7):
        assert numpy.allclose(together[at], identifier.odds([crowd[at]])[0], atol=1e-5)


def test_no_word_part_of_the_model_is_longer_than_is_looked_back(identifier: Identifier) -> None:
    """The steps from the beginning to the farthest state are the bytes of the longest part."""
    moves = identifier._moves.reshape(-1, 256)
    rows = identifier._rows >> 8
    reached = numpy.zeros(len(rows), dtype=bool)
    reached[0] = True
    last, steps = numpy.array([0]), -1
    while len(last):
        steps += 1
        near = numpy.zeros(len(rows), dtype=bool)
        near[moves[rows[last]].ravel()] = True
        last = numpy.flatnonzero(near & ~reached)
        reached |= near
    assert reached.all()
    assert steps == LONGEST


def test_another_model_is_read_text_by_text(identifier: Identifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where looking back that far did not give what py3langid gives, the slow way is taken."""
    monkeypatch.setattr("services.triage.identifier.LONGEST", 2)
    assert not identifier._agrees()
    monkeypatch.setattr(identifier, "quick", False)
    assert numpy.array_equal(identifier.odds(TEXTS[:3]), identifier._one_by_one(TEXTS[:3]))
