"""Every polled venue where nothing had been said yet when we first looked, and from which we were then away for thirty days: what
was said meanwhile is read where the venue still shows it, and told as a gap where it does not."""

from datetime import timedelta

import pytest

from services.ingest.channel import Gap, ReachesBack
from tests.ingest.cast import CAST, Kept, Part, words
from tests.ingest.channels.test_two_hours_away import _nothing_is_known, part, read
from tests.ingest.site import Now

__all__ = ["_nothing_is_known", "part"]

MANY, STEP = 240, timedelta(hours=3)
TELLS = [name for name in CAST if name != "rss"]
"""All but feeds: they show their newest only, and do not say how many there were."""


@pytest.mark.parametrize("part", TELLS, indirect=True)
async def test_what_is_said_after_an_empty_first_reading_is_read_or_told(part: Part, now: Now) -> None:
    kept = Kept()
    cursor, gaps, _ = await read(part.channel, kept, None)
    now.at += timedelta(minutes=10)
    cursor, more, _ = await read(part.channel, kept, cursor)
    assert (kept.numbers, [*gaps, *more]) == ([], []), "there is nothing yet, and nothing to miss"
    was_there, said_at = now.at, {}
    for number in range(MANY):
        now.at += STEP
        part.say(number, words(number))
        said_at[number] = now.at
    now.at += timedelta(minutes=1)
    _, gaps, failures = await read(part.channel, kept, cursor)
    assert failures == 0
    if isinstance(part.channel, ReachesBack) and (reach := part.channel.reach()):
        gaps.append(Gap(was_there, now.at - reach, "It reaches back only so far."))
    unread = set(said_at) - set(kept.numbers)
    a_second = timedelta(seconds=1)
    untold = [
        number for number in unread
        if not any(gap.since - a_second <= said_at[number] <= gap.until + a_second for gap in gaps)
    ]  # fmt: skip
    assert untold == []
    assert all(gap.since >= was_there - timedelta(hours=7) for gap in gaps), (
        "it was there until then, but for its overlap"
    )


@pytest.mark.parametrize("said_before", [False, True])
@pytest.mark.parametrize("part", CAST, indirect=True)
async def test_a_quiet_place_that_is_looked_at_every_day_misses_nothing(
    part: Part, said_before: bool, now: Now
) -> None:
    kept = Kept()
    if said_before:
        part.say(0, words(0))
        now.at += timedelta(minutes=1)
    cursor, gaps, _ = await read(part.channel, kept, None)
    for _ in range(12):  # longer than X searches back
        now.at += timedelta(hours=20)
        cursor, told, _ = await read(part.channel, kept, cursor)
        gaps += told
    assert gaps == [], "nothing was said, and we were there"
    part.say(1, words(1))
    now.at += timedelta(minutes=10)
    await read(part.channel, kept, cursor)
    assert kept.numbers == [*([0] if said_before else []), 1]
