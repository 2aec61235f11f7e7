"""``copilot models``: fetch, verify and list model files."""

from __future__ import annotations

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from copilot.cli.main import settings_of
from copilot.cli.output import FINDINGS, emit, people
from copilot.config import Settings
from copilot.engines.downloads import fetch
from copilot.engines.manifest import MEND, Model, folder_of, inspect, load_manifest, models_dir, verify

MB = 1 << 20


def needed(settings: Settings) -> tuple[str, ...]:
    """The models this configuration runs: the recogniser it names unless that runs elsewhere, and the rest."""
    others = tuple(model.name for model in load_manifest().models if model.kind != "recogniser")
    return (settings.recogniser.model, *others) if settings.recogniser.backend == "whisper" else others


@click.group()
def models() -> None:
    """Fetch, verify and list model files."""


@models.command("fetch")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON line per model.")
@click.pass_context
def fetch_command(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Bring models to this machine. NAMES are those of the manifest or of the model hub; default: what is needed.

    What is already whole stays. COPILOT_MODELS_SOURCE names a folder to fetch from instead of the network.
    """
    settings = settings_of(context)
    wanted = names or needed(settings)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=people
    ) as bars:
        fetched = fetch(wanted, settings.models, _Bars(bars))
    for name in wanted:
        if as_json:
            emit({"model": name, "fetched": name in fetched, "folder": str(folder_of(name, settings.models))})
        else:
            people.print(f"{name}: {'fetched' if name in fetched else 'already here'}", markup=False)
    if not as_json:
        people.print(f"The models are in {models_dir(settings.models)}.", markup=False)


class _Bars:
    """One progress bar per download."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done)


@models.command("verify")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON line per problem.")
@click.pass_context
def verify_command(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Compare model files with the manifest, byte for byte. NAMES are those of the manifest; default: all."""
    settings = settings_of(context)
    problems = verify(names, settings.models)
    for problem in problems:
        if as_json:
            emit(problem)
        else:
            people.print(f"{problem.message} ({problem.code})", markup=False)
    if not as_json:
        people.print(MEND if problems else "Every file is as it should be.", markup=False)
    context.exit(FINDINGS if problems else 0)


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per model.")
@click.pass_context
def list_command(context: click.Context, as_json: bool) -> None:
    """Show every model of the manifest: version, licence, size, origin, and whether it is here."""
    settings = settings_of(context)
    for model in load_manifest().models:
        folder = folder_of(model.name, settings.models)
        state = _state(model, settings)
        if as_json:
            emit(
                {
                    "model": model.name,
                    "title": model.title,
                    "kind": model.kind,
                    "version": model.version,
                    "licence": model.licence,
                    "origin": model.origin,
                    "bytes": model.size,
                    "folder": str(folder),
                    "state": state,
                }
            )
        else:
            about = f"{model.title} ({model.origin})"
            click.echo(f"{model.name:<18}{state:<10}{model.size / MB:6.0f} MB  {model.licence:<12}{about}")


def _state(model: Model, settings: Settings) -> str:
    problems = inspect(model, folder_of(model.name, settings.models))
    if not problems:
        return "whole"
    return "missing" if all(problem.code == "model.missing" for problem in problems) else "corrupt"
