"""How the lines of several processes share one terminal: each behind its name, JSON logs laid out for reading."""

from __future__ import annotations

import json
import sys
from typing import TextIO

_COLOURS = {"api": 36, "ingest": 32, "ingest-worker": 92, "triage": 35, "api-worker": 96, "demo": 33}
_LOUD = {"warning": 33, "error": 31, "critical": 31}
_LEFT_OUT = {"event", "level", "ts", "service", "exception", "logger"}


class Console:
    """Writes to a terminal for people, or to a file as the lines come."""

    def __init__(self, output: TextIO | None = None, *, verbose: bool = False) -> None:
        """`verbose`: people also see what happens all the time, such as every request."""
        self._verbose = verbose
        self._output = output if output is not None else sys.stdout
        self._for_people = self._output.isatty()

    def say(self, words: str = "") -> None:
        """A line of our own."""
        self._write(words)

    def trouble(self, words: str) -> None:
        """A line of our own about something wrong."""
        self._write(f"\033[31m{words}\033[0m" if self._for_people else words)

    def heard(self, name: str, line: str) -> None:
        """A line that the process `name` wrote."""
        if not self._for_people:
            # a log file keeps the JSON as it is, which names its process itself
            self._write(line if line.startswith("{") else f"{name:13} | {line}")
            return
        if not self._verbose and is_everyday(line):
            return
        prefix = f"\033[{_COLOURS.get(name, 37)}m{name:13}\033[0m | "
        for part in readable(line).splitlines() or [""]:
            self._write(prefix + part)

    def _write(self, line: str) -> None:
        try:
            self._output.write(f"{line}\n")
            self._output.flush()
        except (BrokenPipeError, OSError):  # the terminal was closed; the work goes on
            self._output = open("/dev/null", "w", encoding="utf-8")  # noqa: PTH123, SIM115  # kept for ever
            self._for_people = False


def is_everyday(line: str) -> bool:
    """Whether a log line says what happens all the time: a request was answered, and not with an error of ours."""
    if '"answered"' not in line:
        return False
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return bool(entry.get("event") == "answered" and entry.get("level") in ("info", "debug"))


def readable(line: str) -> str:
    """A JSON log line as `12:30:05 info  mentions stored  channel=… stored=20`; any other line as it is."""
    if not line.startswith("{"):
        return line
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "event" not in entry:
        return line
    level = str(entry.get("level", "info"))
    time = str(entry.get("ts", ""))[11:19]
    rest = " ".join(f"{key}={_short(value)}" for key, value in entry.items() if key not in _LEFT_OUT)
    colour = _LOUD.get(level)
    level = f"\033[{colour}m{level:7}\033[0m" if colour else f"{level:7}"
    text = f"{time} {level} {entry['event']}  {rest}".rstrip()
    return f"{text}\n{entry['exception']}" if entry.get("exception") else text


def _short(value: object) -> str:
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return words if len(words) <= 200 else f"{words[:197]}…"
