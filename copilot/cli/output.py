"""How the command line speaks: results on stdout, people's text on stderr, exit codes 0 ok, 1 findings, 2 usage."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.cells import cell_len
from rich.console import Console

from copilot.errors import CopilotError, PlaybookError, UsageError

OK, FINDINGS, USAGE = 0, 1, 2

people = Console(stderr=True, highlight=False, soft_wrap=True)
"""Text for the person at the terminal."""


def columns(*rows: Sequence[str]) -> None:
    """Rows for a person, each column as wide as its widest cell (a Chinese character is as wide as two letters).

    Lines are never broken: a quote at the end of a row may be long.
    """
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        people.print("  ".join(cells).rstrip(), markup=False)


def emit(value: Any) -> None:
    """One JSON value on one line of stdout."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def emit_raw(line: bytes) -> None:
    """One line that is JSON already."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def complain(error: CopilotError) -> int:
    """Say what went wrong and what to do, of a playbook everything; returns the exit code."""
    for each in error.all if isinstance(error, PlaybookError) else (error,):
        people.print(f"[bold red]error[/] {_escaped(str(each))}", markup=True)
    return USAGE if isinstance(error, UsageError) else FINDINGS


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
