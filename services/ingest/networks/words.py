"""Whether a text holds the words of a query, where a network tells everything and the choice is ours.

A query is words and "phrases in quotes"; all of them have to be there, each bounded as words are, without case and accents.
"""

from collections.abc import Sequence

import regex

from shared.rules.folding import fold, is_bounded

_TERM = regex.compile(r'"([^"]+)"|(\S+)')


class Words:
    """Queries, ready to be looked for."""

    def __init__(self, queries: Sequence[str]) -> None:
        self._wanted = [terms for query in queries if (terms := _terms(query))]

    def are_in(self, *said: str | None) -> bool:
        """Whether all the words of one query stand in what was said."""
        folded = fold(" ".join(one for one in said if one))
        return any(all(_holds(folded, term) for term in terms) for terms in self._wanted)


def _terms(query: str) -> list[str]:
    found = (fold(one[1] or one[2]).strip() for one in _TERM.finditer(query))
    return [term for term in found if term]


def _holds(said: str, term: str) -> bool:
    at = said.find(term)
    while at >= 0:
        if is_bounded(said, at, at + len(term)):
            return True
        at = said.find(term, at + 1)
    return False
