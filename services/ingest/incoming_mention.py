"""A mention as it comes in, from a channel or by push, in our words: cleaned, bounded, and refused in sentences."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from shared.kit import clock
from shared.models.mention import MentionKind, Visibility

LONGEST_TEXT = 1_000_000  # code points; kept whole, analysed up to a cap
LONGEST_ID = 1_024  # bytes of UTF-8, because ids stand in a unique index
LONGEST_RAW = 2_000_000  # bytes
MOST_MEDIA = 50
DEEPEST = 4  # how deep our own fields may be nested; `raw` is the venue's business
CLOCK_SKEW = timedelta(days=1)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
MOST = 2**53 - 1  # the largest number that every JSON reader takes exactly

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*", re.IGNORECASE)
_NO_LANGUAGE = frozenset({"", "und", "mul", "zxx", "mis"})


def cleaned(text: str) -> str:
    """`text` without what a database cannot hold: NUL is dropped, half a surrogate pair becomes U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _is_clean(fields: Mapping[str, Any]) -> bool:
    """Whether every text in there can be stored as it is. Nearly all can, and this is asked of every mention: writing it as
    JSON is the quickest way to find half a surrogate pair (refused) and NUL (escaped)."""
    try:
        return b"\\u0000" not in orjson.dumps(fields)
    except TypeError:  # JSONEncodeError is one: half a pair, or something that is no JSON at all
        return False


def _clean(value: Any, depth: int = 0) -> Any:
    """The value with every text in it cleaned."""
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, BaseModel):  # an author or media that a channel made
        value = {name: getattr(value, name) for name in value.model_fields_set}
    if not isinstance(value, dict | list | tuple):
        return value
    if depth > DEEPEST:
        raise ValueError("something is nested too deeply")
    if isinstance(value, dict):
        return {key: _clean(inner, depth + 1) for key, inner in value.items()}
    return [_clean(inner, depth + 1) for inner in value]


def _raw_bytes(raw: Any) -> bytes | None:
    if raw is None or isinstance(raw, bytes):
        return raw
    if isinstance(raw, str):
        return raw.encode("utf-8", "surrogatepass")
    try:
        return json.dumps(
            raw, ensure_ascii=True, separators=(",", ":")
        ).encode()  # escapes keep half pairs as they were
    except (TypeError, ValueError, RecursionError) as wrong:
        raise ValueError("raw is not JSON that can be kept") from wrong


def _utc(at: datetime) -> datetime:
    try:
        at = at.astimezone(UTC) if at.utcoffset() else at.replace(tzinfo=UTC)
    except OverflowError as wrong:
        raise ValueError("lies outside the calendar") from wrong
    if at < EARLIEST:
        raise ValueError(f"is {at.isoformat()}, which is before 1970; check its unit (seconds or milliseconds)")
    return at


def _not_ahead(at: datetime) -> datetime:
    """Nothing is published after we heard of it: up to a day ahead is a clock or zone that is off, and becomes now."""
    at = _utc(at)
    now = clock.now()
    if at <= now:
        return at
    if at - now > CLOCK_SKEW:
        raise ValueError(f"is {at.isoformat()}, more than a day ahead; check the clock and the time zone")
    return now


def _short_enough(external_id: str) -> str:
    if len(external_id) > LONGEST_ID // 4 and len(external_id.encode()) > LONGEST_ID:
        raise ValueError(f"takes {len(external_id.encode())} bytes; at most {LONGEST_ID} are taken")
    return external_id


def _language(lang: Any) -> Any:
    if not isinstance(lang, str):
        return lang
    tag = lang.strip().replace("_", "-")
    if tag.lower() in _NO_LANGUAGE:
        return None
    if not _LANGUAGE.fullmatch(tag) or len(tag) > 35:
        raise ValueError("is not a language tag such as nl or pt-BR")
    return tag


def _country(country: Any) -> Any:
    if not isinstance(country, str):
        return country
    code = country.strip().upper()
    return {"": None, "UK": "GB", "EL": "GR"}.get(code, code)


def _handle(handle: Any) -> Any:
    return handle.strip().removeprefix("@") or None if isinstance(handle, str) else handle


