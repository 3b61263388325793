"""The day's issues rank by volume, severity and reach, and say how they differ from what is usual."""

import orjson
import pytest

from services.api.listening.daily import IssueDay, audience, change, daily_issues, usual, weight
from tests.api.listening.made_up import BILLING, OUTAGE, PRAISE, WAITING, a_mention, an_id, mentions_of


def an_issue(key: str, count: int, severity: int = 3, reach: int = 0, *previous: int) -> IssueDay:
    words = ["router", "invoice", "screen", "parcel", "cable", "ticket", "signal", "refund"]
    mentions = [
        a_mention(
            f"{key} {words[n % 8]} trouble number {words[n // 8 % 8]}", name=(key, n), author=f"{key}{n}", reach=reach
        )
        for n in range(count)
    ]
    return IssueDay(key, key.title(), severity, mentions, previous)


def test_the_rank_is_volume_times_severity_times_reach() -> None:
    assert weight(10, 3, 0) == 30
    assert weight(10, 3, 99_990) == 150
    loud, grave, heard = an_issue("loud", 9, 2), an_issue("grave", 5, 4), an_issue("heard", 3, 3, 333_330)
    found = daily_issues([loud, grave, heard])
    assert [(one.rank, one.issue, one.score) for one in found] == [(1, "heard", 54), (2, "grave", 20), (3, "loud", 18)]
    assert found == daily_issues([heard, grave, loud])


def test_reposts_add_reach_but_no_volume_and_an_author_is_heard_once() -> None:
    first = a_mention("no internet in all of Leeds today", name=1, author="a", reach=100)
    repost = a_mention(
        "no internet in all of Leeds today", name=2, minutes=1, author="b", reach=900, duplicate_of=first.id
    )
    again = a_mention("still no internet", name=3, minutes=2, author="a", reach=120)
    assert audience([first, repost, again]) == 1020
    (issue,) = daily_issues([IssueDay("outage", "Outage", 5, [first, repost, again])])
    assert (issue.count, issue.reach) == (2, 1020)
    assert repost.id not in {id_ for phrase in issue.phrases for id_ in phrase.mention_ids} | set(issue.samples)


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        ((), None),
        ((4,), 4.0),
        ((1, 9, 2), 2.0),
        ((0, 0, 0, 0, 5), 1.0),
        ((0, 0), 0.0),
        ((50, 1, 1, 1, 1, 1, 1) * 4, 50.0),  # the same weekday four times
        ((10,) * 27 + (500,), 10.0),  # yesterday's outage is not the norm
    ],
)
def test_usual_is_a_median_that_no_single_peak_moves(previous: tuple[int, ...], expected: float | None) -> None:
    assert usual(previous) == expected


def test_usual_weeks_are_compared_with_the_latest_weeks() -> None:
    assert usual((900, 900, 900, 10, 10, 10, 12, 10, 10, 10, 10), season=1) == 10


def test_change_is_told_only_where_there_is_something_to_compare_with() -> None:
    assert change(15, 10) == 0.5
    assert change(0, 4) == -1
    assert change(3, 0) is None
    assert change(3, None) is None


def test_at_least_three_are_told_and_the_fourth_and_fifth_only_when_they_matter() -> None:
    many = [an_issue(f"issue{n}", 8 - n) for n in range(7)]
    assert [one.issue for one in daily_issues(many)] == [f"issue{n}" for n in range(5)]
    faint = [an_issue("huge", 60, 5), an_issue("b", 2, 1), an_issue("c", 2, 1), an_issue("d", 1, 1)]
    assert [one.issue for one in daily_issues(faint)] == ["huge", "b", "c"]
    assert daily_issues([an_issue("silent", 0)]) == ()
    assert daily_issues([]) == ()


def test_a_part_of_very_many_is_ranked_by_what_was_counted() -> None:
    part = IssueDay("a", "A", 1, an_issue("a", 3).mentions, count=70_000, reach=5)
    (found,) = daily_issues([part])
    assert (found.count, found.reach, found.score) == (70_000, 5, weight(70_000, 1, 5))


def test_the_answer_has_the_contracts_shape() -> None:
    playbook = an_id("playbook")
    issues = [
        IssueDay("outage.internet", "Internet outage", 5, mentions_of(OUTAGE, 2), (10, 10, 10), playbook),
        IssueDay("billing.double", "Charged twice", 4, mentions_of(BILLING)),
        IssueDay("service.wait", "Waiting", 2, mentions_of(WAITING)),
    ]
    texts = {str(mention.id): mention.text for issue in issues for mention in issue.mentions}
    told = orjson.loads(orjson.dumps([one.as_json() for one in daily_issues(issues, mentions_of(PRAISE))]))
    assert [one["issue"] for one in told] == ["outage.internet", "billing.double", "service.wait"]
    assert told[0]["rank"] == 1
    assert told[0]["count"] == 20
    assert told[0]["change"] == 1.0
    assert told[1]["change"] is None
    assert told[0]["playbook_id"] == str(playbook)
    assert told[1]["playbook_id"] is None
    for one, issue in zip(told, issues, strict=True):
        own = {str(mention.id) for mention in issue.mentions}
        assert one["phrases"]
        assert 1 <= len(one["samples"]) <= 5
        assert own.issuperset(one["samples"])
        for phrase in one["phrases"]:
            assert phrase["count"] == len(phrase["mention_ids"]) > 0
            assert own.issuperset(phrase["mention_ids"])
            assert all(phrase["text"] in texts[id_] for id_ in phrase["mention_ids"])
