"""What the demo brand is made of: its setup, the mentions of its story, and what triage should find in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_HERE = Path(__file__).parent


@cache
def setup() -> dict[str, list[dict[str, Any]]]:
    """The brand, channels, teams, queues, promises and playbooks of `setup.yaml`, by noun: bodies of the REST API with
    names in place of ids (`brand`, `calendar`, `teams`, `secondary_teams`). `sector` names the issue types."""
    content: dict[str, list[dict[str, Any]]] = yaml.safe_load((_HERE / "setup.yaml").read_text(encoding="utf-8"))
    return content


def mentions() -> Iterator[dict[str, Any]]:
    """The mentions of the story, in order. Each is an IncomingMention, but for its times: `offset_s` is in seconds since
    the story began (negative: history from before), `author.account_age_days` how old the account was then."""
    return _lines("mentions.jsonl")


def expected() -> Iterator[dict[str, Any]]:
    """What a person found in each mention: `external_id`, `lang`, `disposition`, `sentiment`, `issues`; for a dismissed one
    the `reason` (irrelevant, spam, own); `group` and `repost_of` where it belongs to something. Null is not judged: either
    answer may stand. For tests and for measuring triage; nothing else reads it."""
    return _lines("expected.jsonl")


def _lines(name: str) -> Iterator[dict[str, Any]]:
    with (_HERE / name).open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
