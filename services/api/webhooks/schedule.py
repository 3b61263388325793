"""When a webhook is tried again, and what an answer means: pure rules."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

# Before the first, second, … tenth try: 75.6 hours in all (the sample schedule of Standard Webhooks).
DELAYS_S: tuple[float, ...] = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
TRIES = len(DELAYS_S)
JITTER = 0.2
LONGEST_WAIT_S = 86_400.0
FAILING_FOR_S = 5 * 86_400.0

DELIVERED, PENDING, FAILED, DISCARDED = "delivered", "pending", "failed", "discarded"
_GONE = 410
_GONE_S = 5.0  # until it is written that the endpoint is disabled
_BUSY = frozenset({429, 503})

Chance = Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a try brought: a status, or an error where no answer came. `wait` is the receiver's Retry-After, `abort` its
    `webhook-delivery: abort-message`, `excerpt` the beginning of what it said."""

    status: int | None = None
    error: str | None = None
    excerpt: str | None = None
    latency_ms: float = 0.0
    wait: timedelta | None = None
    abort: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a try. `reached`: the endpoint is well, ails, or (None) neither was shown. `pause_s`: leave the
    endpoint alone for so long. `gone`: it wants nothing any more."""

    state: str
    error: str | None = None
    delay_s: float = 0.0
    reached: bool | None = True
    gone: bool = False
    pause_s: float = 0.0


def next_delay(tries: int, chance: Chance = random.uniform) -> float | None:
    """Seconds until the next try after `tries` were made, 20 % more or less; None where they are used up."""
    if tries >= TRIES:
        return None
    return DELAYS_S[tries] * chance(1 - JITTER, 1 + JITTER)


def judge(outcome: Outcome, tries_before: int, chance: Chance = random.uniform) -> Verdict:
    """What a try means. Only 2xx is success; a redirect is not followed, for a signed body is not for whoever stands
    there."""
    status = outcome.status
    if status is not None and 200 <= status < 300:
        return Verdict(DELIVERED)
    if status == _GONE:
        error = "The receiver answered 410: it wants nothing any more."
        return Verdict(FAILED, error, reached=None, gone=True, pause_s=_GONE_S)
    if outcome.abort:
        return Verdict(DISCARDED, f"The receiver answered {status} and asked us to drop this message.", reached=None)
    error = outcome.error or _said(status)
    wait = min(max(outcome.wait.total_seconds(), 0.0), LONGEST_WAIT_S) if outcome.wait is not None else 0.0
    pause = wait if status in _BUSY else 0.0
    delay = next_delay(tries_before + 1, chance)
    if delay is None:
        return Verdict(FAILED, f"{error} It was try {TRIES} of {TRIES}.", reached=False, pause_s=pause)
    return Verdict(PENDING, error, max(delay, wait), reached=False, pause_s=pause)


def _said(status: int | None) -> str:
    if status is not None and 300 <= status < 400:
        return f"The receiver answered {status}; redirects are not followed, so enter the address it leads to."
    return f"The receiver answered {status}; only 2xx counts as received."
