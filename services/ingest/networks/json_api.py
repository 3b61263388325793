"""What networks with a JSON API over HTTP have in common: reading their answers, their quota, and fields that may be wrong.

A field that is not as documented never stops the reading: it is left out and told as drift, once, by its dotted name.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from services.ingest.channel_errors import A_WHILE, ChannelBroken, TryLater, expect_read
from services.ingest.incoming_mention import MOST
from shared.kit import clock
from shared.kit.http import LONGEST_WAIT, Answer, retry_after

_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
_RESET = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_NO_TIME_BEFORE = 1_000_000_000  # a smaller number is no moment but a number of seconds from now


def parsed(body: bytes) -> Any:
    """JSON, including halves of surrogate pairs, which networks send and strict parsers refuse. Raises ValueError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as strict:
        if b"\\u" not in body:
            raise ValueError(str(strict)) from strict
        try:
            return json.loads(body)
        except RecursionError as deep:
            raise ValueError("it is nested too deeply") from deep


def expect_json(answer: Answer, what: str) -> dict[str, Any]:
    """The object in a good answer to a read. Raises the ChannelError that anything else means."""
    if answer.status == 429 and not answer.headers.get("retry-after"):
        raise TryLater(f"{what} answers 429.", until_reset(answer) or A_WHILE)
    return object_in(expect_read(answer, what).body, what)


def object_in(body: bytes, what: str) -> dict[str, Any]:
    """The JSON object that a body is. Half a body is a matter of trying later; a web page or a list is not."""
    if body.lstrip()[:1] == b"<":
        raise ChannelBroken(f"{what} answers with a web page. Check the address.")
    try:
        found = parsed(body)
    except ValueError as wrong:
        raise TryLater(f"{what} answers something that is not whole JSON.") from wrong
    if not isinstance(found, dict):
        raise ChannelBroken(f"{what} answers something other than documented. Check the address.")
    return found


def list_in(body: bytes, what: str) -> list[Any]:
    """The JSON list that a body is, as `object_in`."""
    if body.lstrip()[:1] != b"[":
        object_in(body, what)
        raise ChannelBroken(f"{what} answers something other than documented. Check the address.")
    try:
        found: list[Any] = parsed(body)
    except ValueError as wrong:
        raise TryLater(f"{what} answers something that is not whole JSON.") from wrong
    return found


def quota_left(answer: Answer) -> int | None:
    """How many calls the network still grants, by its headers."""
    said = next((answer.headers[name] for name in _REMAINING if name in answer.headers), "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else None


def until_reset(answer: Answer) -> timedelta | None:
    """How long to wait until the network grants calls again: its Retry-After, else its reset (seconds since 1970 or ISO 8601)."""
    asked = retry_after(answer)
    if asked is not None:
        return asked
    said = next((answer.headers[name] for name in _RESET if name in answer.headers), "").strip()
    try:
        number = float(said)
        wait = (
            timedelta(seconds=number) if number < _NO_TIME_BEFORE else datetime.fromtimestamp(number, UTC) - clock.now()
        )
    except (ValueError, OverflowError, OSError):
        at = moment(said)
        if at is None:
            return None
        wait = at - clock.now()
    return min(max(wait, timedelta(seconds=1)), LONGEST_WAIT)


def said_in(answer: Answer, *names: str) -> str:
    """The sentence in which a network says what is wrong, from the first of the fields `names` that holds one."""
    try:
        found = parsed(answer.body)
    except ValueError:
        return ""
    told = (found.get(name) for name in names) if isinstance(found, dict) else ()
    return next((one[:300] for one in told if isinstance(one, str) and one), "")


def moment(said: Any) -> datetime | None:
    """A moment in ISO 8601, in UTC; None where it is none that a mention can have."""
    if not isinstance(said, str) or len(said) > 40:
        return None
    try:
        at = datetime.fromisoformat(said)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def token_time(token: str) -> datetime | None:
    """When a reply's token was made, where it is a UUID of version 7 (which begins with its moment in milliseconds)."""
    try:
        known = UUID(token)
    except ValueError:
        return None
    return datetime.fromtimestamp((known.int >> 80) / 1_000, UTC) if known.version == 7 else None


def kept(value: Any) -> bytes:
    """A payload as it is kept; what cannot be written as it came is written with escapes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=str).encode()


class Fields:
    """An object of a payload, read field by field. What is not as documented reads as None and goes into `drift`."""

    __slots__ = ("drift", "name", "value")

    def __init__(self, value: Any, name: str, drift: dict[str, None]) -> None:
        self.value: Mapping[str, Any] = value if isinstance(value, dict) else {}
        self.name = name
        self.drift = drift
        if value is not None and not isinstance(value, dict):
            drift[name] = None

    def __bool__(self) -> bool:
        return bool(self.value)

    def text(self, key: str, *, needed: bool = False) -> str | None:
        """A text; a whole number counts as one where ids are so sent."""
        found = self.value.get(key)
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
        if isinstance(found, str):
            return found
        self._not_so(key, found, needed=needed)
        return None

    def count(self, key: str) -> int | None:
        """A whole number that is not negative."""
        found = self.value.get(key)
        if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MOST:
            return found
        self._not_so(key, found)
        return None

    def flag(self, key: str) -> bool | None:
        """True or false."""
        found = self.value.get(key)
        if isinstance(found, bool):
            return found
        self._not_so(key, found)
        return None

    def moment(self, key: str, *, needed: bool = False) -> datetime | None:
        """A moment."""
        at = moment(found := self.value.get(key))
        if at is None:
            self._not_so(key, found, needed=needed)
        return at

    def inside(self, key: str, *, needed: bool = False) -> "Fields":
        """The object in a field; an empty one where there is none."""
        found = self.value.get(key)
        if needed and found is None:
            self._not_so(key, found, needed=True)
        return Fields(found, f"{self.name}.{key}", self.drift)

    def each(self, key: str) -> Iterator["Fields"]:
        """The objects in a list."""
        for one in self.all(key):
            yield Fields(one, f"{self.name}.{key}", self.drift)

    def all(self, key: str) -> list[Any]:
        """A list as it is; an empty one where there is none."""
        found = self.value.get(key)
        if isinstance(found, list):
            return found
        self._not_so(key, found)
        return []

    def link(self, key: str) -> str | None:
        """A text that can stand as a URL of a mention."""
        found = self.text(key)
        return found if found and is_link(found) else None

    def _not_so(self, key: str, found: Any, *, needed: bool = False) -> None:
        if needed or found is not None:
            self.drift[f"{self.name}.{key}"] = None


def is_link(text: str) -> bool:
    """Whether a mention can hold it as a URL."""
    return (
        text[:8].lower().startswith(("http://", "https://")) and len(text) <= 2_048 and not any(map(str.isspace, text))
    )
