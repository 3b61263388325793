"""Mappings: how the columns of somebody else's file become the fields of a mention. The ready ones are in `mappings/`.

A mapping is YAML: `title`, `channel` (where they go unless --channel says otherwise), `items` (where the list stands in a
JSON document), `keep_raw`, `terms` (the venue's, for whoever shows what is imported: the fields of
`shared.models.display_rules.DisplayRules`), and `fields`. A field is the name of a column, or several of which the first
that says something counts, or one of these:

| written | gives |
|---|---|
| `{value: review}` | always this |
| `{from: Stars, min: 0, max: 10}` | a rating, on the scale that it was given on |
| `{from: Date, forms: ["%d-%m-%Y"], zone: Europe/Amsterdam}` | a moment; ISO 8601 and seconds or milliseconds since 1970 are known |
| `{from: Status, values: {live: public}, otherwise: private}` | another word for each |
| `{from: Body, html: true}` | the words of a piece of HTML |
| `{join: [Pros, Cons], with: "\\n\\n"}` | several columns together; of several in brackets, the first that says something |
| `{template: "https://shop.example/p/{Product}"}` | a text with columns in it; nothing where one is empty |
| `{hash: [Phone]}` | a name for what these columns say, that does not tell it to who lacks the installation's secret |

A column is found whatever its capitals, spaces, dashes and underscores; a dot goes a level down.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import ValidationError

from services.ingest.incoming_mention import IncomingMention
from services.local.mention_files import Unreadable
from services.local.trouble import LocalTrouble
from shared.models.display_rules import DisplayRules
from shared.rules.plain_text import plain_text

READY = Path(__file__).resolve().parent / "mappings"
Read = Callable[[Mapping[str, Any]], Any]
_RULE = frozenset(
    {"value", "from", "min", "max", "forms", "zone", "values", "otherwise", "html", "join", "with", "template", "hash"}
)
_MOMENTS = frozenset({"published_at", "edited_at", "deleted_at", "account_created_at"})
_WHOLE = frozenset({"title", "channel", "items", "keep_raw", "fields", "about", "terms"})


@dataclass(frozen=True, slots=True)
class FileMapping:
    """How a file's items become mentions."""

    title: str
    channel: str | None
    items: str | None
    keep_raw: bool
    fields: Mapping[str, Read]
    terms: DisplayRules = field(default_factory=DisplayRules)

    def mention(self, item: Mapping[str, Any]) -> dict[str, Any] | Unreadable:
        """An item as the fields of a mention; what a field cannot be made of is said."""
        made: dict[str, Any] = {}
        for target, read in self.fields.items():
            try:
                value = read(item)
            except ValueError as wrong:
                return Unreadable(f"has in {target} what {wrong}")
            if value is not None:
                *groups, name = target.split(".")
                place = made
                for group in groups:
                    place = place.setdefault(group, {})
                place[name] = value
        made.setdefault("text", "")  # a rating without words is a review too
        return {**made, "raw": dict(item)} if self.keep_raw else made


def ready() -> list[str]:
    """The names of the mappings that are here."""
    return sorted(file.stem for file in READY.glob("*.yaml"))


def read_mapping(name: str, key: str = "") -> FileMapping:
    """The ready mapping of that name, or the one in that file; `key` is the secret that hashed columns are hashed with.
    Raises LocalTrouble with what is wrong with it."""
    file = READY / f"{name}.yaml" if name in ready() else Path(name)
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LocalTrouble(
            f"There is no mapping {name}. There are: {', '.join(ready())}; or name a YAML file."
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as wrong:
        raise LocalTrouble(f"The mapping {file} cannot be read: {' '.join(str(wrong).split())}.") from wrong
    try:
        return _made(told, key.encode())
    except ValueError as wrong:
        raise LocalTrouble(f"The mapping {file} is not right: {wrong}.") from wrong


def _made(told: Any, key: bytes) -> FileMapping:
    if not isinstance(told, dict) or not isinstance(told.get("fields"), dict):
        raise ValueError("it has no `fields`")
    if unknown := sorted(set(told) - _WHOLE):
        raise ValueError(f"{', '.join(map(str, unknown))} is nothing that a mapping says")
    fields = {str(target): _reader(str(target), rule, key) for target, rule in told["fields"].items()}
    if lacking := {"external_id", "text", "published_at"} - set(fields):
        raise ValueError(f"it does not say where {', '.join(sorted(lacking))} comes from")
    return FileMapping(
        str(told.get("title") or "mentions"),
        told.get("channel"),
        told.get("items"),
        bool(told.get("keep_raw", True)),
        fields,
        _terms(told.get("terms", {})),
    )


def _terms(told: Any) -> DisplayRules:
    try:
        return DisplayRules.model_validate(told)
    except ValidationError as wrong:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors())
        raise ValueError(f"its terms are none ({said})") from wrong


