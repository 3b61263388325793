"""`webcare analyse`: the pipeline over a file, without a database. Each object comes out with its findings added."""

from __future__ import annotations

import itertools
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from services.local.mention_files import Item, MentionFile, Unreadable
from services.local.workspace_file import read_workspace
from services.triage import pipeline
from services.triage.library import Library
from services.triage.stage import Assessment, AuthorInfo
from shared.kit import clock
from shared.kit.settings import Settings

BATCH = 256


def analyse(
    source: MentionFile, output: Path, workspace: Path | None, settings: Settings, progress: Callable[[int], None]
) -> tuple[int, list[str]]:
    """Writes a line for each line read, in the same order: the object with `disposition` and `findings` beside its own
    fields, or with `error` where it could not be read. `progress` is told the bytes read. Returns how many were
    analysed, and a sentence for each that was not."""
    library = Library(settings.spacy_models)
    briefing = read_workspace(workspace).with_models(library)
    analysed, problems = 0, []
    with _writing(output) as out:
        items = source.items()
        while batch := list(itertools.islice(items, BATCH)):
            readable = [(item, assessment) for item in batch if (assessment := _assessment(item)) is not None]
            outcomes = pipeline.run([assessment for _, assessment in readable], briefing).assessed()
            found = {item.line: outcome for (item, _), outcome in zip(readable, outcomes, strict=True)}
            for item in batch:
                outcome = found.get(item.line)
                if outcome is None:
                    why = item.content.detail if isinstance(item.content, Unreadable) else "has no text"
                    problems.append(f"Line {item.line} {why}.")
                    out.write(orjson.dumps({**_given(item), "error": f"The line {why}."}) + b"\n")
                    continue
                added = {"disposition": outcome.disposition, "findings": outcome.findings}
                if outcome.dismissed:
                    added["dismissed_because"] = outcome.dismissed
                out.write(orjson.dumps({**_given(item), **added}, default=str) + b"\n")
                analysed += 1
            progress(batch[-1].position)
    return analysed, problems


@contextmanager
def _writing(output: Path) -> Iterator[BinaryIO]:
    """The output, whole or not at all: a file that stands is replaced only at the end. `-` is standard output."""
    if str(output) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = output.with_name(f"{output.name}.part")
    with draft.open("wb") as out:
        yield out
    draft.replace(output)


def _given(item: Item) -> dict[str, Any]:
    return item.content if isinstance(item.content, dict) else {"line": item.line}


def _assessment(item: Item) -> Assessment | None:
    """The mention of a line; None where there is nothing to read. Only `text` is needed, all else may be missing."""
    given = item.content
    if isinstance(given, Unreadable) or not isinstance(given.get("text"), str):
        return None
    author = given.get("author")
    return Assessment(
        mention_id=uuid.UUID(int=item.line),
        text=given["text"],
        channel_type=_words(given.get("channel_type")) or "file",
        published_at=_moment(given.get("published_at")) or clock.now(),
        title=_words(given.get("title")),
        lang_hint=_words(given.get("lang")),
        author=_author(author) if isinstance(author, Mapping) else None,
        kind=_words(given.get("kind")) or "post",
        visibility=_words(given.get("visibility")) or "public",
        permalink=_words(given.get("permalink")),
        rating=float(given["rating"]) if isinstance(given.get("rating"), int | float) else None,
        country=_words(given.get("country")),
    )


def _author(given: Mapping[str, Any]) -> AuthorInfo:
    def number(name: str) -> int | None:
        return int(given[name]) if isinstance(given.get(name), int) else None

    return AuthorInfo(
        external_id=_words(given.get("external_id")),
        handle=_words(given.get("handle")),
        name=_words(given.get("name")),
        followers=number("followers"),
        following=number("following"),
        verified=given["verified"] if isinstance(given.get("verified"), bool) else None,
        account_created_at=_moment(given.get("account_created_at")),
    )


def _words(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=clock.now().tzinfo)
