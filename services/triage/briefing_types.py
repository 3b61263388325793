"""What a stage may know: of the workspace (Briefing), of one mention's past (Background), of language (Models)."""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar
from uuid import UUID

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray
    from spacy.tokens import Doc

    from services.triage.words.features import Vectoriser
    from services.triage.words.heads import Head

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class BrandBrief:
    """A brand as the stages see it. `handles` may carry a leading @; `exclude` are words beside which a name means
    something else (for a brand called Orange: "juice"); `context` are words that an ambiguous name needs beside it."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    product_lines: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    context: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The name and the aliases, the name first."""
        return (self.name, *self.aliases)


@dataclass(frozen=True, slots=True)
class QueryBrief:
    """A saved search in force. Empty `languages` and `channel_types` mean any."""

    id: str
    name: str
    text: str
    brand_id: str | None = None
    languages: tuple[str, ...] = ()
    channel_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IssueTypeBrief:
    """A kind of problem. `phrases` and `unless` hold, per language, phrases as shared/models/phrase.py reads them (a
    text or a mapping); `severity` runs from 1 (a wish) to 5 (harms people); `parent` is the key of a broader type, by
    default what stands before the last dot."""

    key: str
    name: str
    severity: int = 3
    phrases: Mapping[str, Sequence[object]] = field(default_factory=dict)
    unless: Mapping[str, Sequence[object]] = field(default_factory=dict)
    parent: str | None = None

    @property
    def broader(self) -> str | None:
        """The key of the broader type, None where there is none."""
        return self.parent or self.key.rpartition(".")[0] or None


BANDS: Final = 16


class Sketch(NamedTuple):
    """What look-alikes of a text are found by: `exact` (16 bytes, equal for texts that differ in nothing but case,
    spacing, punctuation, links and handles), and `bands` (BANDS numbers of 64 bits, one after another; near copies share one
    or more). `signature` says how alike two texts are: 256 bytes, each of the least of the text's runs of letters that fall to
    it, 0 where none does. Texts too short to compare have neither bands nor a signature."""

    exact: bytes
    bands: bytes
    signature: bytes

    def numbers(self) -> tuple[int, ...]:
        """The bands, each as one number; none for a text too short to compare."""
        return struct.unpack(f"<{len(self.bands) // 8}q", self.bands)

    def similarity(self, other: "Sketch") -> float:
        """The share of runs of letters that two texts have in common, give or take 0.03; 1 only for those that are exactly the
        same, 0 where one is too short."""
        if self.exact == other.exact:
            return 1.0
        size = len(self.signature)
        if not size or not other.signature:
            return 0.0
        mine, theirs = int.from_bytes(self.signature), int.from_bytes(other.signature)
        neither = (mine | theirs).to_bytes(size).count(0)
        equal = (mine ^ theirs).to_bytes(size).count(0)
        return min((equal - neither) / max(size - neither, 1), 0.99)


