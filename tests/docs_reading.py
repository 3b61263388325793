"""Reads the pages of docs/ as their readers do: prose, links, commands to copy, calls to make."""

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docs_tables import ROOT

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def commands(page: Path) -> Iterator[str]:
    """The commands of a page's bash blocks, each whole: with its continued lines and its here-document."""
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language != "bash":
            continue
        lines = iter(block.replace("\\\n", " ").splitlines())
        for line in lines:
            command = line
            if found := re.search(r"<<(\w+)$", line):
                for more in lines:
                    if more == found[1]:
                        break
                    command += f"\n{more}"
            while command.count("'") % 2:
                command += f"\n{next(lines)}"
            if command.strip():
                yield command.strip()


@dataclass(frozen=True)
class Request:
    """A call as a page tells readers to make it."""

    method: str
    url: str
    body: Any
    line: str


def requests_of(page: Path) -> Iterator[Request]:
    for command in commands(page):
        for start in re.finditer(r"\b(?:curl|ask) (?!\(\))", command):
            rest = command[start.start() :]
            url = re.search(r"http://127\.0\.0\.1:\d+[^\s\"']*", rest)
            if url is None:
                continue
            method = re.search(r"-X (\w+)", rest)
            data = re.search(r"-d '([^']*)'", rest) or re.search(r"--data-binary @- <<\w+\n(.*)", rest, re.DOTALL)
            body = data and re.sub(r"\$\([^)]*\)", "2026-11-22T09:30:00Z", data[1])
            yield Request(method[1] if method else "GET", url[0], body and json.loads(body), command)


def template_of(method: str, path: str, known: set[tuple[str, str]]) -> str | None:
    """The template that a path fits; parts that a reader fills in (`{id}`, `$QUEUE`) fit any parameter."""
    if (method, path) in known:
        return path
    parts = path.strip("/").split("/")
    for candidate_method, candidate in sorted(known):
        wanted = candidate.strip("/").split("/")
        if candidate_method == method and len(wanted) == len(parts):
            pairs = list(zip(parts, wanted, strict=True))
            if all(given and (given == one or one.startswith("{")) for given, one in pairs):
                return candidate
    return None


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def resolved(name: str) -> bool:
    """Whether a dotted name is a module, or something inside one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def calls_of_webcare(page: Path) -> Iterator[list[str]]:
    for command in commands(page):
        if found := re.match(r"(?:[A-Z_]+=\S+ )*(?:docker compose exec \S+ |\.venv/bin/)?webcare (.+)", command):
            yield shlex.split(re.sub(r"\$\([^)]*\)", "2026-W47", found[1]))
    for name in CODE.findall(prose(page)):
        if found := re.fullmatch(r"(?:\.venv/bin/)?webcare ([a-z].*)", name):
            words = shlex.split(found[1])
            if words[0] in ("health", "report"):  # named in passing, without what they need
                words = [words[0], *(["api"] if words[0] == "health" else ["-o", "x.html"])]
            yield words
