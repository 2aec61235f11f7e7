"""``copilot playbook score``, ``backtest`` and ``diff``: what a playbook hears, and what its cards would have been."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click
import msgspec
from rich.table import Table

from copilot.backtest.compare import Change, Totals, compare, totals
from copilot.backtest.runs import Bench, CallRun, as_json, run_all
from copilot.backtest.score import Fit, Scored, Scorer, fit
from copilot.backtest.stored import find_recordings, since
from copilot.cli.main import settings_of
from copilot.cli.output import FINDINGS, emit, people
from copilot.config import Settings
from copilot.errors import UsageError
from copilot.playbook.load import find_playbook, read_version, shipped_packs
from copilot.playbook.model import Playbook
from copilot.store.layout import data_root
from copilot.store.shelf import Shelf

NO_MODEL = click.option("--no-model", is_flag=True, help="Leave out example sentences, so that no model is needed.")
CALLS = click.option("--calls", multiple=True, help="Call ids, folders or recordings; default: all stored calls.")
SINCE = click.option("--since", "moment", default="", help="Only calls that started then or later (2026-01-31T09:00).")
WORKERS = click.option("--workers", type=click.IntRange(0, 64), default=0, help="Processes; 0: one per core.")
JSON = click.option("--json", "json_lines", is_flag=True, help="One JSON line per result, then one with the totals.")


@click.command("score")
@click.argument("lines", type=click.File("rb"))
@click.option("--playbook", "names", multiple=True, help="File or pack, one per language; default: the shipped packs.")
@click.option("--json", "json_lines", is_flag=True, help="One JSON line per line, in their order.")
@click.option("--summary", is_flag=True, help="With --json: the table as a last line of JSON, too.")
@NO_MODEL
@click.pass_context
def score_command(
    context: click.Context, lines: IO[bytes], names: tuple[str, ...], json_lines: bool, summary: bool, no_model: bool
) -> None:
    """Say each of LINES to a playbook on its own and tell what it hears.

    LINES holds one JSON object per line: `text`, `lang` (en or zh), `speaker` (rep, agent or customer) and, if it is
    known what should be heard, `label` (a name or a list). Rules that belong to a stage are heard in every stage.
    `-` reads them from stdin; blank lines are passed over.
    """
    settings = settings_of(context)
    bench = Bench.open(settings, model=not no_model)
    if bench.encode is None and not no_model:
        people.print("no sentence encoder here: meanings match nothing (copilot models fetch)")
    books = [_book(name, settings) for name in names or shipped_packs()]
    setups = {lang: bench.setup(book) for book in books for lang in _languages(book)}
    scorer = Scorer(setups, bench.encode)
    scored = []
    for line in scorer.score(lines):
        scored.append(line)
        _tell_line(line, json_lines)
    fits, unknown = fit(scored, scorer.labels())
    if unknown:
        people.print(f"labels that mean nothing to these playbooks, left out: {', '.join(unknown)}", markup=False)
    if fits:
        people.print(_table(fits))
    if summary:
        emit({"summary": [_figures(each) for each in fits], "unknown_labels": unknown})
    if wrong := sum(bool(line.error) for line in scored):
        people.print(f"{wrong} of {len(scored)} lines could not be scored")


def _languages(book: Playbook) -> tuple[str, ...]:
    return ("en", "zh") if book.language == "auto" else (book.language,)


def _book(name: str, settings: Settings) -> Playbook:
    """A file, a pack, or a version that was kept: `outbound-en@1.2.0`."""
    playbook, at, version = name.partition("@")
    if not at or "/" in name:
        return find_playbook(name, settings.playbooks.folder, "en", settings.playbooks.knowledge)
    shelf = Shelf(data_root(settings.store))
    text = shelf.text(shelf.find(playbook, version))
    return read_version(text, settings.playbooks.folder, settings.playbooks.knowledge, name)


def _tell_line(line: Scored, json_lines: bool) -> None:
    if not json_lines:
        heard = ", ".join(f"{signal.label} {signal.score:.2f} ({signal.quote})" for signal in line.signals)
        people.print(f"{line.number}: {line.error or heard or '-'}", markup=False)
    elif line.error:
        emit({**line.line, "line": line.number, "error": {"code": "score.line", "message": line.error}})
    else:
        emit({**line.line, "signals": line.signals})


def _figures(each: Fit) -> dict[str, object]:
    return {**msgspec.to_builtins(each), "precision": each.precision, "recall": each.recall, "f1": each.f1}


def _table(fits: Sequence[Fit]) -> Table:
    table = Table("language", "label", "ours", "lines", "precision", "recall", "F1", box=None)
    for each in fits:
        shares = (f"{share:.2f}" if share is not None else "-" for share in (each.precision, each.recall, each.f1))
        table.add_row(each.lang, each.label, " ".join(each.ours), str(each.right + each.missed), *shares)
    return table


@click.command("backtest")
@click.argument("name")
@CALLS
@SINCE
@WORKERS
@JSON
@NO_MODEL
@click.pass_context
def backtest_command(
    context: click.Context,
    name: str,
    calls: tuple[str, ...],
    moment: str,
    workers: int,
    json_lines: bool,
    no_model: bool,
) -> None:
    """Which cards the playbook NAME (file, pack, or id@version) would have shown on stored calls.

    The words and their times are those of the recording; nothing is recognised again.
    """
    settings = settings_of(context)
    book = _book(name, settings)
    runs = []
    for (run,) in run_all(_paths(calls, moment, settings), [book], settings, model=not no_model, workers=workers):
        runs.append(run)
        if json_lines:
            emit(as_json(run))
        else:
            _tell_run(run)
    whole = totals(runs)
    if json_lines:
        emit({"totals": whole})
    else:
        _tell_totals(name, whole)
    context.exit(FINDINGS if whole.failed else 0)


@click.command("diff")
@click.argument("before")
@click.argument("after")
@CALLS
@SINCE
@WORKERS
@JSON
@NO_MODEL
@click.pass_context
def diff_command(  # noqa: PLR0913, PLR0917  # click hands each option over by name
    context: click.Context,
    before: str,
    after: str,
    calls: tuple[str, ...],
    moment: str,
    workers: int,
    json_lines: bool,
    no_model: bool,
) -> None:
    """Which cards stored calls gain and lose when playbook AFTER takes the place of BEFORE."""
    settings = settings_of(context)
    books = [_book(before, settings), _book(after, settings)]
    pairs = list(run_all(_paths(calls, moment, settings), books, settings, model=not no_model, workers=workers))
    found = compare([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    if json_lines:
        for what, changes in (("gained", found.gained), ("lost", found.lost)):
            for change in changes:
                emit({"change": what, **msgspec.to_builtins(change)})
        emit({"before": found.before, "after": found.after, "worst": found.worst})
    else:
        _tell_changes("+", found.gained)
        _tell_changes("-", found.lost)
        _tell_totals(before, found.before)
        _tell_totals(after, found.after)
        for call_id, number in found.worst:
            people.print(f"{call_id}: {number} cards changed", markup=False)
    context.exit(FINDINGS if found.after.failed else 0)


def _paths(calls: tuple[str, ...], moment: str, settings: Settings) -> list[Path]:
    paths = find_recordings(calls, data_root(settings.store))
    if moment:
        paths = since(paths, moment)
    if not paths:
        raise UsageError("calls.unknown", "there are no such calls", hint="`copilot calls list` shows what there is.")
    return paths


def _tell_run(run: CallRun) -> None:
    if run.error:
        people.print(f"{run.call_id}: {run.error}", markup=False)
        return
    rate = f"{run.per_minute:g} cards a minute, at most {run.most_in_a_minute} of {run.budget_per_minute}"
    people.print(f"{run.call_id}: {rate}", markup=False)
    for card in run.cards:
        why = f"  held back: {card.reason}" if card.reason else ""
        people.print(f"  {_clock(card.at_ms)}  {card.cue_id}  {card.quote}{why}", markup=False)


def _tell_changes(sign: str, changes: Sequence[Change]) -> None:
    for change in changes:
        instead = f"  (held back: {change.instead})" if change.instead else ""
        said = f"{sign} {change.call_id} {_clock(change.at_ms)}  {change.cue_id}  {change.quote}{instead}"
        people.print(said, markup=False)


def _tell_totals(name: str, whole: Totals) -> None:
    latency = f"{whole.latency_p50_ms}/{whole.latency_p95_ms} ms" if whole.latency_p50_ms is not None else "-"
    people.print(
        f"{name}: {whole.calls} calls, {whole.minutes:g} minutes, {whole.shown} cards, {whole.per_minute:g} a minute "
        f"(at most {whole.most_in_a_minute} of {whole.budget_per_minute}), latency p50/p95 {latency}"
        + (f", {whole.failed} calls could not be read" if whole.failed else ""),
        markup=False,
    )


def _clock(at_ms: int) -> str:
    return f"{at_ms // 60_000}:{at_ms // 1000 % 60:02}"
