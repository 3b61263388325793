"""Issues: the day's top ones with people's own words, the words for one of them, and a sample of what was said."""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from services.api.desk.desk import Desk
from services.api.listening import issues
from services.api.listening.phrases import Phrase
from services.api.listening.report import Quote, excerpt
from shared.kit import clock
from shared.kit.errors import Invalid
from shared.store.hidden import HIDDEN

USUAL = timedelta(days=7)
LONGEST = timedelta(days=92)
EARLIEST = 1970
USUAL_PHRASES, MOST_PHRASES = 20, 100
USUAL_SAMPLE, MOST_SAMPLED = 10, 100

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


async def read_daily(desk: Desk, day: str | None = None) -> dict[str, Any]:
    """The top three to five issues of a day (as 2026-11-22, by the workspace's clock; today unless said otherwise). Raises
    Invalid for what is no day."""
    found = await issues.daily(desk.database, desk.workspace_id, None if day is None else _day(day))
    return {
        "day": found.day.isoformat(),
        "timezone": found.zone,
        "from": clock.iso(found.since),
        "to": clock.iso(found.until),
        "data": [issue.as_json() for issue in found.issues],
    }


async def read_words(
    desk: Desk, key: str, since: datetime | None = None, until: datetime | None = None, size: int | None = None
) -> dict[str, Any]:
    """The phrases in which people express an issue in a period, and the same as a query. Raises NotFound, Invalid."""
    begin, end = _period(since, until)
    size = _size(size, USUAL_PHRASES, MOST_PHRASES)
    found = await issues.words(desk.database, desk.workspace_id, key, begin, end, size)
    return {
        "issue": found.issue.key,
        "name": found.issue.name,
        "from": clock.iso(begin),
        "to": clock.iso(end),
        "count": found.count,
        "looked_at": found.looked_at,
        "query": found.as_query(),
        "data": [_phrase(phrase) for phrase in found.phrases],
    }


async def read_sample(
    desk: Desk, key: str, since: datetime | None = None, until: datetime | None = None, size: int | None = None
) -> dict[str, Any]:
    """Mentions of an issue in a period that together stand for all of them, the most representative first; personal data is
    masked. Raises NotFound, Invalid."""
    begin, end = _period(since, until)
    size = _size(size, USUAL_SAMPLE, MOST_SAMPLED)
    found = await issues.sample(desk.database, desk.workspace_id, key, begin, end, size)
    quotes = found.quotes
    if desk.actor.hidden:
        # An address at a venue often has its author's name in it; and the text is masked as it stands now, edits that wait included.
        texts = await desk.texts([quote.mention_id for quote in quotes])
        quotes = tuple(
            replace(quote, text=excerpt(texts.get(quote.mention_id, HIDDEN), issues.QUOTED), permalink=None)
            for quote in quotes
        )
    return {
        "issue": found.issue.key,
        "name": found.issue.name,
        "from": clock.iso(begin),
        "to": clock.iso(end),
        "count": found.count,
        "data": [_quote(quote) for quote in quotes],
    }


def _day(text: str) -> date:
    try:
        if not _DAY.fullmatch(text):
            raise ValueError(text)
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not EARLIEST < day.year < 9999:
        raise Invalid(
            f"Give the day as in 2026-11-22; {text[:40]!r} is none.", errors=[("/day", "is no day of the calendar")]
        )
    return day


def _period(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    end = until or clock.now()
    if end.year <= EARLIEST:
        raise Invalid(f"to must be after {EARLIEST}.", errors=[("/to", "is too long ago")])
    begin = since or end - USUAL
    if begin >= end:
        raise Invalid("from must be before to.", errors=[("/from", "is not before to")])
    if end - begin > LONGEST:
        raise Invalid(
            f"A period may have {LONGEST.days} days; ask for a shorter one.",
            errors=[("/from", "is too long before to")],
        )
    return begin, end


def _size(given: int | None, usual: int, most: int) -> int:
    size = usual if given is None else given
    if not 1 <= size <= most:
        raise Invalid(f"size must be from 1 to {most}.", errors=[("/size", f"{size} is out of range")])
    return size


def _phrase(phrase: Phrase) -> dict[str, Any]:
    return {"text": phrase.text, "count": phrase.count, "mention_ids": [str(id_) for id_ in phrase.mention_ids]}


def _quote(quote: Quote) -> dict[str, Any]:
    return {
        "mention_id": str(quote.mention_id),
        "text": quote.text,
        "channel_type": quote.channel_type,
        "published_at": clock.iso(quote.published_at),
        "lang": quote.lang,
        "permalink": quote.permalink,
        "reach": quote.reach,
    }
