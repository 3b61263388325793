"""The weights that the project ships for heads: read from weights/, checked, ready to be used."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.triage.words.heads import Head

WEIGHTS: Final = Path(__file__).parents[1] / "weights"


def shipped_heads(folder: Path = WEIGHTS) -> Mapping[str, Head]:
    """The heads in the folder's *.head by name. A question without one is decided by its stage's rules alone."""
    heads = [Head.from_bytes(path.read_bytes()) for path in sorted(folder.glob("*.head"))]
    return {head.name: head for head in heads}
