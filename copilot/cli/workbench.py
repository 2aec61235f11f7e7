"""``copilot playbook score``, ``backtest`` and ``diff``: what a playbook hears, and what its cards would have been."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO

import click
import msgspec

from copilot.backtest.compare import Difference, Totals, compare, totals
from copilot.backtest.runs import Bench, CallRun, as_json, run_all
from copilot.backtest.score import Fit, Scored, Scorer, fit
from copilot.backtest.stored import find_recordings, since
from copilot.cli.main import settings_of
from copilot.cli.named import named
from copilot.cli.output import FINDINGS, columns, emit, people
from copilot.config import Settings
from copilot.errors import UsageError
from copilot.playbook.load import shipped_packs
from copilot.playbook.model import Playbook
from copilot.store.layout import data_root

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
    books = [named(name, settings).playbook for name in names or shipped_packs()]
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
        columns(_HEAD, *map(_row, fits))
    if summary:
        emit({"summary": [_figures(each) for each in fits], "unknown_labels": unknown})
    if wrong := sum(bool(line.error) for line in scored):
        people.print(f"{wrong} of {len(scored)} lines could not be scored")


def _languages(book: Playbook) -> tuple[str, ...]:
    return ("en", "zh") if book.language == "auto" else (book.language,)


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


_HEAD = ("language", "label", "lines", "precision", "recall", "F1", "heard as")


def _row(each: Fit) -> tuple[str, ...]:
    shares = (f"{share:.2f}" if share is not None else "-" for share in (each.precision, each.recall, each.f1))
    return (each.lang, each.label, str(each.right + each.missed), *shares, " ".join(each.ours))


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
    book = named(name, settings).playbook
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
        _tell_totals({name: whole})
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
    books = [named(name, settings).playbook for name in (before, after)]
    pairs = list(run_all(_paths(calls, moment, settings), books, settings, model=not no_model, workers=workers))
    found = compare([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    if json_lines:
        for what, changes in (("gained", found.gained), ("lost", found.lost)):
            for change in changes:
                emit({"change": what, **msgspec.to_builtins(change)})
        emit({"before": found.before, "after": found.after, "worst": found.worst})
    else:
        _tell_changes(found)
        _tell_totals({before: found.before, after: found.after})
        for call_id, number in found.worst:
            people.print(f"{call_id}: {_count(number, 'card')} changed", markup=False)
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
    rate = (
        f"{run.per_minute:g} a minute, in no minute more than {run.most_in_a_minute} of {run.budget_per_minute} allowed"
    )
    people.print(f"{run.call_id}: {_count(len(run.shown), 'card')}, {rate}", markup=False)
    columns(
        *(
            ("", _clock(card.at_ms), card.cue_id, f"held back: {card.reason}" if card.reason else "shown", card.quote)
            for card in sorted(run.cards, key=lambda card: card.at_ms)
        )
    )


def _tell_changes(found: Difference) -> None:
    changes = [("+ gained", "before", change) for change in found.gained]
    changes += [("- lost", "after", change) for change in found.lost]
    columns(
        *(
            (what, change.call_id, _clock(change.at_ms), change.cue_id, _instead(other, change.instead), change.quote)
            for what, other, change in changes
        )
    )


def _instead(other: str, reason: str) -> str:
    """What the playbook that does not show the card does with it."""
    return f"{other}: held back: {reason}" if reason else f"{other}: not asked for"


def _tell_totals(totals: Mapping[str, Totals]) -> None:
    columns(
        ("playbook", "calls", "minutes", "cards shown", "a minute", "most in a minute", "latency p50 / p95"),
        *(
            (
                name,
                str(whole.calls),
                f"{whole.minutes:g}",
                str(whole.shown),
                f"{whole.per_minute:g}",
                f"{whole.most_in_a_minute} of {whole.budget_per_minute} allowed",
                "-" if whole.latency_p50_ms is None else f"{whole.latency_p50_ms} / {whole.latency_p95_ms} ms",
            )
            for name, whole in totals.items()
        ),
    )
    if failed := max(whole.failed for whole in totals.values()):
        people.print(f"{_count(failed, 'call')} could not be read", markup=False)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _clock(at_ms: int) -> str:
    return f"{at_ms // 60_000}:{at_ms // 1000 % 60:02}"
