"""Named peers, each in a Python of its own: installed when a benchmark wants it, told in words where it cannot be."""

import os
import subprocess
import sys
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

KEPT = Path(os.environ.get("WEBCARE_PEERS_DIR", "~/.cache/webcare-peers")).expanduser()
INSTALL_WITHIN_S = 900


class PeerMissing(LookupError):
    """The peer cannot be had here; the message says why."""


def python_with(name: str, requirements: Sequence[str]) -> Path:
    """A Python that has these packages, made once and kept. Raises PeerMissing."""
    digest = blake2b(" ".join([sys.version, *requirements]).encode(), digest_size=4).hexdigest()
    home = KEPT / f"{name}-{digest}"
    python = home / "bin" / "python"
    if not (home / ".installed").exists():
        print(f"installing {name} for comparison into {home}")
        for step in (
            [sys.executable, "-m", "venv", "--clear", str(home)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
        ):
            _done(step, name, INSTALL_WITHIN_S)
        (home / ".installed").touch()
    return python


def answer_of(python: Path, script: str, told: bytes, within_s: float) -> bytes:
    """What a script of this folder prints, given `told` on standard input. Raises PeerMissing where it fails."""
    path = Path(__file__).with_name(script)
    return _done([str(python), "-I", str(path)], script, within_s, told)


def _done(step: list[str], name: str, within_s: float, told: bytes = b"") -> bytes:
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            step, input=told, capture_output=True, timeout=within_s, check=False, env={**os.environ, **one_thread}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(f"{name}: {error}") from error
    if done.returncode:
        raise PeerMissing(f"{name}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout
