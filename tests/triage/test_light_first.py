"""Long texts do not make the others of their batch wait."""

from services.triage.worker import LONG, LONG_TOGETHER, _the_light_first
from tests.triage.building import a_mention


def test_long_texts_come_after_the_others_a_few_at_a_time() -> None:
    batch = [a_mention("word " * (LONG if n % 2 else 5)) for n in range(8)]
    groups = [list(group) for group in _the_light_first(batch)]
    assert groups == [batch[::2], *([batch[1::2][n], batch[1::2][n + 1]] for n in range(0, 4, LONG_TOGETHER))]
    assert list(_the_light_first([])) == []
    assert [len(group) for group in _the_light_first(batch[1::2])] == [2, 2]
