"""What of everything that a network tells is wanted: what names a brand or speaks to it, and what a saved search finds.

It is asked of every post of a firehose, before anything else is known of it. Nearly all are turned away by the gate, which
looks for the names and the words of the searches; only those that hold one are looked at again: whether the name stands there
as it is written and means the brand, and whether the search holds. What speaks against a name is sought there only. Triage's
own question (is it about us?) is never stricter.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.rules.folding import Folded, fold, is_word
from shared.rules.gate import Gate
from shared.rules.query_language import Query, matches, terms

_Kind = Literal["name", "handle", "unless"]
_ALL = -1


@dataclass(frozen=True, slots=True)
class Named:
    """A brand as a firehose is listened for it. Beside one of the words in `unless` its names mean something else."""

    names: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


class Wanted:
    """All that one workspace listens for. Made once (a hundred thousand names take a second or two), asked often."""

    def __init__(self, brands: Sequence[Named], queries: Sequence[Query] = (), never: Iterable[str] = ()) -> None:
        """`never`: words beside which neither a name nor a search counts; only who writes to a handle is heard then."""
        sought: list[tuple[str, tuple[_Kind, int]]] = [(word, ("unless", _ALL)) for word in _written(never)]
        first: list[tuple[str, Hashable]] = []
        for at, brand in enumerate(brands):
            handles = [f"@{handle}" for one in brand.handles if (handle := one.strip().lstrip("@"))]
            names = _written(brand.names)
            sought += [(word, ("handle", at)) for word in handles]
            sought += [(word, ("name", at)) for word in names]
            sought += [(word, ("unless", at)) for word in _written(brand.unless)]
            first += [(word, None) for word in (*handles, *names)]
        self._queries = tuple(queries)
        asked = [(word, at) for at, query in enumerate(self._queries) for word in terms(query)]
        first += [(word, None) for word, _ in asked]
        self._first: Gate[Hashable] = Gate(first)
        self._asked: Gate[int] = Gate(asked)
        self._named: Gate[tuple[_Kind, int]] = Gate(sought)

    def __len__(self) -> int:
        """How many different words the gate looks for; 0: nothing is listened for, and nothing is wanted."""
        return len(self._first)

    def wants(self, text: str) -> bool:
        """Whether a text is wanted."""
        return self._on_a_closer_look(text)

    def select(self, texts: Sequence[str]) -> list[int]:
        """Which of many texts are wanted, by their index."""
        return [index for index in self._first.candidates(texts) if self._on_a_closer_look(texts[index])]

    def _on_a_closer_look(self, text: str) -> bool:
        folded = Folded(" ".join(text.split()))  # the words of a name may stand on two lines
        names: set[int] = set()
        unless: set[int] = set()
        for (kind, at), start, end in self._named.standing(folded):
            if kind == "name":
                names.add(at)
            elif kind == "unless":
                unless.add(at)
            elif not _is_address(folded, start, end):
                return True
        if _ALL in unless:
            return False
        if names - unless:
            return True
        return bool(self._queries) and any(
            matches(self._queries[at], folded) for at in sorted(self._asked.keys(folded))
        )


def _is_address(folded: Folded, start: int, end: int) -> bool:
    """Whether a handle at this place of the folded text is the end of an e-mail address."""
    begins, _ = folded.original(start, end)
    return begins > 0 and is_word(fold(folded.source[begins - 1]) or " ")


def _written(words: Iterable[str]) -> list[str]:
    """Words and phrases with one space between their parts; those in which there is nothing to look for are left out."""
    return [" ".join(word.split()) for word in words if fold(word).strip(" @")]
