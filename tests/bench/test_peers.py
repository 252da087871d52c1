"""What `make bench` asks of the other backtesters, as far as it holds without them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bench import comparison, peer_environment
from tests.bench.catalog import choose
from tests.bench.comparison import SideProcess, clean_environment, compare
from tests.bench.measuring import ROOT, Context, Skipped, WrongResult
from tests.bench.peer_catalog import PEERS, Peer
from tests.bench.peer_environment import PeerEnvironment, find_python, make_environments
from tests.bench.workloads.peers.task import COLUMNS, Task, check_trades

FOLDER = ROOT / "tests" / "bench" / "workloads" / "peers"
IMPORT_WITH_NUMPY_ALONE = """
import importlib, sys
class Gate:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "numpy", "tests"}:
            raise ImportError(f"{name} is not in every environment")
sys.meta_path.insert(0, Gate())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_a_peers_side_needs_numpy_alone_until_the_peer_is_used():
    peers = [f"tests.bench.workloads.peers.{path.stem}" for path in FOLDER.glob("[a-z]*.py")]
    assert len(peers) > len(PEERS)
    command = [sys.executable, "-c", IMPORT_WITH_NUMPY_ALONE, "tests.bench.side", *peers]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_peer_has_a_module():
    assert all((FOLDER / f"{name}.py").exists() for name in PEERS)


def test_a_peer_runs_outside_the_project_and_keeps_its_own_names(tmp_path, monkeypatch):
    context = Context(tmp_path / "store", 1, is_quick=True)
    context.data_dir.mkdir()
    Task("1h", {name: np.arange(3) for name in COLUMNS}, 1, 3).write(context, "jesse")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").write_text("raise SystemExit('not the one')")
    (tmp_path / "jesse.py").write_text(
        "import os, sys\nraise ImportError(f'{os.getcwd()}, {os.environ[\"ROOT\"] in sys.path}')"
    )
    found_first = {"PYTHONPATH": str(tmp_path), "ROOT": str(ROOT)}
    monkeypatch.setattr(comparison, "clean_environment", lambda: clean_environment() | found_first)
    [workload] = choose(["peer-jesse-1h"], with_peers=True)
    side = SideProcess(workload, "reference", context, peer_python=Path(sys.executable))
    with pytest.raises(Skipped, match=r"jesse 3\.5\.3 can't be imported") as skipped, side:
        pass
    assert str(skipped.value).endswith(f"{context.data_dir / 'peers' / 'jesse'}, False")


def test_a_peer_that_cannot_be_installed_is_reported_and_skipped(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(PEERS, "backtrader", Peer("backtrader", ("b==1",), oldest_python=(99, 0)))
    environments = make_environments(["backtrader"], tmp_path)
    reason = "b 1 can't be installed: it needs Python 99.0 or newer, and none is on the path"
    assert capsys.readouterr().err.splitlines()[1:] == [reason]
    [workload] = choose(["peer-backtrader-1h"], with_peers=True)
    context = Context(tmp_path, 1, is_quick=True)
    assert compare(workload, context, environments["backtrader"]).skipped == reason


def test_an_environment_is_made_anew_for_other_versions_only(tmp_path, monkeypatch):
    commands = []

    def run(command):
        commands.append(command)
        (tmp_path / "backtrader" / "bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / "backtrader" / "bin" / "python").touch()

    monkeypatch.setattr(peer_environment, "_run", run)
    for version, made in (("1", 2), ("1", 2), ("2", 4)):
        monkeypatch.setitem(PEERS, "backtrader", Peer("backtrader", (f"b=={version}",)))
        [environment] = make_environments(["backtrader", "backtrader"], tmp_path).values()
        assert environment == PeerEnvironment(tmp_path / "backtrader" / "bin" / "python")
        assert len(commands) == made
    assert commands[-1][-1] == "b==2"


def test_a_python_is_asked_for_its_version(tmp_path, monkeypatch):
    for name, script in (("python3.14", "exit 127"), ("python3.13", "echo 3 99")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_python((3, 99)) == str(tmp_path / "python3.13")
    assert find_python((3, 11)) == sys.executable


@pytest.mark.parametrize(("found", "expected"), [(12, 10), (8, 10), (6_300, 6_600), (0, 2)])
def test_a_trade_or_two_may_differ(found, expected):
    check_trades(found, expected)


@pytest.mark.parametrize(("found", "expected"), [(0, 10), (13, 10), (6_000, 6_600), (95, 0)])
def test_a_peer_that_trades_something_else_is_no_comparison(found, expected):
    with pytest.raises(WrongResult, match=rf"closed {found} trades, our engine {expected}"):
        check_trades(found, expected)
