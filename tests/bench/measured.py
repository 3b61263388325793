"""One figure beside its floor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured: ours, the floor of the same run, their ratio, and what we want it to be."""

    what: str
    ours: str
    floor: str
    ratio: float
    goal: str
    floor_is: str


def median(values: list[float]) -> float:
    """The middle value; noise on a shared machine is one-sided, so a mean would follow it."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
