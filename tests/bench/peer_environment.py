"""An environment for each of the other backtesters: what they depend on conflicts.

Standard library only.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.measuring import ROOT
from tests.bench.peer_catalog import PEERS, Peer

FOLDER: Final = ROOT / "var" / "bench-peers"
_MINORS: Final = range(14, 10, -1)
_ASK: Final = "import sys; print(*sys.version_info[:2])"


@dataclass(frozen=True, slots=True)
class PeerEnvironment:
    """A peer's Python, or why there is none (`problem`)."""

    python: Path
    problem: str = ""


class _Problem(Exception):
    """An environment can't be made; says why in one line."""


def make_environments(names: Iterable[str], folder: Path = FOLDER) -> Mapping[str, PeerEnvironment]:
    """Return the environments of these peers, made where need be; what fails is reported."""
    return {name: _make(PEERS[name], folder / name) for name in sorted(set(names))}


def _make(peer: Peer, folder: Path) -> PeerEnvironment:
    python, ready = folder / "bin" / "python", folder / "ready.txt"
    wanted = "\n".join(peer.packages)
    if python.exists() and ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return PeerEnvironment(python)
    print(f"installing {peer.release}", file=sys.stderr, flush=True)
    try:
        # Cleared, so that nothing of other versions is left.
        _run([find_python(peer.oldest_python), "-m", "venv", "--clear", str(folder)])
        options = ("--quiet", "--disable-pip-version-check")
        _run([str(python), "-m", "pip", "install", *options, *peer.packages])
    except _Problem as problem:
        reason = f"{peer.release} can't be installed: {problem}"
        print(reason, file=sys.stderr, flush=True)
        return PeerEnvironment(python, reason)
    ready.write_text(wanted, encoding="utf-8")
    return PeerEnvironment(python)


def find_python(oldest: tuple[int, int]) -> str:
    """Return this Python, or the newest on the path if this one is older than that."""
    if sys.version_info >= oldest:
        return sys.executable
    for minor in _MINORS:
        found = shutil.which(f"python3.{minor}")
        if found is not None and _version(found) >= oldest:
            return found
    raise _Problem(f"it needs Python {oldest[0]}.{oldest[1]} or newer, and none is on the path")


def _version(python: str) -> tuple[int, ...]:
    # Asked, not taken from its name: a version manager's stand-ins are there for versions that
    # are not chosen, and only fail when called.
    done = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, check=False)
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else ()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise _Problem(lines[-1] if lines else "no reason given")
