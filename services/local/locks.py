"""Locks between the processes of one machine: files that the system unlocks by itself when their holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType


class FileLock:
    """A lock on a file. Shared or exclusive; children made by fork hold it too until the last of them ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self, *, shared: bool = False, patience: float | None = None) -> bool:
        """Takes the lock; False where somebody else still has it after `patience` seconds (None: wait for ever)."""
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        if patience is None:
            fcntl.flock(self._descriptor, kind)
            return True
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    self.let_go()
                    return False
                time.sleep(0.02)
            else:
                return True

    def let_go(self) -> None:
        """Gives the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def held_by_anyone(self) -> bool:
        """Whether some process, we ourselves included, holds the lock at this moment.

        Asking takes the lock for an instant, so whoever wants it at once gives it a little patience.
        """
        if self._descriptor is not None:
            return True
        free = self.take(patience=0)
        self.let_go()
        return not free

    def __enter__(self) -> FileLock:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
