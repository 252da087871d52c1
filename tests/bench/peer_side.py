"""A peer's side, started as a file by that peer's Python: `peer_side.py NAME SIDE CONTEXT`.

Started with `-P` and from a folder outside the project, so that none of our packages (bot, engine,
strategies, data) is found where a peer imports one of such a name, and nothing that a peer makes
in its working folder is made here.
"""

import sys
from pathlib import Path
from types import ModuleType

_TESTS = Path(__file__).resolve().parents[1]


def _open_tests() -> None:
    """Make `tests` importable: put on the path it would lose to a peer's own `tests`."""
    tests = ModuleType("tests")
    tests.__path__ = [str(_TESTS)]
    sys.modules["tests"] = tests


if __name__ == "__main__":
    _open_tests()
    from tests.bench.side import main

    sys.exit(main(*sys.argv[1:4]))
