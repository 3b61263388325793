"""Labelled texts: what each file of the data folder and of written/ holds, and what may be learned from it."""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

WRITTEN: Final = Path(__file__).with_name("written")
SENTIMENTS: Final = ("negative", "neutral", "positive")
TRAIN, TEST = "train", "test"

_WORDS = re.compile(r"\w+")
_NAMES = re.compile(r"@\w+|https?\S*")
_BARE_LINK = re.compile(r"(?<!\S)https?(?!\S)")


class MissingData(LookupError):
    """A file that is needed is not in the data folder; the message says which."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with what people said of it; `labels` by question (sentiment, spam, intent, urgency, issues). `key` orders
    texts in time where they have one."""

    text: str
    lang: str
    labels: Mapping[str, str]
    split: str = TRAIN
    key: int = 0


def semeval(folder: Path) -> list[Labelled]:
    """SemEval 2013 to 2016, task 4A, as TweetEval has it: English tweets with their sentiment; its validation part is
    `test` here. In it links are the word "http" and quotes are doubled; both are put back. Nine in ten texts of the validation
    part stand in the train part as well: there they are left out, and of texts that stand twice the first stays."""
    held = [
        _row(_tweet(row["text"]), "en", TEST, sentiment=row["label"]) for row in _lines(folder, "sentiment_tweets_val")
    ]
    seen = {bare(row.text) for row in held}
    found = []
    for row in _lines(folder, "sentiment_tweets_train"):
        text = _tweet(row["text"])
        if (words := bare(text)) not in seen:
            seen.add(words)
            found.append(_row(text, "en", TRAIN, sentiment=row["label"]))
    return found + held


def airline(folder: Path) -> list[Labelled]:
    """Tweets to US airlines in order of time: sentiment, and the reason of the negative ones. Evaluation only."""
    return [
        Labelled(
            row["text"], "en", _kept({"sentiment": row["sentiment"], "issues": row["reason"]}), TEST, int(row["id"])
        )
        for row in sorted(_lines(folder, "airline_dev"), key=lambda row: int(row["id"]))
    ]


def multilingual(folder: Path) -> list[Labelled]:
    """UMSAB: tweets in six languages with their sentiment. Evaluation only. Most of its English ones are SemEval's: those
    that the train part has are left out."""
    learned = {bare(row.text) for row in semeval(folder) if row.split == TRAIN}
    rows = [
        _row(_tweet(row["text"]), row["lang"], TEST, sentiment=row["label"])
        for row in _lines(folder, "sentiment_multilingual_dev")
    ]
    return [row for row in rows if row.lang != "en" or bare(row.text) not in learned]


def sms(folder: Path) -> list[Labelled]:
    """The UCI collection of SMS: spam or not. Every fifth text (by its words) is held out; copies stay together."""
    return [
        _row(
            row["text"],
            "en",
            TEST if _dice(row["text"]) < 0.2 else TRAIN,
            spam="yes" if row["label"] == "spam" else "no",
        )
        for row in _lines(folder, "spam_sms_dev")
    ]


def customers(folder: Path) -> list[Labelled]:
    """What people write to a company that is no spam, with their numbers and addresses: BANKING77's questions (every
    fourth) and the synthetic texts of presidio-research."""
    asked = [row["text"] for number, row in enumerate(_lines(folder, "intent_banking77_train")) if number % 4 == 0]
    told = [row["text"] for row in _lines(folder, "pii_dev")]
    return [_row(text, "en", TRAIN, spam="no") for text in (*asked, *told)]


def written(question: str, folder: Path = WRITTEN) -> list[Labelled]:
    """What the project has written itself for this question: rows with `text`, `lang`, `split` (train or test; rows without one
    are left alone) and the question as a field. Files without it give nothing."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line) if line.strip() else {}
            if row.get("split") not in (TRAIN, TEST):
                continue  # the Dutch set, which dutch_set.py reads, is for measuring the whole pipeline
            label = row.get(question)
            if isinstance(label, bool):
                label = "yes" if label else "no"
            if isinstance(label, str) and isinstance(row.get("text"), str):
                lang = row.get("lang") or path.stem.rpartition(".")[2]
                found.append(_row(row["text"], lang, row["split"], **{question: label}))
    return found


SOURCES: Final[Mapping[str, Callable[[Path], list[Labelled]]]] = {
    "semeval": semeval,
    "airline": airline,
    "multilingual": multilingual,
    "sms": sms,
    "customers": customers,
}


def bare(text: str) -> str:
    """The words of a text alone, to tell copies by."""
    return " ".join(_WORDS.findall(_NAMES.sub("", text.lower())))


def split_of(rows: list[Labelled], *splits: str) -> list[Labelled]:
    """The rows of these splits, in order."""
    return [row for row in rows if row.split in splits]


def _row(text: str, lang: str, split: str, **labels: str) -> Labelled:
    return Labelled(text, lang, labels, split)


def _kept(labels: Mapping[str, str | None]) -> dict[str, str]:
    return {name: label for name, label in labels.items() if label}


def _tweet(text: str) -> str:
    return _BARE_LINK.sub("https://t.co/x", text.replace('""', '"').replace("&amp;", "&"))


def _dice(text: str) -> float:
    """A number from 0 to 1 that is the same for the same words."""
    from hashlib import blake2b

    words = " ".join(re.findall(r"[a-z]+", text.lower()))
    return int.from_bytes(blake2b(words.encode(), digest_size=4).digest()) / 2**32


def _lines(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    path = folder / f"{name}.jsonl.gz"
    if not path.is_file():
        raise MissingData(f"{path} is missing; give the folder with the labelled data by --data.")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
