"""``copilot playbook publish`` and what follows from it: versions, kept as they were."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Literal

import click
from rich.table import Table

from copilot.call.outbox import rfc3339
from copilot.cli.main import settings_of
from copilot.cli.output import emit, people
from copilot.clock import SystemClock
from copilot.playbook.load import find_source, read_version, shipped_packs
from copilot.store.layout import data_root
from copilot.store.shelf import Shelf, Version

PUT: dict[str, Literal["shadow", "draft"]] = {"shadow": "shadow", "draft": "draft"}
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
    """Make the playbook NAME (a file or a pack) the one that new calls use, while live calls keep theirs.

    A playbook that is wrong, or whose documents the server would not find, is refused, and the one published before
    stays.
    """
    books = settings_of(context).playbooks
    source = find_source(name, books.folder, "en")
    read_version(source.text, books.folder, books.knowledge, source.file)  # with the documents that calls would find
    wanted: Literal["draft", "shadow", "published"] = PUT.get(state or "", "published")
    now = rfc3339(SystemClock().utc())
    version = shelf_of(context).put(source.text, wanted, at=now, by=getpass.getuser(), file=source.file)
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
    for name, origin in sorted(origins.items()):
        if as_json:
            emit({"playbook": name, "origin": origin})
        else:
            people.print(f"{name}  {origin}", markup=False)


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
    table = Table("playbook", "version", "digest", "state", "since", "by", box=None)
    for version in versions:
        table.add_row(*_row(version))
    people.print(table)


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
