"""Near copies inherit what the language's model recognised in the first: in a storm of copies it reads each text once.

Only what costs is inherited. What rules read, the workspace's own names and all other findings are each text's own, and a copy that
names something new (a word with a capital or a figure that the first does not have) is read by the model itself.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from services.triage.stage import Assessment, Briefing

if TYPE_CHECKING:
    from spacy.tokens import Doc

KINDS: Final = frozenset({"exact", "near"})
LABELS: Final[Mapping[str, str]] = {"PLACE": "GPE", "WORK": "WORK_OF_ART"}
"""What a model calls the types of our findings, where it calls them otherwise."""
_WORD = re.compile(r"https?://\S+|[@#]\w+|\w+")

Names = tuple[tuple[str, str], ...]
"""(text, label) of what the model recognised."""


def read(batch: Sequence[Assessment], language: str, briefing: Briefing) -> "list[Doc]":
    """The tokenised texts with their entities, as `Models.read` gives them; those of copies are inherited where they can be."""
    models = briefing.models
    texts = [a.reading.text for a in batch]
    if not models.has_entity_model(language):
        return models.read(texts, language)
    places = {str(a.mention_id): at for at, a in enumerate(batch)}
    by = models.model_name(language)
    sources = [_source(a, at, batch, places, by) for at, a in enumerate(batch)]
    fresh = iter(models.read([text for text, source in zip(texts, sources, strict=True) if source is None], language))
    copies = [text for text, source in zip(texts, sources, strict=True) if source is not None]
    copied = iter(models.read(copies, language, entities=False) if copies else [])
    docs: list[Doc] = []
    for source in sources:
        if source is None:
            docs.append(next(fresh))
            continue
        names = (
            tuple((entity.text, entity.label_) for entity in docs[source].ents) if isinstance(source, int) else source
        )
        docs.append(_given(next(copied), names))
    return docs


def _source(
    a: Assessment, at: int, batch: Sequence[Assessment], places: Mapping[str, int], by: str
) -> int | Names | None:
    """Where a text's names come from: an earlier place in the batch, or what was kept of an earlier mention; None: it is read."""
    duplicate = a.one("duplicate")
    if duplicate is None or duplicate.value is None or duplicate.extra.get("kind") not in KINDS:
        return None
    first = places.get(str(duplicate.value))
    if first is not None:
        return first if first < at and not _says_more(a.reading.text, batch[first].reading.text) else None
    for like in a.background.look_alikes:
        if str(like.mention_id) == duplicate.value and like.entities is not None:
            if _says_more(a.reading.text, like.text):
                return None
            return tuple((text, LABELS.get(kind, kind)) for kind, text, decided_by in like.entities if decided_by == by)
    return None


def _says_more(copy: str, first: str) -> bool:
    """Whether a copy has words with a capital or a figure that the first does not have; links, handles and hashtags do not count."""
    known = set(_WORD.findall(first))
    return any(
        not word.islower() and word not in known and word[0] not in "@#" and "://" not in word
        for word in _WORD.findall(copy)
    )


def _given(doc: "Doc", names: Names) -> "Doc":
    """The document with the places of these names in it as its entities, none overlapping another; every place of each."""
    spans = []
    taken = bytearray(len(doc.text))
    for text, label in sorted(set(names), key=lambda one: (-len(one[0]), one)):
        at = doc.text.find(text) if text else -1
        while at >= 0:
            span = doc.char_span(at, at + len(text), label=label)
            if span is not None and not any(taken[at : at + len(text)]):
                taken[at : at + len(text)] = b"\1" * len(text)
                spans.append(span)
            at = doc.text.find(text, at + len(text))
    doc.set_ents(spans)
    return doc
