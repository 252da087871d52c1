"""Other backtesters, in an environment of their own so that they never mix with ours.

Standard library only.
"""

import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

from tests.bench.measuring import ROOT

PACKAGES: Final = ("backtesting==0.6.6", "vectorbt")
FOLDER: Final = ROOT / "var" / "bench-peers"


def make_peers(folder: Path = FOLDER) -> Path:
    """Return the environment's Python; what can't be installed is reported, and skipped later."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    for package in PACKAGES:
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*command, package], capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"{package} can't be installed: {last}", file=sys.stderr)
    return python
