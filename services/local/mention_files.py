"""Reads mentions out of files: JSON lines or CSV, plain or gzipped, one item after the other, however large the file; or a
JSON document with a list in it, which is held whole.

A CSV's columns are the fields of an IncomingMention; a dot goes a level down (`author.handle`, `engagement.likes`).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from services.local.trouble import LocalTrouble

LONGEST_LINE = 4_000_000
"""Bytes; longer than any mention that would be taken."""
LARGEST_DOCUMENT = 100_000_000
"""Bytes of a JSON document, unpacked: it is read whole, unlike JSON lines."""


@dataclass(frozen=True)
class Unreadable:
    """A line that holds no item, and why."""

    detail: str


@dataclass(frozen=True)
class Item:
    """What stood in a line: `content` as read, `line` counted from 1 (in a JSON document, the place in its list), `position`
    the bytes of the file read so far."""

    line: int
    content: dict[str, Any] | Unreadable
    position: int


class MentionFile:
    """A file of mentions. `size` is in bytes, as it lies on the disk; `within` is where the list stands in a JSON document,
    with a dot to go a level down."""

    def __init__(self, path: Path, within: str | None = None) -> None:
        self.path = path
        self._within = within
        try:
            self.size = path.stat().st_size
            with path.open("rb") as file:
                self._packed = file.read(2) == b"\x1f\x8b"
        except OSError as error:
            raise LocalTrouble(f"{path} cannot be read: {error.strerror}.") from error
        names = [suffix.lower() for suffix in path.suffixes]
        self._is_csv = ".csv" in names or ".tsv" in names
        self._is_document = [name for name in names if name != ".gz"][-1:] == [".json"]
        self._delimiter = "\t" if ".tsv" in names else ""

    def items(self) -> Iterator[Item]:
        """What stands in the file. Raises LocalTrouble where the file itself is broken."""
        with self._opened() as (content, raw):
            if self._is_document:
                yield from self._document(content, raw)
            else:
                yield from self._rows(content, raw) if self._is_csv else self._lines(content, raw)

    def lines(self, progress: Callable[[int], None]) -> Iterator[bytes]:
        """The file's lines as they are, unpacked; `progress` is told the bytes of the file read so far."""
        with self._opened() as (content, raw):
            for line in content:
                yield line
                progress(raw.tell())

    @contextmanager
    def _opened(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """The content, and the file it comes from."""
        try:
            with self.path.open("rb") as raw:
                content: BinaryIO = gzip.GzipFile(fileobj=raw) if self._packed else raw  # type: ignore[assignment]
                yield content, raw
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise LocalTrouble(
                f"{self.path} is a damaged gzip file: {error}. What stood before that was read."
            ) from error
        except csv.Error as error:
            raise LocalTrouble(f"{self.path} is not CSV that can be read: {error}.") from error

    def _lines(self, content: BinaryIO, raw: BinaryIO) -> Iterator[Item]:
        number = 0
        while line := content.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                while (rest := content.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield Item(number, Unreadable(f"is longer than {LONGEST_LINE} bytes"), raw.tell())
            elif text := line.strip():
                if number == 1:
                    text = text.removeprefix(b"\xef\xbb\xbf")
                yield Item(number, _object(text), raw.tell())

    def _document(self, content: BinaryIO, raw: BinaryIO) -> Iterator[Item]:
        whole = content.read(LARGEST_DOCUMENT + 1)
        if len(whole) > LARGEST_DOCUMENT:
            raise LocalTrouble(
                f"{self.path} is larger than {LARGEST_DOCUMENT:,} bytes. Write one object a line, and name it .jsonl."
            )
        try:
            found = json.loads(whole.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError):
            yield from self._lines(io.BytesIO(whole), raw)  # JSON lines are often named so too
            return
        for part in self._within.split(".") if self._within and not isinstance(found, list) else ():
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            raise LocalTrouble(f"{self.path} holds no list{f' at {self._within}' if self._within else ''}.")
        for number, one in enumerate(found, 1):
            said = one if isinstance(one, dict) else Unreadable("is not a JSON object")
            yield Item(number, said, self.size * number // len(found))

    def _rows(self, content: BinaryIO, raw: BinaryIO) -> Iterator[Item]:
        text = io.TextIOWrapper(content, encoding="utf-8-sig", errors="replace", newline="")
        first = text.readline()
        delimiter = self._delimiter or max(",;\t", key=first.count)
        names = next(csv.reader([first], delimiter=delimiter), [])
        csv.field_size_limit(LONGEST_LINE)
        rows = csv.reader(text, delimiter=delimiter)
        for row in rows:
            if any(cell.strip() for cell in row):
                yield Item(rows.line_num + 1, _nested(names, row), raw.tell())
        text.detach()


@contextmanager
def writing_whole(output: Path) -> Iterator[BinaryIO]:
    """A file that is there whole or not at all: one that stands is replaced only at the end. `-` is standard output."""
    if str(output) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = output.with_name(f"{output.name}.part")
    try:
        with draft.open("wb") as out:
            yield out
        draft.replace(output)
    except OSError as error:
        raise LocalTrouble(f"{output} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _object(text: bytes) -> dict[str, Any] | Unreadable:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return Unreadable("is not JSON")
    return found if isinstance(found, dict) else Unreadable("is not a JSON object")


def _nested(names: list[str], row: list[str]) -> dict[str, Any] | Unreadable:
    if len(row) > len(names):
        return Unreadable(f"has {len(row)} cells, and there are {len(names)} columns")
    item: dict[str, Any] = {}
    for name, cell in zip(names, row, strict=False):
        if not cell.strip():
            continue  # an empty cell says nothing, rather than ""
        *groups, field = name.strip().split(".")
        place = item
        for group in groups:
            place = place.setdefault(group, {})
        place[field] = cell
    return item
