"""What the shell's commands share: settings from flags, progress bars, JSON files."""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bot.errors import InvalidInput
from bot.settings import Settings

ProgressBar = Callable[[str, int, int], None]


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Read settings; flags of the command win over the environment."""
    names = Settings.model_fields.keys() & vars(arguments).keys()
    return Settings.load(**{name: getattr(arguments, name) for name in names})


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON; NaN is a defect, never written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} can't be written: {error.strerror}") from error


def key_values(pairs: list[str]) -> dict[str, str]:
    """Return `--param key=value` flags as a dictionary."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip():
            raise InvalidInput(f"--param {pair!r}: write it as name=value")
        found[key.strip()] = value.strip()
    return found


@contextlib.contextmanager
def progress_bar(unit: str) -> Iterator[ProgressBar]:
    """Show stages with rate and remaining time on a terminal's standard error."""
    if not sys.stderr.isatty():
        yield lambda _stage, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    rate = TextColumn("{task.fields[rate]}")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        rate,
        Remaining(),
    )
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total, rate="")
            speed = progress.tasks[tasks[stage]].speed
            text = f"{speed:,.0f} {unit}/s" if speed else ""
            progress.update(tasks[stage], completed=done, total=total, rate=text)

        yield show