def _five_stars(rating: Any) -> Any:
    """A rating on its own scale, put on the scale of 1 to 5."""
    if not isinstance(rating, Mapping):
        return rating
    try:
        value, least, most = float(rating["value"]), float(rating.get("min", 1)), float(rating.get("max", 5))
    except (KeyError, TypeError, ValueError, OverflowError) as wrong:
        raise ValueError('is a number from 1 to 5, or {"value": 8, "min": 0, "max": 10}') from wrong
    if not least < most or not least <= value <= most:
        raise ValueError(f"is {value:g}, outside its scale of {least:g} to {most:g}")
    return round(1 + 4 * (value - least) / (most - least), 2)


_ANYTHING = WithJsonSchema({"description": "The venue's own payload, kept as it is."})
ExternalId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_short_enough)]
Moment = Annotated[datetime, AfterValidator(_utc)]
PublishedAt = Annotated[datetime, AfterValidator(_not_ahead)]
Url = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=2_048, pattern=r"^[hH][tT]{2}[pP][sS]?://[^\s]+$")
]
Label = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Count = Annotated[int, Field(ge=0, le=MOST)]


class _Incoming(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True)


class IncomingAuthor(_Incoming):
    """Who wrote it, as the venue tells. `external_id` is the venue's own id for the account, never a mere name."""

    external_id: ExternalId | None = None
    handle: Annotated[Label | None, BeforeValidator(_handle)] = Field(default=None, description="Without the @.")
    name: Label | None = None
    url: Url | None = None
    followers: Count | None = None
    following: Count | None = None
    verified: bool | None = None
    account_created_at: Moment | None = None


class IncomingMedia(_Incoming):
    """Something shown beside the text: a link to it and what it is said to show. What has no address of its own (a file that
    came with a mail) has a name and a size instead."""

    kind: Literal["image", "video", "audio", "file", "link"] = "file"
    url: Url | None = None
    alt: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    name: Label | None = Field(default=None, description="Of the file.")
    size: Count | None = Field(default=None, description="In bytes.")

    @model_validator(mode="after")
    def _is_known_by_something(self) -> Self:
        if self.url is None and (not self.name or self.size is None):
            raise ValueError("has no url; without one, name and size say what it is")
        return self


class Engagement(_Incoming):
    """What others did with it. None: the venue does not tell; 0: it tells that nobody did."""

    likes: Count | None = None
    replies: Count | None = None
    shares: Count | None = None
    quotes: Count | None = None
    views: Count | None = None
    score: Annotated[int, Field(ge=-MOST, le=MOST)] | None = None


