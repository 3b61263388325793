"""The contract of triage: an Assessment goes through stages, each of which adds findings or dismisses it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.triage.briefing_types import (
    NO_BACKGROUND,
    Background,
    BrandBrief,
    Briefing,
    IssueTypeBrief,
    Lexicon,
    LookAlike,
    Models,
    QueryBrief,
    Sketch,
)
from services.triage.reading import Reading, fold, legible

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from services.triage.words.wording import Wording

__all__ = [
    "NO_BACKGROUND",
    "Assessment",
    "AuthorInfo",
    "Background",
    "BrandBrief",
    "Briefing",
    "Finding",
    "IssueTypeBrief",
    "Lexicon",
    "LookAlike",
    "Models",
    "QueryBrief",
    "Reading",
    "Sketch",
    "Stage",
    "finder",
    "fold",
    "quote",
    "stage",
]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that triage found. `start` and `end` are code points of the stored text; `extra` holds what this kind
    of finding adds (score, type, text, kind, signals, parts)."""

    value: Any
    confidence: float
    why: str
    decided_by: str
    version: str
    start: int | None = None
    end: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The public shape, the same for the api, GraphQL and `analyse`."""
        shape: dict[str, Any] = {
            "value": self.value,
            "confidence": round(self.confidence, 3),
            "why": self.why,
            "decided_by": self.decided_by,
            "version": self.version,
            **self.extra,
        }
        if self.start is not None:
            shape["start"], shape["end"] = self.start, self.end
        return shape


Findings = Mapping[str, "Finding | tuple[Finding, ...] | None"]


@dataclass(frozen=True, slots=True)
class AuthorInfo:
    """What is known of the account that wrote a mention; every field may be missing."""

    external_id: str | None = None
    handle: str | None = None
    name: str | None = None
    followers: int | None = None
    following: int | None = None
    verified: bool | None = None
    account_created_at: datetime | None = None


@dataclass(frozen=True)  # no slots: a copy with a finding more is made a dozen times for each mention, from the dict
class Assessment:
    """One mention on its way through triage. Immutable: `found`, `dismiss` and `failed` return a new one.

    `owned` says that the venue itself is the brand's (its mailbox, its own review page), so that whatever stands
    there is meant for it. `addressed` is set by relevance: the author speaks to the brand, not only about it. `doc` and
    `wording` are workings of the run that are never stored.
    """

    mention_id: UUID
    text: str
    channel_type: str
    published_at: datetime
    title: str | None = None
    lang_hint: str | None = None
    author: AuthorInfo | None = None
    kind: str = "post"
    visibility: str = "public"
    owned: bool = False
    permalink: str | None = None
    rating: float | None = None  # on a scale of 1 to 5
    reach: int | None = None
    country: str | None = None
    background: Background = NO_BACKGROUND
    findings: Findings = field(default_factory=dict)
    dismissed: str | None = None
    disposition: str | None = None
    addressed: bool = False
    doc: "Doc | None" = field(default=None, repr=False, compare=False)
    wording: "Wording | None" = field(default=None, repr=False, compare=False)
    reading: Reading = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Every assessment can be read, however it was made. What no encoding can carry (lone surrogates, NUL) becomes
        U+FFFD, one for one, so that places stay where they are."""
        for name in ("text", "title"):
            text = getattr(self, name)
            if text and (cleaned := legible(text)) is not text:
                object.__setattr__(self, name, cleaned)
        object.__setattr__(self, "reading", Reading.of(self.text))

    def found(self, **findings: "Finding | Sequence[Finding] | None") -> "Assessment":
        """With these findings added. None says that the question was asked and has no answer."""
        added: dict[str, Any] = {**self.findings}
        for name, finding in findings.items():
            added[name] = finding if finding is None or isinstance(finding, Finding) else tuple(finding)
        changed = object.__new__(Assessment)
        changed.__dict__.update(self.__dict__)
        changed.__dict__["findings"] = added
        return changed

    def but(self, **changes: Any) -> "Assessment":
        """The same with these fields changed."""
        changed = object.__new__(Assessment)
        changed.__dict__.update(self.__dict__)
        changed.__dict__.update(changes)
        return changed

    def dismiss(self, reason: str) -> "Assessment":
        """No conversation comes of this mention, for the reason given in a few words."""
        return self.but(dismissed=reason)

    def failed(self, stage_name: str, error: str) -> "Assessment":
        """A stage could not answer; the mention goes on, and a person will see it."""
        note = Finding(stage_name, 1.0, f"failed: {stage_name}: {error}", "pipeline", "1")
        return self.found(failed=(*self.many("failed"), note))

    def one(self, name: str) -> Finding | None:
        """A single finding, or None."""
        finding = self.findings.get(name)
        return finding if isinstance(finding, Finding) else None

    def many(self, name: str) -> tuple[Finding, ...]:
        """A list of findings, empty where there are none."""
        findings = self.findings.get(name)
        return findings if isinstance(findings, tuple) else ()

    def value(self, name: str, default: Any = None) -> Any:
        """The value of a single finding, or the default."""
        finding = self.one(name)
        return default if finding is None else finding.value

    @property
    def language(self) -> str:
        """The language found, `und` where none was."""
        return str(self.value("language") or "und")

    @property
    def whole_text(self) -> str:
        """Title and text together, for questions that need no place in the text."""
        return f"{self.title}\n{self.text}" if self.title else self.text

    def whole_reading(self) -> tuple[Reading, int]:
        """Title and text as one reading, and where the text begins in it."""
        if not self.title or self.title in self.text:
            return self.reading, 0
        title = " ".join(self.title.split())
        ended = title if title[-1:] in ".!?…:" else f"{title}."
        return Reading.of(f"{ended}\n{self.reading.text}"), len(ended) + 1

    def findings_json(self) -> dict[str, Any]:
        """All findings in their public shape."""
        return {
            name: [one.to_json() for one in found] if isinstance(found, tuple) else found.to_json() if found else None
            for name, found in self.findings.items()
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """What travels to the process that analyses: the mention as it came, nothing worked out."""
        return _again, (
            self.mention_id,
            self.text,
            self.channel_type,
            self.published_at,
            self.title,
            self.lang_hint,
            self.author,
            self.kind,
            self.visibility,
            self.owned,
            self.permalink,
            self.rating,
            self.reach,
            self.country,
            self.background,
        )


def _again(*fields: Any) -> Assessment:
    return Assessment(*fields)


Assess = Callable[[Sequence[Assessment], Briefing], Sequence[Assessment]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A function that answers one question, with what it needs and adds."""

    name: str
    version: str
    needs: tuple[str, ...]
    adds: tuple[str, ...]
    assess: Assess

    def __call__(self, batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
        """Answer the question for the whole batch, in the batch's order."""
        return self.assess(batch, briefing)


def stage(*, adds: Sequence[str], needs: Sequence[str] = (), version: str) -> Callable[[Assess], Stage]:
    """Declare a stage: its name is the name of its file. `doc` among needs or adds is the tokenised text, `wording`
    what the heads say of it."""

    def declare(assess: Assess) -> Stage:
        return Stage(assess.__module__.rpartition(".")[2], version, tuple(needs), tuple(adds), assess)

    return declare


class finder:  # noqa: N801  # used as a verb: says = finder("spam", "1")
    """Makes the findings of one stage, so that each carries the stage's name and version."""

    def __init__(self, decided_by: str, version: str) -> None:
        self.decided_by = decided_by
        self.version = version

    def __call__(
        self,
        value: Any,
        confidence: float,
        why: str,
        *,
        span: tuple[int, int] | None = None,
        by: str | None = None,
        learned: str | None = None,
        **extra: Any,
    ) -> Finding:
        """A finding; `by` names a more exact source than the stage, `learned` the version of the weights that it rests on,
        `span` is in code points of the stored text."""
        start, end = span if span is not None else (None, None)
        version = f"{self.version}.{learned}" if learned else self.version
        return Finding(value, confidence, why, by or self.decided_by, version, start, end, extra or _NOTHING)


def quote(*words: str, limit: int = 4) -> str:
    """Words that decided something, in quotation marks, each once and shortened: 'kapot', 'again'."""
    seen = dict.fromkeys(" ".join(word.split())[:60] for word in words if word.strip())
    return ", ".join(f"'{word}'" for word in list(seen)[:limit])