def _reader(target: str, rule: Any, key: bytes) -> Read:
    if target.partition(".")[0] not in set(IncomingMention.model_fields) - {"raw", "channel"}:
        raise ValueError(f"{target} is no field of a mention")
    if isinstance(rule, str | list):
        rule = {"from": rule}
    if not isinstance(rule, dict) or not rule or not set(rule) <= _RULE:
        raise ValueError(f"{target} is neither a column nor a rule that is known")
    return _finished(target, rule, _source(target, rule, key))


def _source(target: str, rule: Mapping[str, Any], key: bytes) -> Read:
    """What the rule takes from an item, as it stands there."""
    if "value" in rule:
        return lambda _item: rule["value"]
    if "template" in rule:
        return _template(str(rule["template"]))
    if "join" in rule:
        between = str(rule.get("with", "\n\n"))
        return lambda item: between.join(_all(item, rule["join"])) or None
    if "hash" in rule:
        return lambda item: _hashed(_all(item, rule["hash"]), key)
    if "from" not in rule:
        raise ValueError(f"{target} does not say from where")
    return lambda item: _first(item, rule["from"])


def _finished(target: str, rule: Mapping[str, Any], source: Read) -> Read:
    """The same, made into what the field takes."""
    if target.rpartition(".")[2] in _MOMENTS:
        zone = _zone(str(rule.get("zone", "UTC")))
        return lambda item: _moment(source(item), rule.get("forms", ()), zone)
    if "min" in rule or "max" in rule:
        return lambda item: _scaled(source(item), rule)
    if "values" in rule:
        words = {_folded(said): meant for said, meant in rule["values"].items()}
        return lambda item: words.get(_folded(source(item) or ""), rule.get("otherwise"))
    if rule.get("html"):
        return lambda item: plain_text(str(found)) if (found := source(item)) is not None else None
    return source


# ---------------------------------------------------------------- columns


def _folded(name: object) -> str:
    return re.sub(r"[\s_-]+", "", str(name)).casefold()


def at_path(item: Any, path: str) -> Any:
    """What stands at a dotted path, whatever capitals, spaces, dashes and underscores; None where there is nothing."""
    if isinstance(item, Mapping) and path in item:
        return item[path]
    for part in path.split("."):
        if isinstance(item, Mapping):
            item = next((value for key, value in item.items() if _folded(key) == _folded(part)), None)
        elif isinstance(item, list) and part.isdigit():
            item = item[int(part)] if int(part) < len(item) else None
        else:
            return None
    return item


def _first(item: Mapping[str, Any], columns: str | Sequence[str]) -> Any:
    for column in [columns] if isinstance(columns, str) else columns:
        found = at_path(item, str(column))
        if found is not None and (not isinstance(found, str) or found.strip()):
            return found
    return None


def _all(item: Mapping[str, Any], columns: str | Sequence[str]) -> list[str]:
    found = (_first(item, column) for column in ([columns] if isinstance(columns, str) else columns))
    return [str(one).strip() for one in found if one is not None]


def _template(text: str) -> Read:
    columns = re.findall(r"\{([^{}]+)\}", text)

    def fill(item: Mapping[str, Any]) -> str | None:
        found = {column: _first(item, column) for column in columns}
        if any(value is None for value in found.values()):
            return None
        return re.sub(r"\{([^{}]+)\}", lambda place: str(found[place[1]]).strip(), text)

    return fill


def _hashed(parts: Sequence[str], key: bytes) -> str | None:
    """Without the key, who has the name could try all telephone numbers there are."""
    said = "\x00".join(re.sub(r"[\s().-]+", "", part).casefold() for part in parts)
    return f"hmac:{hmac.digest(key, said.encode(), 'sha256').hex()[:32]}" if parts else None


# ---------------------------------------------------------------- values


def _scaled(value: Any, rule: Mapping[str, Any]) -> dict[str, Any] | None:
    if value is None:
        return None
    number = re.search(r"-?\d+(?:[.,]\d+)?", str(value))
    if number is None:
        raise ValueError("is no number")
    return {"value": float(number[0].replace(",", ".")), "min": rule.get("min", 1), "max": rule.get("max", 5)}


def _moment(value: Any, forms: Sequence[str], zone: ZoneInfo) -> str | None:
    """A moment as ISO 8601. What has no zone is in `zone`."""
    if value is None:
        return None
    text = str(value).strip()
    at = _since_1970(text) or _written(text, forms)
    if at is None:
        raise ValueError("is no date that the mapping knows")
    return (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name} is no time zone") from None


def _since_1970(text: str) -> datetime | None:
    """Seconds or milliseconds; eight digits are a date."""
    if not re.fullmatch(r"\d{9,13}(\.\d+)?", text):
        return None
    number = float(text)
    return datetime.fromtimestamp(number / 1_000 if number >= 1e11 else number, UTC)


def _written(text: str, forms: Sequence[str]) -> datetime | None:
    for form in forms:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007  # its zone is the mapping's, put there by the caller
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