class IncomingMention(_Incoming):
    """One post about us or to us. Times without a zone are UTC. The same `external_id` again is the same mention.

    `edited_at` says that it is a new version of a mention sent before; `deleted_at` that its venue has it no more, and
    `restored` that it stands there again. A mail is never a new version without `edited_at`.
    """

    channel: Label | None = Field(
        default=None, description="Name or id of a push channel. A pulling channel knows its own."
    )
    external_id: ExternalId = Field(description="The venue's id of it: what makes two deliveries one mention.")
    text: Annotated[str, StringConstraints(max_length=LONGEST_TEXT)] = Field(description="Plain text, not HTML.")
    published_at: PublishedAt = Field(
        description="When it was published. Up to a day ahead becomes now; more is refused."
    )
    author: IncomingAuthor | None = None
    kind: MentionKind = MentionKind.POST
    visibility: Visibility = Visibility.PUBLIC
    permalink: Url | None = None
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] | None = None
    lang: Annotated[str | None, BeforeValidator(_language)] = Field(
        default=None, description="BCP 47, as the venue tells."
    )
    in_reply_to: ExternalId | None = Field(default=None, description="external_id of what it answers.")
    thread_id: ExternalId | None = Field(default=None, description="external_id of the thread's first post.")
    rating: Annotated[float | None, Field(ge=1, le=5, allow_inf_nan=False), BeforeValidator(_five_stars)] = Field(
        default=None, description='From 1 to 5, or {"value": 8, "min": 0, "max": 10}.'
    )
    engagement: Engagement | None = None
    media: Annotated[tuple[IncomingMedia, ...], Field(max_length=MOST_MEDIA)] = ()
    country: Annotated[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None, BeforeValidator(_country)] = (
        Field(default=None, description="ISO 3166-1 alpha-2.")
    )
    edited_at: Moment | None = None
    deleted_at: Moment | None = None
    restored: bool = Field(default=False, description="The venue says that it stands there again after it was deleted.")
    addressed_to_us: bool | None = Field(
        default=None,
        description="As the venue tells (its author named, quoted or wrote to us). Unset: as the text shows.",
    )
    raw: Annotated[bytes | None, _ANYTHING, Field(max_length=LONGEST_RAW)] = None

    @model_validator(mode="before")
    @classmethod
    def _made_storable(cls, data: Any) -> Any:
        if type(data) is not dict and not isinstance(data, Mapping):
            return data
        raw = data.get("raw")
        fields = data if raw is None else {key: value for key, value in data.items() if key != "raw"}
        if not _is_clean(fields):
            fields = _clean(dict(fields))
        return fields if raw is None else {**fields, "raw": _raw_bytes(raw)}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.text.strip() or self.title or self.media or self.rating is not None or self.deleted_at):
            raise ValueError("text is empty, and there is no title, rating or media either")
        if self.restored and self.deleted_at:
            raise ValueError("deleted_at and restored say opposite things; send one of them")
        return self

    def digest(self) -> bytes:
        """16 bytes that change when what is said changes (not when likes are counted): tells an edit from a repeat."""
        said = [self.text, self.title or "", f"{self.rating}", "deleted" if self.deleted_at else ""]
        if self.media:
            said += [part or "" for one in self.media for part in (one.url or f"{one.size} {one.name}", one.alt)]
        return hashlib.blake2b("\x00".join(said).encode(), digest_size=16).digest()  # no text holds a NUL


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that cannot be taken, by its place in what was sent (from 0)."""

    index: int
    code: str
    detail: str


def read_mentions(items: Iterable[Any]) -> tuple[list[tuple[int, IncomingMention]], list[Rejected]]:
    """Reads items as mentions, each with its place; one bad item never spoils the others."""
    good: list[tuple[int, IncomingMention]] = []
    bad: list[Rejected] = []
    for index, item in enumerate(items):
        if isinstance(item, Rejected):  # it could not even be read as JSON
            bad.append(Rejected(index, item.code, item.detail))
            continue
        try:
            good.append((index, IncomingMention.model_validate(item)))
        except ValidationError as wrong:
            bad.append(Rejected(index, "invalid_mention", " ".join(detail for _, detail in explain(wrong))))
    return good, bad


def explain(error: ValidationError, of: str = "a mention") -> list[tuple[str, str]]:
    """What is wrong, as (JSON pointer, sentence) pairs, without the values (customers' words, or secrets)."""
    found: list[tuple[str, str]] = []
    for problem in error.errors(include_url=False, include_input=False):
        path = [str(part) for part in problem["loc"]]
        name = ".".join(path) or of[0].upper() + of[1:]
        found.append(("".join(f"/{part}" for part in path), _sentence(name, of, problem)))
    return found


def _sentence(name: str, of: str, problem: Any) -> str:
    limits = problem.get("ctx", {})
    match problem["type"]:
        case "missing":
            return f"{name} is missing."
        case "extra_forbidden":
            return f"{name} is not a field of {of}."
        case "value_error":
            said = problem["msg"].removeprefix("Value error, ")
            return f"{name} {said}." if problem["loc"] else f"{said[0].upper()}{said[1:]}."
        case "string_too_short":
            return f"{name} is empty."
        case "string_too_long" | "bytes_too_long" | "too_long":
            return f"{name} is too long; at most {limits['max_length']} are taken."
        case "string_pattern_mismatch" if name.endswith(("permalink", "url")):
            return f"{name} is not a URL that begins with http:// or https://."
        case "string_pattern_mismatch" if name == "country":
            return f"{name} is not a country code such as NL."
        case "model_type" | "model_attributes_type":
            return f"{name} is not an object."
        case "enum" | "literal_error":
            return f"{name} is not one of {limits['expected']}."
        case _:
            return f"{name} is not right: {problem['msg'][0].lower()}{problem['msg'][1:]}."
