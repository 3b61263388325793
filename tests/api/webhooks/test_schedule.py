"""When a webhook is tried again, and what an answer means."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.webhooks.schedule import DELAYS_S, JITTER, TRIES, Outcome, judge, next_delay


def test_the_schedule_is_the_one_that_was_promised() -> None:
    assert [timedelta(seconds=delay) for delay in DELAYS_S] == [
        timedelta(0), timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2),
        timedelta(hours=5), timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24),
    ]  # fmt: skip
    assert timedelta(seconds=sum(DELAYS_S)) == timedelta(hours=75, minutes=35, seconds=5)


@given(st.integers(1, 30))
def test_each_delay_is_within_a_fifth_of_its_place(tries: int) -> None:
    delay = next_delay(tries)
    if tries >= TRIES:
        assert delay is None
    else:
        assert delay is not None
        assert DELAYS_S[tries] * (1 - JITTER) <= delay <= DELAYS_S[tries] * (1 + JITTER)


def test_the_jitter_uses_its_whole_width() -> None:
    delays = [next_delay(3) or 0 for _ in range(400)]
    assert min(delays) < 1_800 * 0.85
    assert max(delays) > 1_800 * 1.15


@given(st.integers(100, 599), st.integers(0, 12))
def test_only_2xx_is_success_and_ten_tries_are_made(status: int, tries_before: int) -> None:
    verdict = judge(Outcome(status=status), tries_before)
    if 200 <= status < 300:
        assert (verdict.state, verdict.reached, verdict.error) == ("delivered", True, None)
    elif status == 410:
        assert (verdict.state, verdict.gone) == ("failed", True)
    else:
        assert verdict.state == ("failed" if tries_before + 1 >= TRIES else "pending")
        assert verdict.reached is False
        assert not verdict.gone
        assert str(status) in (verdict.error or "")


@given(st.integers(0, TRIES - 2), st.floats(-1e6, 1e9))
def test_retry_after_is_honoured_up_to_a_day_and_never_shortens(tries_before: int, asked: float) -> None:
    verdict = judge(Outcome(status=429, wait=timedelta(seconds=asked)), tries_before, lambda low, high: 1.0)
    assert verdict.delay_s == pytest.approx(max(DELAYS_S[tries_before + 1], min(max(asked, 0), 86_400)))


def test_no_answer_is_tried_again_and_counts_against_the_endpoint() -> None:
    verdict = judge(Outcome(error="No answer came within 15 seconds."), 0)
    assert (verdict.state, verdict.reached, verdict.error) == ("pending", False, "No answer came within 15 seconds.")


def test_who_asks_to_stop_is_not_asked_again() -> None:
    verdict = judge(Outcome(status=422, abort=True), 0)
    assert (verdict.state, verdict.reached) == ("discarded", None)
    assert judge(Outcome(status=200, abort=True), 0).state == "delivered"


def test_a_redirect_says_what_to_do() -> None:
    assert "enter the address it leads to" in (judge(Outcome(status=308), 0).error or "")
