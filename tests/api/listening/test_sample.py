"""A sample stands for all mentions, spreads over venues, languages and people, and is the same on every run."""

import random
import time
from dataclasses import replace
from datetime import timedelta

from services.api.listening.sample import IssueMention, originals, representative
from tests.api.listening.made_up import NOON, OUTAGE, a_mention, an_id, mentions_of
from tests.machine import slowness


def test_originals_keeps_the_earliest_of_each_family() -> None:
    first = a_mention("my router is dead since the update", name=1, minutes=5)
    linked = a_mention("same here", name=2, minutes=6, duplicate_of=first.id)
    again = a_mention("and here", name=3, minutes=7, duplicate_of=linked.id)
    copied = a_mention("@northwind My router is DEAD, since the update!!", name=4, minutes=8)
    unknown = an_id("an older mention that is not at hand")
    later, sooner = (a_mention("told before", name=n, minutes=n, duplicate_of=unknown) for n in (30, 20))
    short, short_too = (a_mention("app is down", name=n, minutes=n) for n in (40, 41))
    every = [again, copied, linked, first, later, sooner, short, short_too]
    assert [mention.id for mention in originals(every)] == [one.id for one in (first, sooner, short, short_too)]


def test_copies_that_point_at_each_other_are_one() -> None:
    one, two = an_id("one"), an_id("two")
    ring = [a_mention("a", name="one", duplicate_of=two), a_mention("b", name="two", duplicate_of=one)]
    assert len(originals(ring)) == 1


def test_each_complaint_is_shown_before_any_is_shown_twice() -> None:
    groups = {
        "outage": "no internet connection in our street since {}",
        "bill": "charged twice on the invoice of {}",
        "shop": "rude staff at the counter in {}",
    }
    places = ["Leeds", "York", "Hull", "Bath", "Ely", "Rye", "Deal", "Wells", "Ripon", "Truro"]
    mentions = [
        a_mention(text.format(place), name=(group, place), author=f"{group} {place}")
        for group, text in groups.items()
        for place in places
    ]
    kind = {mention.id: group for mention, group in zip(mentions, [g for g in groups for _ in places], strict=True)}
    assert {kind[id_] for id_ in representative(mentions, 3)} == set(groups)


def test_the_first_is_what_most_say() -> None:
    most = [a_mention(f"no internet in {place}", author=place) for place in ["Leeds", "York", "Hull", "Bath", "Ely"]]
    odd = a_mention("lovely weather for a walk", author="walker", reach=10**7)
    assert representative([odd, *most], 1)[0] in {mention.id for mention in most}


def test_venues_and_languages_are_spread() -> None:
    towns = ["Leeds", "York", "Hull", "Bath", "Ely"]
    public = [a_mention(f"no internet in {town}", author=town, reach=900) for town in towns]
    mails = [a_mention(f"no internet, {town}", author=f"{town} 2", channel_type="mail", reach=0) for town in towns]
    first, second = representative([*public, *mails], 2)
    assert first in {mention.id for mention in public}, "among equals the one with more reach"
    assert second in {mention.id for mention in mails}
    german = [a_mention(f"no internet in {town}!", author=f"{town} 3", lang="de", reach=0) for town in towns]
    assert {mention.id for mention in german}.intersection(representative([*public, *german], 2))


def test_one_author_is_shown_once_while_there_are_others() -> None:
    shouter = [
        a_mention(text, author="same", reach=10_000)
        for text in ("no internet at all today", "charged twice on my invoice", "rude staff at the counter")
    ]
    others = [a_mention("no internet at all in Leeds", author="b"), a_mention("no internet at all in York", author="c")]
    chosen = representative([*shouter, *others], 3)
    assert len({one.author_id for one in [*shouter, *others] if one.id in chosen}) == 3
    assert len(representative(shouter, 3)) == 3, "where there is nobody else, one author may stand twice"


def test_reposts_are_not_shown_and_small_sets_are_shown_whole() -> None:
    first = a_mention("the status page shows nothing at all", name=1)
    copy = replace(first, id=an_id("copy"), published_at=NOON + timedelta(hours=1), duplicate_of=first.id)
    assert representative([copy, first], 5) == (first.id,)
    assert representative([], 5) == ()
    assert representative([first], 0) == ()
    assert len(representative([a_mention("", name=n) for n in range(3)], 5)) == 3


def test_the_order_of_the_input_does_not_matter() -> None:
    mentions = mentions_of(OUTAGE, 6)
    first = representative(mentions, 5)
    assert len(set(first)) == 5
    for seed in range(5):
        random.Random(seed).shuffle(mentions)
        assert representative(mentions, 5) == first


def test_many_mentions_are_thinned_out_evenly_and_quickly() -> None:
    mentions: list[IssueMention] = [
        a_mention(
            f"no internet in town {n} for {n % 13} hours",
            name=n,
            author=str(n),
            channel_type=("mail", "mastodon")[n % 2],
        )
        for n in range(20_000)
    ]
    some = [
        a_mention(f"keine Verbindung seit gestern in Haus {n}", lang="de", channel_type="forum", author=f"d{n}")
        for n in range(900)
    ]
    before = time.process_time()
    chosen = representative([*mentions, *some], 5)
    assert time.process_time() - before < 5 * slowness()
    assert {one.id for one in some}.intersection(chosen)
    assert chosen == representative([*some, *reversed(mentions)], 5)
