"""Figures for people, on stderr; JSON goes to stdout."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

people = Console(stderr=True, highlight=False)


def machine() -> dict[str, Any]:
    """Where and when a figure was taken."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "processor": model[0].partition(": ")[2] if model else platform.machine(),
        "python": platform.python_version(),
    }


def emit(report: Any) -> None:
    print(msgspec.json.encode(report).decode())


def show(title: str, columns: Mapping[str, Mapping[str, Any]], rows: Sequence[str] = ()) -> None:
    """One row per figure, one column per thing measured. ``rows``: which figures; default: all plain ones."""
    names = rows or [
        name
        for name in dict.fromkeys(name for column in columns.values() for name in column)
        if not any(isinstance(column.get(name), dict | list) for column in columns.values())
    ]
    table = Table(title, *columns, box=None)
    for name in names:
        table.add_row(name, *(_cell(column.get(name)) for column in columns.values()))
    people.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
