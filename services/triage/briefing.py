"""What the stages are told: of the workspace, read anew when it changed, and of each mention's past. Reads only."""

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.triage.look_alikes import Window, find
from services.triage.stage import (
    Assessment,
    AuthorInfo,
    Background,
    BrandBrief,
    Briefing,
    IssueTypeBrief,
    LookAlike,
    QueryBrief,
    Sketch,
)
from services.triage.words.heads import Head, HeadError
from shared.kit import clock, logging
from shared.store import assessment as store
from shared.store import author as authors
from shared.store import mention as mentions

log = logging.get(__name__)

LANGUAGES = ("en", "nl")


@dataclass(frozen=True, slots=True)
class Told:
    """A batch as it goes to the stages, with what recording it needs later: the rows as read and the sketches of the texts."""

    briefing: Briefing
    assessments: tuple[Assessment, ...]
    rows: Mapping[UUID, asyncpg.Record]
    sketches: Mapping[UUID, Sketch]


@dataclass(slots=True)
class _Known:
    version: str
    briefing: Briefing
    window: Window = field(default_factory=Window)


class Briefings:
    """The briefings of the workspaces that this process works for."""

    def __init__(self) -> None:
        self._known: dict[UUID, _Known] = {}

    async def brief(self, connection: asyncpg.Connection, workspace_id: UUID, mention_ids: Sequence[UUID]) -> Told:
        """All that the stages may know about these mentions. `connection` shows the workspace."""
        known = await self._of(connection, workspace_id)
        rows = {row["id"]: row for row in await mentions.for_triage(connection, mention_ids)}
        in_order = [rows[one] for one in mention_ids if one in rows]
        likes, sketches = await find(connection, known.window, in_order)
        backgrounds = await _backgrounds(connection, in_order, likes, sketches)
        made = tuple(_assessment(row, backgrounds[row["id"]]) for row in in_order)
        return Told(known.briefing, made, rows, sketches)

    async def standing(self, connection: asyncpg.Connection, workspace_id: UUID) -> Briefing:
        """What the stages may know of the workspace itself, as it is now. `connection` shows the workspace."""
        return (await self._of(connection, workspace_id)).briefing

    async def _of(self, connection: asyncpg.Connection, workspace_id: UUID) -> _Known:
        version = await store.briefing_version(connection)
        known = self._known.get(workspace_id)
        if known is None:
            known = self._known[workspace_id] = _Known(version, await _read(connection, workspace_id, version))
        elif known.version != version:
            known.version, known.briefing = version, await _read(connection, workspace_id, version)
        return known


async def _read(connection: asyncpg.Connection, workspace_id: UUID, version: str) -> Briefing:
    told = await store.briefing_facts(connection)
    settings: dict[str, Any] = orjson.loads(told["workspace"][0]["settings"]) if told["workspace"] else {}
    return Briefing(
        workspace_id=str(workspace_id),
        version=version,
        brands=tuple(
            BrandBrief(
                str(row["id"]), row["name"], tuple(row["aliases"]), tuple(row["handles"]), tuple(row["product_lines"]),
                tuple(row["excluded"]),
            )
            for row in told["brands"]
        ),
        queries=tuple(
            QueryBrief(
                str(row["id"]), row["name"], row["text"], str(row["brand_id"]) if row["brand_id"] else None,
                tuple(row["languages"]), tuple(row["channel_types"]),
            )
            for row in told["queries"]
        ),
        issue_types=tuple(
            IssueTypeBrief(
                row["key"], row["name"], row["severity"], orjson.loads(row["phrases"]), orjson.loads(row["unless"]),
                row["parent_key"],
            )
            for row in told["issue_types"]
        ),
        languages=tuple(settings.get("languages") or LANGUAGES),
        own_handles=frozenset(folded for row in told["brands"] for one in row["handles"] if (folded := authors.fold(one))),
        exclusions=tuple(settings.get("exclusions") or ()),
        gazetteer=tuple((str(name), str(kind)) for name, kind in settings.get("gazetteer") or ()),
        agents=tuple(row["name"] for row in told["agents"] if row["name"]),
        order_number_patterns=tuple(settings.get("order_number_patterns") or ()),
        priority=settings.get("priority") or {},
        heads=dict(_heads(told["heads"], workspace_id)),
    )  # fmt: skip


