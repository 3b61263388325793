"""Lanes: fast receivers get much, hanging ones one connection, and nobody holds another up."""

from uuid import uuid4

from services.api.webhooks.lanes import LONGEST_PAUSE_S, MOST_READY, WIDEST, Lane
from services.api.webhooks.schedule import Verdict

WELL = Verdict("delivered")
BAD = Verdict("pending", "x", 5.0, reached=False)


def test_a_new_endpoint_gets_little_at_first() -> None:
    assert 1 <= Lane(uuid4()).room(0.0) <= 4


def test_answers_widen_it_and_failures_halve_it() -> None:
    lane = Lane(uuid4())
    for _ in range(50):
        lane.learn(WELL, 0.002, 1.0)
    assert (lane.width, lane.room(1.0)) == (WIDEST, MOST_READY)
    for width in (WIDEST // 2, WIDEST // 4, 2, 1, 1):
        lane.learn(BAD, 15.0, 1.0)
        assert lane.width == width
    assert lane.ailing
    assert lane.room(1.0) == 1, "what is claimed for it leaves before its lease ends"
    lane.learn(WELL, 0.002, 1.0)
    assert not lane.ailing


def test_it_holds_what_will_leave_soon() -> None:
    lane = Lane(uuid4())
    for _ in range(50):
        lane.learn(WELL, 0.5, 1.0)
    assert lane.room(1.0) in (63, 64), "16 at once, half a second each, for two seconds"
    lane.under_way = 60
    assert lane.room(1.0) in (3, 4)


def test_a_receiver_that_asks_for_time_gets_it_but_not_for_ever() -> None:
    lane = Lane(uuid4())
    lane.learn(Verdict("pending", "x", 30.0, reached=False, pause_s=30.0), 0.01, 100.0)
    assert lane.room(129.0) == 0
    assert lane.room(131.0) > 0
    lane.learn(Verdict("pending", "x", 9e9, reached=False, pause_s=86_400.0), 0.01, 200.0)
    assert lane.room(200.0 + LONGEST_PAUSE_S + 1) > 0
