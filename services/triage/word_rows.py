"""What an entity model knows of single words, worked out when a word is first met: the same words come again and again.

Before it looks at neighbours, spaCy's model makes of each token a row of numbers that hangs on how the token is written alone:
a quarter of its reading. `keeping` gives the same model with these rows kept. And of a new word spaCy works out some twenty
properties, most of them for parts that are not loaded; `only_needed` leaves those out.
"""

import re
from typing import Any, Final

import numpy
from numpy.typing import NDArray
from spacy.attrs import (  # type: ignore[import-not-found]  # compiled, without types
    IDS,
    IS_ALPHA,
    IS_SPACE,
    LANG,
    LOWER,
    NORM,
    PREFIX,
    SHAPE,
    SUFFIX,
)
from spacy.lang.lex_attrs import word_shape
from spacy.tokens import Doc
from thinc.api import Model, Ragged, chain

MOST: Final = 1 << 15
"""So many words are kept (12 MB), then all are forgotten and begun anew."""
_EMBEDS: Final = ("extract_features", "list2ragged", None, None, "ragged2list")
_READ_FROM_WORDS: Final = frozenset((IS_ALPHA, IS_SPACE, LANG, LOWER, NORM, PREFIX, SHAPE, SUFFIX))
_ODD: Final = numpy.array(
    (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53),
    dtype=numpy.uint64,
)  # fmt: skip

Floats = NDArray[numpy.float32]


class _Rows:
    """The rows of words by what the model looks at in them."""

    def __init__(self, columns: list[Any], embed: Model[Any, Any], mix: Model[Any, Any]) -> None:
        self._columns, self._embed, self._mix = columns, embed, mix
        self._odd = _ODD[: len(columns)]
        self._places: dict[int, int] = {}
        self._rows: Floats = numpy.zeros((1024, int(mix.get_dim("nO"))), dtype=numpy.float32)

    def of(self, docs: list[Doc]) -> list[Floats]:
        """The rows of each document's tokens."""
        looks = numpy.concatenate([doc.to_array(self._columns) for doc in docs])
        keys: list[int] = (looks * self._odd).sum(axis=1, dtype=numpy.uint64).tolist()
        if len(self._places) > MOST:
            self._places.clear()
        places = self._places
        new = {key: at for at, key in enumerate(keys) if key not in places}
        if new:
            self._learn(new, looks[list(new.values())])
        rows = self._rows[[places[key] for key in keys]]
        return numpy.split(rows, numpy.cumsum([len(doc) for doc in docs])[:-1])

    def _learn(self, new: dict[int, int], looks: NDArray[numpy.uint64]) -> None:
        known = len(self._places)
        together: Any = Ragged(looks, numpy.array([len(looks)], dtype="i"))  # type: ignore[arg-type]  # its own names for arrays
        made = self._mix.predict(self._embed.predict(together))
        while known + len(new) > len(self._rows):
            self._rows = numpy.concatenate([self._rows, numpy.zeros_like(self._rows)])
        self._rows[known : known + len(new)] = made.dataXd
        self._places.update(zip(new, range(known, known + len(new)), strict=True))


def keeping(model: Model[Any, Any]) -> Model[Any, Any]:
    """The same parser model, its rows of words kept; the model itself where it is built in another way."""
    read, *rest = model.layers
    try:
        look, *then = read.layers
        embed, *encode = look.layers
        parts = embed.layers
        if len(parts) != len(_EMBEDS) or any(
            name and part.name != name for name, part in zip(_EMBEDS, parts, strict=True)
        ):
            return model
        columns = list(parts[0].attrs["columns"])
    except (ValueError, KeyError):  # fewer layers than that, or others
        return model
    if not 1 < len(columns) <= len(_ODD):
        return model
    rows = _Rows(columns, parts[2], parts[3])
    known: Model[Any, Any] = Model("known_words", lambda _, docs, is_train: (rows.of(docs), None))
    return Model(model.name, model._func, layers=[chain(known, *encode, *then), *rest], attrs=dict(model.attrs))  # noqa: SLF001


def only_needed(vocab: Any, model: Model[Any, Any]) -> None:
    """Have the vocabulary (`nlp.vocab`) work out of new words only what this model and our stages look at."""
    told = [column for node in model.walk() for column in node.attrs.get("columns", ())]
    needed = _READ_FROM_WORDS | {IDS[one] if isinstance(one, str) else int(one) for one in told}
    getters = {at: make for at, make in vocab.lex_attr_getters.items() if at in needed}
    if getters.get(SHAPE) is word_shape:
        getters[SHAPE] = shape
    vocab.lex_attr_getters = getters


def shape(word: str) -> str:
    """The shape of a word ("Xxxx", "dd"), as spaCy's own `word_shape` gives it, in a fifth of the time."""
    return "LONG" if len(word) >= 100 else _REPEATED.sub(r"\1\1\1\1", word.translate(_SHAPES))


class _Shapes(dict[int, str]):
    """What each character is in a shape, worked out when first met."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        made = ("X" if sign.isupper() else "x") if sign.isalpha() else "d" if sign.isdigit() else sign
        self[code] = made
        return made


_SHAPES: Final = _Shapes()
_REPEATED: Final = re.compile(r"(.)\1{4,}", re.DOTALL)
