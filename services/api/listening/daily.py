"""The day's top issues: how loud, how grave and how far heard, against what is usual, with people's own words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log10
from statistics import fmean, median
from typing import Any
from uuid import UUID

from services.api.listening.phrases import Phrase, phrases
from services.api.listening.sample import IssueMention, originals, representative

LEAST, MOST = 3, 5
FAINT = 0.1
"""The fourth and fifth issue are told only where they score at least this part of the first."""


@dataclass(frozen=True, slots=True)
class IssueDay:
    """What is known of one issue type on one day (or over one week, where `previous` are weeks).

    `severity` is 1 (a wish) to 5 (harms people); `mentions` are all of the day, reposts included; `previous` are the
    counts of the days before with reposts counted once, the oldest first, the last one yesterday. Where `mentions`
    are a part of very many, `count` and `reach` say how many there are (reposts once) and how widely they were heard.
    """

    key: str
    name: str
    severity: int
    mentions: Sequence[IssueMention]
    previous: Sequence[int] = ()
    playbook_id: UUID | None = None
    count: int | None = None
    reach: int | None = None


@dataclass(frozen=True, slots=True)
class DailyIssue:
    """One of the top issues. `count` has reposts once; `reach` is in accounts; `change` +0.5 is half as much again."""

    issue: str
    name: str
    rank: int
    severity: int
    count: int
    reach: int
    baseline: float | None
    change: float | None
    score: float
    phrases: tuple[Phrase, ...]
    samples: tuple[UUID, ...]
    playbook_id: UUID | None

    def as_json(self) -> dict[str, Any]:
        """Return it as the doors show it; ids are strings."""
        return {
            "issue": self.issue,
            "name": self.name,
            "rank": self.rank,
            "severity": self.severity,
            "count": self.count,
            "reach": self.reach,
            "baseline": self.baseline,
            "change": self.change,
            "score": self.score,
            "phrases": [
                {"text": phrase.text, "count": phrase.count, "mention_ids": [str(id_) for id_ in phrase.mention_ids]}
                for phrase in self.phrases
            ],
            "samples": [str(id_) for id_ in self.samples],
            "playbook_id": str(self.playbook_id) if self.playbook_id else None,
        }


def usual(previous: Sequence[int], *, season: int = 7) -> float | None:
    """Return what is usual: the median, so that one earlier outage does not become the norm; None without a past.

    Days of the same weekday are compared where four of them are known (`season` 1 compares all). An issue so rare
    that its median is nought has its mean as baseline.
    """
    if not previous:
        return None
    alike = previous[-season::-season]
    days = alike[:8] if len(alike) >= 4 else previous[-28:]
    return float(median(days) or fmean(days))


def change(count: int, baseline: float | None) -> float | None:
    """Return the change against the baseline (-1 gone, 0 as usual, 1 twice as much); None where nothing is usual."""
    return round(count / baseline - 1, 4) if baseline else None


def audience(mentions: Iterable[IssueMention]) -> int:
    """Return how many accounts could have seen it: each author's widest mention once, reposts included."""
    widest: dict[UUID, int] = {}
    for mention in mentions:
        author = mention.author_id or mention.id
        widest[author] = max(widest.get(author, 0), mention.reach)
    return sum(widest.values())


def weight(count: int, severity: int, reach: int) -> float:
    """Return what the rank goes by: volume × severity × reach, reach in powers of ten from ten accounts upwards.

    The logarithm keeps one account with a million followers from outweighing a thousand customers.
    """
    return round(count * severity * log10(10 + max(reach, 0)), 6)


def daily_issues(
    issues: Sequence[IssueDay],
    others: Sequence[IssueMention] = (),
    *,
    names: Iterable[str] = (),
    season: int = 7,
    sample_size: int = 5,
) -> tuple[DailyIssue, ...]:
    """Rank the issues and tell the top three to five, fewer where fewer have mentions.

    `others` are mentions of the same time without any issue; with those of the other issues they are the background
    against which an issue's phrases are found. `names` are the brands' names and aliases, which are no problem's words.
    """
    names = tuple(names)
    ranked = []
    for issue in issues:
        count = len(originals(issue.mentions)) if issue.count is None else issue.count
        reach = audience(issue.mentions) if issue.reach is None else issue.reach
        if count:
            ranked.append((weight(count, issue.severity, reach), count, reach, issue))
    ranked.sort(key=lambda entry: (-entry[0], -entry[1], entry[3].key))
    ranked = [entry for place, entry in enumerate(ranked[:MOST]) if place < LEAST or entry[0] >= FAINT * ranked[0][0]]
    background = {mention.id: mention for mention in others}
    for issue in issues:
        background.update((mention.id, mention) for mention in issue.mentions)
    return tuple(
        DailyIssue(
            issue=issue.key,
            name=issue.name,
            rank=place,
            severity=issue.severity,
            count=count,
            reach=reach,
            baseline=(baseline := usual(issue.previous, season=season)),
            change=change(count, baseline),
            score=score,
            phrases=phrases(issue.mentions, tuple(background.values()), names=names),
            samples=representative(issue.mentions, sample_size),
            playbook_id=issue.playbook_id,
        )
        for place, (score, count, reach, issue) in enumerate(ranked, start=1)
    )