def _heads(rows: Sequence[asyncpg.Record], workspace_id: UUID) -> Iterator[tuple[str, bytes]]:
    """The workspace's own heads, by question. One that this version cannot use (its vectoriser was another one) is left out, and
    what the project ships answers until it is refitted."""
    for row in rows:
        weights = bytes(row["weights"])
        try:
            Head.from_bytes(weights)
        except HeadError as unusable:
            log.warning(
                "a head cannot be used",
                workspace_id=str(workspace_id),
                question=row["question"],
                error=str(unusable),
                mend=f"webcare train refit {row['question']}",
            )
        else:
            yield row["question"], weights


def _assessment(row: asyncpg.Record, background: Background) -> Assessment:
    author = None
    if row["author_id"] is not None:
        author = AuthorInfo(
            row["author_external_id"], row["handle"], row["author_name"], row["followers"], row["following"],
            row["verified"], row["account_created_at"],
        )  # fmt: skip
    return Assessment(
        mention_id=row["id"], text=row["text"], channel_type=row["channel_type"], published_at=row["published_at"],
        title=row["title"], lang_hint=row["lang"], author=author, kind=row["kind"], visibility=row["visibility"],
        owned=row["owned"], permalink=row["permalink"], rating=row["rating"], reach=row["reach"], country=row["country"],
        background=background,
    )  # fmt: skip


async def _backgrounds(
    connection: asyncpg.Connection,
    rows: Sequence[asyncpg.Record],
    likes: Mapping[UUID, tuple[LookAlike, ...]],
    sketches: Mapping[UUID, Sketch],
) -> dict[UUID, Background]:
    history = {
        row["author_id"]: row
        for row in await store.author_history(connection, [row["author_id"] for row in rows if row["author_id"]])
    }
    channels = list({row["channel_id"] for row in rows})
    roots = list({row["root_external_id"] for row in rows if row["root_external_id"]})
    threads = await store.thread_pace(connection, channels, roots) if roots else {}
    threaded = [row["id"] for row in rows if row["root_external_id"] or row["parent_external_id"]]
    going_on = await store.going_on(connection, threaded) if threaded else set()
    reviews = await store.review_pace(connection, channels) if any(row["kind"] == "review" for row in rows) else {}
    now, found = clock.now(), {}
    for row in rows:
        past = history.get(row["author_id"])
        posts = list(past["posts"] or ()) if past else []
        last_day, usual_day = reviews.get(row["channel_id"], (0, None))
        found[row["id"]] = Background(
            sketch=sketches[row["id"]],
            look_alikes=likes.get(row["id"], ()),
            in_our_conversation=row["already_in"] is not None or row["id"] in going_on,
            asked_unanswered=past["unanswered"] if past else 0,
            author_posts_last_hour=sum(1 for at in posts if now - at < timedelta(hours=1)),
            rhythm_deviation=_rhythm(posts),
            reviews_last_day=last_day if row["kind"] == "review" else 0,
            reviews_usual_day=usual_day if row["kind"] == "review" else None,
            thread_per_hour=float(threads.get(row["root_external_id"], 0)),
        )
    return found


def _rhythm(posts: Sequence[Any]) -> float | None:
    """The spread of the gaps between posts over their mean: near 0 is a clock. None for fewer than six posts."""
    if len(posts) < 6:
        return None
    ordered = sorted(posts)
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(ordered)]
    mean = statistics.fmean(gaps)
    return statistics.pstdev(gaps) / mean if mean > 0 else 0.0
