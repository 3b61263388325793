"""A text with what identifies people put out of sight, and the way from places in it to those in the original.

What is masked is shown as its kind in square brackets, `[email]`, the same whatever stood there, so that nothing of it can be
guessed from the placeholder's length. Findings that repeat a masked part are masked with it.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

SHORTEST_REPEATED: Final = 3
"""Parts with fewer characters than this are masked in their place only, not wherever their letters stand in a finding."""


class Cut(NamedTuple):
    """A part that is masked: its place in the original and that of its placeholder in the masked text."""

    start: int
    end: int
    masked_start: int
    masked_end: int
    kind: str


class Masked(NamedTuple):
    """The text as shown, and what was masked, in order."""

    text: str
    cuts: tuple[Cut, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a place of the original lies in the masked text; one that touches a placeholder takes all of it."""
        return self._moved(start, first=True), self._moved(end, first=False)

    def _moved(self, place: int, *, first: bool) -> int:
        at = bisect_right(self.cuts, place, key=_start) - 1
        if at >= 0 and not first and self.cuts[at].start == place:
            at -= 1  # a place that ends where a cut begins does not touch it
        if at < 0:
            return place
        cut = self.cuts[at]
        if place < cut.end:
            return cut.masked_start if first else cut.masked_end
        return place - cut.end + cut.masked_end


def mask(text: str, pii: Iterable[Mapping[str, Any]], kinds: Collection[str] | None = None) -> Masked:
    """Mask what `pii` findings (in their public shape: `type`, `start`, `end` in code points) point at; only of these
    kinds, where they are given. Places that overlap become one, of the kind of the first."""
    pieces: list[str] = []
    cuts: list[Cut] = []
    at = length = 0
    for start, end, kind in _joined(_places(pii, kinds, len(text))):
        placeholder = f"[{kind}]"
        pieces += [text[at:start], placeholder]
        length += start - at
        cuts.append(Cut(start, end, length, length + len(placeholder), kind))
        length += len(placeholder)
        at = end
    return Masked("".join([*pieces, text[at:]]), tuple(cuts))


def mask_findings(text: str, findings: Mapping[str, Any], kinds: Collection[str] | None = None) -> dict[str, Any]:
    """All findings of a text as they may be shown beside its masked form: places are those of the masked text, and what
    was masked is repeated nowhere, be it in a value, a reason or a quotation."""
    masked = mask(text, findings.get("pii") or (), kinds)
    if not masked.cuts:
        return dict(findings)
    hidden = {text[cut.start : cut.end]: f"[{cut.kind}]" for cut in masked.cuts}
    repeated = sorted((one for one in hidden if len(one) >= SHORTEST_REPEATED), key=len, reverse=True)
    return {name: _shown(found, masked, [(one, hidden[one]) for one in repeated]) for name, found in findings.items()}


def _shown(found: Any, masked: Masked, hidden: list[tuple[str, str]]) -> Any:
    if isinstance(found, str):
        for one, placeholder in hidden:
            if one in found:
                found = found.replace(one, placeholder)
        return found
    if isinstance(found, Mapping):
        shown = {name: _shown(one, masked, hidden) for name, one in found.items()}
        start, end = found.get("start"), found.get("end")
        if isinstance(start, int) and isinstance(end, int):
            shown["start"], shown["end"] = masked.span(start, end)
            if touched := next((cut for cut in masked.cuts if cut.start < end and start < cut.end), None):
                _hide(shown, touched, masked)
        return shown
    if isinstance(found, (list, tuple)):
        return [_shown(one, masked, hidden) for one in found]
    return found


def _hide(shown: dict[str, Any], cut: Cut, masked: Masked) -> None:
    """A finding about a masked part: its normal form would give the part away (a telephone number as E.164)."""
    if isinstance(shown.get("text"), str):
        shown["text"] = masked.text[shown["start"] : shown["end"]]
        if isinstance(shown.get("value"), str):
            shown["value"] = f"[{cut.kind}]"


def _places(
    pii: Iterable[Mapping[str, Any]], kinds: Collection[str] | None, length: int
) -> Iterator[tuple[int, int, str]]:
    for one in pii:
        start, end, kind = one.get("start"), one.get("end"), str(one.get("type", "private"))
        if isinstance(start, int) and isinstance(end, int) and (kinds is None or kind in kinds):
            start, end = max(0, start), min(end, length)
            if start < end:
                yield start, end, kind


def _joined(places: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    open_start, open_end, open_kind = -1, -1, ""
    for start, end, kind in sorted(places, key=lambda place: (place[0], -place[1])):
        if start < open_end:
            open_end = max(open_end, end)
            continue
        if open_end > open_start:
            yield open_start, open_end, open_kind
        open_start, open_end, open_kind = start, end, kind
    if open_end > open_start:
        yield open_start, open_end, open_kind


def _start(cut: Cut) -> int:
    return cut.start
