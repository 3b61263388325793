"""What can go wrong on one machine, always as a sentence that says what to do; a command prints it and ends."""

from __future__ import annotations

from pathlib import Path

_DISK_FULL = ("no space left on device", "disk full", "disk quota exceeded")


class LocalTrouble(Exception):
    """A person has to do something. The message is whole sentences; no traceback is shown with it."""


def disk_is_full(words: str) -> bool:
    """Whether a server's or the system's own words say that the disk is full."""
    return any(sign in words.lower() for sign in _DISK_FULL)


def full_disk(folder: Path) -> LocalTrouble:
    """The sentence for a disk on which `folder` found no more room."""
    return LocalTrouble(
        f"The disk that holds {folder} is full. Make room on it, or give webcare another folder with WEBCARE_DATA_DIR; "
        "then start again. Nothing that was acknowledged is lost."
    )