@dataclass(frozen=True, slots=True)
class LookAlike:
    """An earlier mention with the same text, or one that shares a band of its sketch (see stages/duplicates.py).
    `author` is the author's external id on that channel type, `handle` the name it goes by there; `sketch` saves
    sketching the text again. With `same_page` it stands for the same post or page, whatever its words. `entities` are (type, text,
    what decided it) of what was found in it by the pipeline that is in force; None where that is not known."""

    mention_id: UUID
    text: str
    author: str | None
    channel_type: str
    published_at: datetime
    permalink: str | None = None
    kind: str = "post"
    sketch: Sketch | None = None
    handle: str | None = None
    same_page: bool = False
    entities: tuple[tuple[str, str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Background:
    """What the database already knew about one mention before it was assessed; all defaults mean "nothing known".
    `sketch` is the mention's own, where it was made already to ask for the look-alikes."""

    sketch: Sketch | None = None
    look_alikes: tuple[LookAlike, ...] = ()
    in_our_conversation: bool = False
    asked_unanswered: int = 0
    author_posts_last_hour: int = 0
    rhythm_deviation: float | None = None  # spread of the gaps between posts over their mean; near 0 is a clock
    copied_by_authors: int = 0
    reviews_last_day: int = 0
    reviews_usual_day: float | None = None
    thread_per_hour: float = 0.0
    contact_tier: str | None = None


NO_BACKGROUND = Background()


class Lexicon(Protocol):
    """Words and short phrases of one language with a number each."""

    def weight(self, words: Sequence[str]) -> float | None:
        """The weight of exactly these folded words, or None."""

    def longest_from(self, word: str) -> int:
        """How many words the longest entry has that begins with this folded word; 0 where none does."""


class Phrasebook(Protocol):
    """Labelled phrases of one language."""

    def find(self, words: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
        """(label, start, end) for each phrase that stands in the words; offsets are those of the words."""


class Models(Protocol):
    """The models and lexicons that the runner hands in; loaded once per process (library.py)."""

    def read(self, texts: Sequence[str], language: str, *, entities: bool = True) -> "list[Doc]":
        """Tokenised texts with stems as lemmas; with `entities`, also what the language's model recognised."""

    def has_entity_model(self, language: str) -> bool:
        """Whether a trained entity recogniser is at hand for this language."""

    def model_name(self, language: str) -> str:
        """Name and version of what reads this language, for `decided_by`."""

    def language_odds(self, texts: Sequence[str]) -> "tuple[Sequence[str], NDArray[float32]]":
        """Every language the identifier knows, and for each text a row of their probabilities, in that order."""

    def languages_by_likelihood(self, text: str) -> list[tuple[str, float]]:
        """Every language the identifier knows with its probability, best first."""

    def lexicon(self, name: str, language: str) -> Lexicon:
        """The lexicon of that name; an empty one where the language has none."""

    def phrasebook(self, name: str, language: str) -> Phrasebook:
        """The phrases of that name; an empty book where the language has none."""

    def words(self, name: str) -> frozenset[str]:
        """A plain list of folded words."""

    def vectoriser(self) -> "Vectoriser":
        """What makes features of texts for every head."""

    def heads(self) -> "Mapping[str, Head]":
        """The heads that the project ships, by name."""


@dataclass(frozen=True)
class Briefing:
    """All that stages may know of one workspace, read only. `version` changes whenever anything in it does."""

    workspace_id: str
    version: str
    brands: tuple[BrandBrief, ...] = ()
    queries: tuple[QueryBrief, ...] = ()
    issue_types: tuple[IssueTypeBrief, ...] = ()
    languages: tuple[str, ...] = ("en", "nl")
    own_handles: frozenset[str] = frozenset()
    own_external_ids: frozenset[str] = frozenset()
    exclusions: tuple[str, ...] = ()
    gazetteer: tuple[tuple[str, str], ...] = ()  # (name, entity type), beside the brands and their products
    agents: tuple[str, ...] = ()  # the names of the brand's own people, who are no private persons in a text
    order_number_patterns: tuple[str, ...] = ()  # regular expressions of this workspace's own references
    priority: Mapping[str, Any] = field(default_factory=dict)
    heads: Mapping[str, bytes] = field(default_factory=dict)
    """The workspace's own heads by name, as heads.Head.to_bytes made them; one named like a shipped head replaces it."""
    models: Models = field(default=None, repr=False, compare=False)  # type: ignore[assignment]  # the runner's to give
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def with_models(self, models: Models) -> "Briefing":
        """The same briefing with models in hand."""
        return replace(self, models=models)

    def once(self, name: str, make: "Callable[[Briefing], Made]", of: tuple[str, ...] = ()) -> Made:
        """What `make` returns, made on the first call and kept as long as this briefing is in force. `of` names the
        fields it is made from: a later briefing in which they are the same may adopt it."""
        if name not in self._made:
            self._made[name] = (make(self), of)
        made: Made = self._made[name][0]
        return made

    def adopt(self, earlier: "Briefing") -> None:
        """Take over from another briefing what would be made from the same facts; matchers of thousands of phrases
        are dear, and most changes to a workspace do not touch them."""
        for name, (made, of) in earlier._made.items():  # noqa: SLF001  # of the same type
            if of and name not in self._made and all(getattr(self, one) == getattr(earlier, one) for one in of):
                self._made[name] = (made, of)

    def __getstate__(self) -> dict[str, Any]:
        """Only the facts travel to another process: no models, nothing made from them."""
        return {**self.__dict__, "models": None, "_made": {}}
