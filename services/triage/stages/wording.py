"""How is it worded? The text as features, once for all heads, and what each head makes of it; a working, not a finding."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from services.triage.stage import Assessment, Briefing, stage
from services.triage.words.heads import Head, HeadError
from services.triage.words.wording import Wording

_VERSION = "1"


@stage(needs=("relevance", "language"), adds=("wording",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """The same mentions with `wording`: the opinions of the heads that the project ships and of the workspace's own, which
    stand in for shipped ones of the same name."""
    heads = briefing.once("wording.heads", _heads, of=("heads",))
    read = [a.whole_reading() for a in batch]
    features = briefing.models.vectoriser().rows([reading for reading, _ in read], [a.language for a in batch])
    opinions = {name: head.opinions(features) for name, head in heads.items()}
    return [a.but(wording=Wording(row, read[row][1], features, opinions)) for row, a in enumerate(batch)]


def _heads(briefing: Briefing) -> Mapping[str, Head]:
    heads = dict(briefing.models.heads())
    for name, stored in briefing.heads.items():
        with suppress(
            HeadError
        ):  # one of an older vectoriser: the shipped head or the rules answer until it is refitted
            heads[name] = Head.from_bytes(stored)
    return heads
