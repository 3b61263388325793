"""One figure of quality on labelled data, with the figure of something known beside it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured on which data (`task`), by which measure (`metric`), ours and the baseline's; 0 to 1 unless the
    metric says otherwise. `baseline` is None where there is nothing to set beside it; `baseline_name` says what it is."""

    task: str
    metric: str
    ours: float
    baseline: float | None
    baseline_name: str
