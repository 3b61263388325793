"""How fast this machine is at this moment, for limits in seconds of CPU: they hold on a machine that is slower, or busy."""

import re
import time

ORDINARY_S = 0.06
"""What the work below takes where the limits were set, with nothing else to do."""


def slowness() -> float:
    """How many times longer than usual work takes here now; never less than 1."""
    began = time.process_time()
    total, seen = 0, dict[int, int]()
    for number in range(200_000):
        total = (total * 31 + number) % 1_000_003
        seen[total % 4_096] = number
    re.findall(r"[a-z]+\d", "word1 other2 " * 20_000)
    return max(1.0, (time.process_time() - began) / ORDINARY_S)
