"""``copilot playbook publish`` and what follows from it: versions, kept as they were."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from copilot.call.outbox import rfc3339
from copilot.cli.main import settings_of
from copilot.cli.named import named
from copilot.cli.output import columns, emit, people
from copilot.clock import SystemClock
from copilot.playbook.load import shipped_packs
from copilot.store.layout import data_root
from copilot.store.shelf import PutState, Shelf, Version

PUT: dict[str, PutState] = {"shadow": "shadow", "draft": "draft"}
_MEANING: dict[PutState, str] = {
    "published": "published; new calls use it from now on",
    "shadow": "kept for comparison (`copilot playbook diff`); no call uses it",
    "draft": "kept; no call uses it",
}
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON line per version.")


def shelf_of(context: click.Context) -> Shelf:
    """The versions in the data directory of this machine."""
    return Shelf(data_root(settings_of(context).store))


@click.command("publish")
@click.argument("name")
@click.option("--shadow", "state", flag_value="shadow", help="Keep it for comparison with the published one.")
@click.option("--draft", "state", flag_value="draft", help="Only keep it.")
@click.pass_context
def publish_command(context: click.Context, name: str, state: str | None) -> None:
    """Make the playbook NAME (a file, a pack or a kept version) the one that new calls use; live calls keep theirs.

    Its documents are kept with it as they are now. A playbook that is wrong is refused, and the one published before
    stays.
    """
    _, source, documents, _ = named(name, settings_of(context))
    now = rfc3339(SystemClock().utc())
    wanted, by = PUT.get(state or "", "published"), getpass.getuser()
    version = shelf_of(context).put(source.text, wanted, at=now, by=by, file=source.file, documents=documents)
    people.print(f"{version.playbook}@{version.version}: {_MEANING[wanted]}", markup=False)
    emit(version)


@click.command("list")
@AS_JSON
@click.pass_context
def list_command(context: click.Context, as_json: bool) -> None:
    """The playbooks that new calls may use, and where each comes from."""
    settings, published = settings_of(context), shelf_of(context).published()
    folder = settings.playbooks.folder
    files = {path.stem: str(path) for path in sorted(Path(folder).glob("*.y*ml"))} if folder else {}
    origins = dict.fromkeys(shipped_packs(), "shipped") | files
    origins |= {name: f"version {version.version}" for name, version in published.items()}
    if not as_json:
        columns(*sorted(origins.items()))
        return
    for name, origin in sorted(origins.items()):
        emit({"playbook": name, "origin": origin})


@click.command("versions")
@click.argument("playbook", default="")
@AS_JSON
@click.pass_context
def versions_command(context: click.Context, playbook: str, as_json: bool) -> None:
    """What was published, kept as draft or tried in shadow, of PLAYBOOK or of all."""
    versions = shelf_of(context).versions(playbook)
    if as_json:
        for version in versions:
            emit(version)
        return
    columns(("playbook", "version", "digest", "state", "since (UTC)", "by"), *map(_row, versions))


def _row(version: Version) -> tuple[str, ...]:
    return (
        version.playbook,
        version.version,
        version.digest,
        version.state,
        version.at[:16].replace("T", " "),
        version.by,
    )


@click.command("retire")
@click.argument("playbook")
@click.argument("digest")
@click.pass_context
def retire_command(context: click.Context, playbook: str, digest: str) -> None:
    """Take a version of PLAYBOOK (its number, or how its DIGEST begins) out of use."""
    emit(shelf_of(context).retire(playbook, digest, at=rfc3339(SystemClock().utc()), by=getpass.getuser()))
