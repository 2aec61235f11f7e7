"""The author's workbench as tasks: one request in, one JSON value out. For a process of its own, beside live calls."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import msgspec

from copilot.backtest.compare import compare, totals
from copilot.backtest.examine import examine
from copilot.backtest.runs import NICE, Bench, as_json, run_all
from copilot.backtest.scenario import run_scenario
from copilot.backtest.score import Scorer, fit
from copilot.backtest.stored import find_recordings, since
from copilot.config import Settings
from copilot.errors import CopilotError, PlaybookError, UsageError
from copilot.events import Frozen
from copilot.playbook.documents import Documents, folder_of
from copilot.playbook.lint import lint
from copilot.playbook.load import interpret, read_version
from copilot.playbook.model import Playbook
from copilot.playbook.source import Source
from copilot.store.layout import CALL_ID

MAX_LINES = 10_000
MAX_CALLS = 1_000
Task = Literal["lint", "test", "score", "backtest", "diff"]


class Order(Frozen, frozen=True, kw_only=True):
    """What is to be done. ``texts`` are playbooks (YAML), ``root`` the data directory.

    ``documents`` are those kept with each; without, they are where the server looks for them.
    """

    task: Task
    texts: tuple[str, ...]
    documents: tuple[Documents | None, ...] = ()
    root: str = ""
    lines: tuple[dict[str, Any], ...] = ()
    calls: tuple[str, ...] = ()
    since: str = ""


def work(settings: Settings, order: Order) -> bytes:
    """Do it, giving way to everything else; JSON. What goes wrong is ``{"error": ...}``, as over HTTP."""
    os.nice(NICE)
    try:
        return msgspec.json.encode(TASKS[order.task](settings, order))
    except CopilotError as error:
        return msgspec.json.encode(refusal(error))


def refusal(error: CopilotError) -> dict[str, object]:
    """An error as the body of an answer; of a playbook, with everything that is wrong, line by line, in ``errors``."""
    if isinstance(error, PlaybookError):
        return {"error": said(error), "errors": [said(each) for each in error.all]}
    return {"error": said(error)}


def said(error: CopilotError) -> dict[str, object]:
    """An error as JSON, with its place if it has one."""
    facts: dict[str, object] = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, PlaybookError):
        facts |= {"line": error.line, "path": error.path}
    return facts


def _lint(settings: Settings, order: Order) -> dict[str, Any]:
    source, bench = Source(order.texts[0]), Bench.open(settings)
    (book,) = _books(settings, order)
    documents = folder_of(interpret(source), _beside(settings), settings.playbooks.knowledge)
    return {
        "findings": [*lint(book, source, documents=documents), *examine(book, bench.setup(book), bench.encode, source)]
    }


def _test(settings: Settings, order: Order) -> dict[str, Any]:
    (book,), bench = _books(settings, order), Bench.open(settings)
    setup = bench.setup(book)
    results = []
    for scenario in book.scenarios:
        failures, _ = run_scenario(scenario, setup, bench.encode, book.language)
        results.append({"scenario": scenario.name, "ok": not failures, "failures": failures})
    return {"scenarios": results}


def _score(settings: Settings, order: Order) -> dict[str, Any]:
    if len(order.lines) > MAX_LINES:
        raise UsageError("request.invalid", f"at most {MAX_LINES:,} lines at a time")
    bench = Bench.open(settings)
    books = _books(settings, order)
    languages = {"auto": ("en", "zh"), "en": ("en",), "zh": ("zh",)}
    scorer = Scorer({lang: bench.setup(book) for book in books for lang in languages[book.language]}, bench.encode)
    scored = list(scorer.score(msgspec.json.encode(line) for line in order.lines))
    fits, unknown = fit(scored, scorer.labels())
    figures = [
        {**msgspec.to_builtins(each), "precision": each.precision, "recall": each.recall, "f1": each.f1}
        for each in fits
    ]
    lines = [
        {"line": line.number, "error": line.error} if line.error else {"line": line.number, "signals": line.signals}
        for line in scored
    ]
    return {"lines": lines, "summary": figures, "unknown_labels": unknown}


def _backtest(settings: Settings, order: Order) -> dict[str, Any]:
    books = _books(settings, order)
    runs = [run for (run,) in run_all(_paths(order), books, settings, model=True, workers=1)]
    return {"calls": [as_json(run) for run in runs], "totals": totals(runs)}


def _diff(settings: Settings, order: Order) -> dict[str, Any]:
    pairs = list(run_all(_paths(order), _books(settings, order), settings, model=True, workers=1))
    found = compare([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    return {"difference": found}


def _books(settings: Settings, order: Order) -> list[Playbook]:
    """Each with the documents it would have in a live call, so that it has the same cards."""
    books = settings.playbooks
    return [
        read_version(text, books.folder, books.knowledge, documents=documents)
        for text, documents in zip_longest(order.texts, order.documents)
    ]


def _beside(settings: Settings) -> Path | None:
    return Path(settings.playbooks.folder) if settings.playbooks.folder else None


def _paths(order: Order) -> list[Path]:
    """Calls by their ids only: a client does not name files."""
    if any(not CALL_ID.fullmatch(call) or Path(call).exists() for call in order.calls):
        raise UsageError("request.invalid", "`calls` are call ids")
    paths = find_recordings(order.calls, Path(order.root))
    paths = since(paths, order.since) if order.since else paths
    if not 0 < len(paths) <= MAX_CALLS:
        raise UsageError("calls.unknown", f"{len(paths)} calls; between 1 and {MAX_CALLS:,} can be run at a time")
    return paths


TASKS: dict[Task, Callable[[Settings, Order], dict[str, Any]]] = {
    "lint": _lint,
    "test": _test,
    "score": _score,
    "backtest": _backtest,
    "diff": _diff,
}

__all__ = ["Order", "Task", "refusal", "said", "work"]
