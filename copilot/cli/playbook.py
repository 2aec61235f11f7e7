"""``copilot playbook``: is it right, and does it do what its scenarios say?"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.markup import escape

from copilot.backtest.examine import examine
from copilot.backtest.runs import Bench
from copilot.backtest.scenario import Failure, run_scenario
from copilot.call.call import CallSetup
from copilot.cli.main import settings_of
from copilot.cli.named import named
from copilot.cli.output import FINDINGS, complain, emit, people
from copilot.cli.versions import list_command, publish_command, retire_command, versions_command
from copilot.cli.workbench import backtest_command, diff_command, score_command
from copilot.config import Settings
from copilot.engines.suite import load_encoder
from copilot.errors import CopilotError, PlaybookError
from copilot.knowledge.index import index_of
from copilot.playbook.compile import compile_playbook
from copilot.playbook.lint import Finding, lint
from copilot.playbook.load import shipped_packs
from copilot.playbook.model import Playbook
from copilot.signals.listener import prepare


@click.group()
def playbook() -> None:
    """Lint, test, score, backtest and publish playbooks."""


playbook.add_command(score_command)
playbook.add_command(backtest_command)
playbook.add_command(diff_command)
playbook.add_command(publish_command)
playbook.add_command(list_command)
playbook.add_command(versions_command)
playbook.add_command(retire_command)


def _wanted(names: tuple[str, ...], settings: Settings) -> list[str]:
    """Playbooks named on the command line; without any, those of the configured folder and the shipped packs."""
    folder = settings.playbooks.folder
    own = sorted(str(path) for path in Path(folder).glob("*.yaml")) if folder else []
    return list(names) or [*own, *shipped_packs()]


@playbook.command("lint")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON line per finding.")
@click.option("--quick", is_flag=True, help="Only read them: say no background talk to them, try no examples.")
@click.option("--no-model", is_flag=True, help="Leave out example sentences, so that no model is needed.")
@click.pass_context
def lint_command(context: click.Context, names: tuple[str, ...], as_json: bool, quick: bool, no_model: bool) -> None:
    """Check playbooks for mistakes. NAMES are files or pack names; default: all.

    Exit code 1 when there is an error or a warning; findings that are only worth knowing are `info`.
    """
    settings = settings_of(context)
    bench = None if quick else Bench.open(settings, model=not no_model)
    bad = 0
    for name in _wanted(names, settings):
        try:
            found = _findings(name, settings, bench)
        except PlaybookError as error:
            bad += 1
            if as_json:
                for each in error.all:
                    emit({"playbook": name, **_error(each)})
            else:
                complain(error)
            continue
        bad += sum(finding.severity != "info" for finding in found)
        _tell_findings(name, found, as_json)
    context.exit(FINDINGS if bad else 0)


def _findings(name: str, settings: Settings, bench: Bench | None) -> list[Finding]:
    book, source, _, folder = named(name, settings)
    found = lint(book, source, documents=folder)
    if bench:
        found += examine(book, bench.setup(book), bench.encode, source)
    return sorted(found, key=lambda finding: finding.line)


def _tell_findings(name: str, found: list[Finding], as_json: bool) -> None:
    for finding in found:
        if as_json:
            emit({"playbook": name, **msgspec.to_builtins(finding)})
        else:
            said = f"{name}:{finding.line}: {finding.severity}: {finding.message} ({finding.code})"
            people.print(said, markup=False)
    if not found and not as_json:
        people.print(f"{name}: no findings", markup=False)


def _error(error: PlaybookError) -> dict[str, object]:
    return {
        "code": error.code,
        "severity": "error",
        "file": error.file,
        "line": error.line,
        "path": error.path,
        "message": error.message,
        "hint": error.hint,
    }


@playbook.command("test")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON line per scenario.")
@click.option("--no-model", is_flag=True, help="Leave out example sentences, so that no model is needed.")
@click.pass_context
def test_command(context: click.Context, names: tuple[str, ...], as_json: bool, no_model: bool) -> None:
    """Run the scenarios inside playbooks through the live engine. NAMES are files or pack names; default: all."""
    settings = settings_of(context)
    encoder = None if no_model else load_encoder(settings)
    unread = failed = total = 0
    for name in _wanted(names, settings):
        try:
            book = named(name, settings).playbook
        except CopilotError as error:
            complain(error)
            unread += 1
            continue
        plan = compile_playbook(book)
        encode, intents = (encoder.encode, encoder.intents) if encoder else (None, None)
        setup = CallSetup(plan=plan, prepared=prepare(plan, encode, intents), index=index_of(book, encode))
        for scenario in book.scenarios:
            failures, _ = run_scenario(scenario, setup, encoder.encode_bytes if encoder else None, book.language)
            total += 1
            failed += bool(failures)
            _tell(book, scenario.name, failures, as_json)
    if not as_json:
        people.print(f"{total - failed} of {total} scenarios passed")
    context.exit(FINDINGS if failed or unread else 0)


def _tell(book: Playbook, scenario: str, failures: list[Failure], as_json: bool) -> None:
    if as_json:
        emit({"playbook": book.id, "scenario": scenario, "ok": not failures, "failures": failures})
        return
    mark = "[red]✗[/]" if failures else "[green]✓[/]"
    people.print(f"{mark} {book.id}: {escape(scenario)}")
    for failure in failures:
        people.print(f"    expected {failure.expectation}; {failure.happened}", markup=False)
