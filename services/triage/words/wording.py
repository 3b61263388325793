"""What all heads at hand say of one mention, as the stages ask for it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from services.triage.words.features import Features
from services.triage.words.feeling import Feeling
from services.triage.words.heads import Opinion, Opinions, Told


@dataclass(frozen=True, slots=True, eq=False)
class Wording:
    """A working of the run (`Assessment.wording`): what every head at hand says of one text. `shift` is where the mention's
    own text begins in what was read: behind its title."""

    row: int
    shift: int
    features: Features
    by_head: Mapping[str, Opinions]

    @property
    def feeling(self) -> Feeling:
        """What the sentiment lexicon says."""
        return self.features.feelings[self.row]

    def opinion(self, head: str, hits: Collection[str] = ()) -> Opinion | None:
        """What the head of this name says, None where there is no such head; `hits` are what was found in the text otherwise."""
        opinions = self.by_head.get(head)
        return None if opinions is None else opinions.of(self.row, hits)

    def holding(self, head: str, hits: Collection[str] = ()) -> list[tuple[str, float]]:
        """The labels of an `any_of` head that hold, likeliest first, each with its probability; `hits` as of `opinion`."""
        opinions = self.by_head.get(head)
        return [] if opinions is None else opinions.holding(self.row, hits)

    def told(self, head: str, label: str | None = None, limit: int = 3) -> tuple[Told, ...]:
        """The words that spoke most for the label (by default what the head says), strongest first. Places are those of
        `Assessment.reading`; give them to `reading.span`. A word of the title has a place below 0."""
        opinions = self.by_head.get(head)
        if opinions is None:
            return ()
        told = opinions.told(self.row, label, limit)
        return tuple(Told(one.word, one.start - self.shift, one.end - self.shift, one.weight) for one in told)
