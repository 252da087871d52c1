"""The table and the JSON of a run of the benchmark. Nothing is measured here."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.comparison import Comparison
from tests.bench.measuring import Context

HEADER: Final = ("workload", "ours", "reference", "ratio", "peak memory")
LEGEND: Final = (
    "Medians of several repeats, both sides in turn in this run. ratio = ours / reference:"
    " less is better (v), more is better (^).\n"
    "Peak memory is that of our side's largest process. Compare ratios, not times: machines differ."
)
_MIB: Final = 1024 * 1024
_WIDEST_REASON: Final = 100


def table(comparisons: Iterable[Comparison]) -> str:
    """Return the one table of all workloads."""
    rows: list[Sequence[str]] = [HEADER]
    notes = []
    for comparison in comparisons:
        reason = comparison.skipped or comparison.failed
        if reason is not None:
            word = "skipped" if comparison.skipped is not None else "FAILED"
            rows.append((comparison.workload.name, word, "", "", ""))
            notes.append(f"{comparison.workload.name} {word}: {reason}")
        else:
            rows += [_row(comparison, figure) for figure in comparison.workload.figures]
    return "\n".join([*_aligned(rows), "", LEGEND, *notes])


def _row(comparison: Comparison, figure: str) -> Sequence[str]:
    workload = comparison.workload
    unit = workload.figures[figure]
    ours, reference = comparison.medians(figure)
    ratio = comparison.ratio(figure)
    sign = "^" if unit.endswith("/s") else "v"
    label = workload.name if len(workload.figures) == 1 else f"{workload.name}: {figure}"
    shown = "-" if ratio is None else f"{ratio:.3g} {sign}"
    peak = f"{comparison.ours_peak / _MIB:,.0f} MiB"
    return label, quantity(ours, unit), quantity(reference, unit), shown, peak


def quantity(value: float, unit: str) -> str:
    """Return a value with its unit, seconds as ms where they are few."""
    if unit == "s":
        return f"{value:.2f} s" if value >= 1 else f"{1000 * value:,.1f} ms"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def write_json(path: Path, context: Context, comparisons: Iterable[Comparison]) -> None:
    """Write all samples with what they were measured on."""
    values = {
        "machine": describe_machine(),
        "candles": context.candles,
        "quick": context.is_quick,
        "workloads": [_values(comparison) for comparison in comparisons],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def describe_machine() -> dict[str, Any]:
    """Return what the figures depend on: processors, Python, and how busy the machine is."""
    return {
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "python": sys.version.split()[0],
        "load_average": list(os.getloadavg()),
    }


def _values(comparison: Comparison) -> dict[str, Any]:
    workload = comparison.workload
    head = {"name": workload.name, "ours_is": workload.title, "reference_is": workload.reference}
    if comparison.skipped is not None or comparison.failed is not None:
        return head | {"skipped": comparison.skipped, "failed": comparison.failed}
    figures = [
        {
            "name": figure,
            "unit": unit,
            "ours": comparison.medians(figure)[0],
            "reference": comparison.medians(figure)[1],
            "ratio": comparison.ratio(figure),
            "ours_samples": comparison.ours[figure],
            "reference_samples": comparison.reference[figure],
        }
        for figure, unit in workload.figures.items()
    ]
    peaks = {
        "ours_peak_bytes": comparison.ours_peak,
        "reference_peak_bytes": comparison.reference_peak,
    }
    return head | peaks | {"figures": figures}
