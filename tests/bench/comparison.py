"""Measuring one workload: a process for each side, asked in turn. No figures are judged here."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from tests.bench.catalog import Workload
from tests.bench.measuring import ROOT, Context, Skipped
from tests.bench.peer_environment import PeerEnvironment

_PATIENCE_S: Final = 900.0
_CLOSING_S: Final = 30.0
_ERROR_LINES: Final = 12
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "CHROMIUM_PATH")


class SideFailed(Exception):
    """A side's process failed; says why."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured: samples of each figure on both sides, peaks in bytes."""

    workload: Workload
    ours: Mapping[str, list[float]] = field(default_factory=dict)
    reference: Mapping[str, list[float]] = field(default_factory=dict)
    ours_peak: int = 0
    reference_peak: int = 0
    skipped: str | None = None
    failed: str | None = None

    def medians(self, figure: str) -> tuple[float, float]:
        """Return the medians of a figure: ours, the reference's."""
        return statistics.median(self.ours[figure]), statistics.median(self.reference[figure])

    def ratio(self, figure: str) -> float | None:
        """Return ours over the reference; None where the reference is nothing."""
        ours, reference = self.medians(figure)
        return ours / reference if reference else None


class SideProcess:
    """A side in a process of its own, or in a peer's; use it as a context manager."""

    def __init__(
        self, workload: Workload, side: str, context: Context, *, peer_python: Path | None = None
    ) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _close
        start = [sys.executable, "-m", "tests.bench.side"]
        folder = ROOT
        if peer_python is not None:
            # -B: a peer's Python leaves no compiled files beside ours. -P: see there.
            start = [str(peer_python), "-B", "-P", str(ROOT / "tests" / "bench" / "peer_side.py")]
            folder = context.data_dir / "peers" / workload.peer
            folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [*start, workload.name, side, context.to_json()],
            cwd=folder,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> Self:
        try:
            self._read()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_CLOSING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def measure(self) -> dict[str, float]:
        """Measure once and return the figures."""
        figures: dict[str, float] = self._ask("measure")["figures"]
        return figures

    def peak(self) -> int:
        """Return the peak memory in bytes."""
        return int(self._ask("peak")["peak_bytes"])

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        alarm = threading.Timer(_PATIENCE_S, self._process.kill)
        alarm.start()
        try:
            line = self._process.stdout.readline()
        finally:
            alarm.cancel()
        answer: dict[str, Any] = json.loads(line) if line else {"failed": "its process ended"}
        if "skipped" in answer:
            raise Skipped(answer["skipped"])
        if "failed" in answer:
            raise SideFailed(f"{answer['failed']}\n{self._last_errors()}")
        return answer

    def _last_errors(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-_ERROR_LINES:])


def clean_environment() -> dict[str, str]:
    """Return the variables that a process needs, and no setting of Jesse's."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def compare(
    workload: Workload, context: Context, environment: PeerEnvironment | None = None
) -> Comparison:
    """Measure both sides in turn, each in its own process; what fails is part of the result.

    The environment is that of the workload's peer, for a workload that has one.
    """
    try:
        return _compare(workload, context, environment)
    except Skipped as reason:
        return Comparison(workload, skipped=str(reason))
    except SideFailed as reason:
        return Comparison(workload, failed=str(reason))


def _compare(
    workload: Workload, context: Context, environment: PeerEnvironment | None
) -> Comparison:
    if environment is not None and environment.problem:
        raise Skipped(environment.problem)
    python = None if environment is None else environment.python
    with ExitStack() as stack:
        # One after the other: setting up beside a busy process would be no fair start.
        ours = stack.enter_context(SideProcess(workload, "ours", context))
        other = stack.enter_context(SideProcess(workload, "reference", context, peer_python=python))
        samples = _alternate(workload, (ours, other), is_quick=context.is_quick)
        return Comparison(workload, samples[0], samples[1], ours.peak(), other.peak())


def _alternate(
    workload: Workload, sides: tuple[SideProcess, SideProcess], *, is_quick: bool
) -> tuple[dict[str, list[float]], ...]:
    samples = tuple({name: list[float]() for name in workload.figures} for _ in sides)
    for number in range(workload.warm_ups + workload.rounds(is_quick=is_quick)):
        # Each goes first in turn, so that neither always meets what the other left behind.
        for index in (0, 1) if number % 2 else (1, 0):
            figures = sides[index].measure()
            if number >= workload.warm_ups:
                for name in workload.figures:
                    samples[index][name].append(figures[name])
    return samples
