"""Builds mentions and briefings by what matters in a test; all else is defaulted."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.triage import pipeline
from services.triage.analyse import issue_type
from services.triage.stage import Assessment, AuthorInfo, BrandBrief, Briefing, Finding
from shared.kit import ids
from shared.models import taxonomy

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NORTHWIND = BrandBrief("brand-1", "Northwind", ("northwind mobile",), ("@northwind",), ("WindPhone",), ("compass",))


def a_mention(text: str, *, author: str | None = "ann", minutes: int = 0, **fields: Any) -> Assessment:
    """A mention by a customer; `lang` settles its language, as the language stage would."""
    language = fields.pop("lang", None)
    about = (
        AuthorInfo(external_id=author, handle=author) if author and "about" not in fields else fields.pop("about", None)
    )
    at = fields.pop("published_at", NOON + timedelta(minutes=minutes))
    known = {"channel_type": "push", **fields}
    mention = Assessment(mention_id=ids.new_id(), text=text, published_at=at, author=about, **known)
    return mention.found(language=Finding(language, 1.0, "said so", "test", "1")) if language else mention


def a_briefing(sector: str | None = "telecom", **fields: Any) -> Briefing:
    """A workspace that listens for Northwind and knows a sector's issue types."""
    issue_types = tuple(map(issue_type, taxonomy.load(sector)))
    return Briefing(
        **{"workspace_id": "w", "version": "1", "brands": (NORTHWIND,), "issue_types": issue_types, **fields}
    )


def assessed(mention: Assessment | str, briefing: Briefing, **fields: Any) -> Assessment:
    """One mention through the whole pipeline; a text is one on the brand's own venue unless said otherwise."""
    if isinstance(mention, str):
        mention = a_mention(mention, **{"owned": True, **fields})
    return pipeline.run([mention], briefing).assessments[0]
