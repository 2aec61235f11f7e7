"""``copilot calls``: stored calls, read beside a running server without disturbing it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.table import Column, Table

from copilot.cli.main import settings_of
from copilot.cli.output import emit, emit_raw, people
from copilot.cli.screen import Screen, clock
from copilot.config import Settings
from copilot.errors import UsageError
from copilot.review.uplift import Difference, Rate, Trial, trials, uplifts
from copilot.store.database import Store
from copilot.store.layout import data_root
from copilot.store.rows import PAGE_LIMIT, CallFilter, CallRow
from copilot.wire.codec import decode_call_message
from copilot.wire.messages import TranscriptFinal
from copilot.wire.standing import as_it_stands


@contextmanager
def stored(settings: Settings) -> Iterator[tuple[Store, Path]]:
    """The sessions of this machine, and the folder they are in."""
    root = data_root(settings.store)
    if not root.is_dir():
        raise UsageError("calls.none", f"there are no calls in {root}", hint="`copilot serve` records some.")
    store = Store.open(settings.store, root)
    try:
        yield store, root
    finally:
        store.close()


@click.group()
def calls() -> None:
    """List, show and export stored calls."""


@calls.command("list")
@click.option("--rep", default="", help="Only calls of this rep.")
@click.option("--state", type=click.Choice(["live", "ended", "interrupted"]), help="Only calls in this state.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON line per call.")
@click.pass_context
def list_command(context: click.Context, rep: str, state: str | None, limit: int, as_json: bool) -> None:
    """Newest calls first."""
    with stored(settings_of(context)) as (store, _):
        rows = store.calls(CallFilter(rep_id=rep, state=state or ""), limit=limit).calls  # type: ignore[arg-type]
    if as_json:
        for row in rows:
            emit(row)
        return
    whole = max((len(row.call_id) for row in rows), default=0)  # half an id helps nobody
    table = Table(Column("call", min_width=whole), "started", "rep", "playbook", "state", "length", "cards", box=None)
    for row in rows:
        cards = str(row.summary.get("cards_raised", ""))
        started = row.started_at[:16].replace("T", " ")
        table.add_row(row.call_id, started, row.rep_id, row.playbook_id, row.state, clock(row.duration_ms), cards)
    people.print(table)
    people.print(f"{len(rows)} calls")


@calls.command("show")
@click.argument("call_id")
@click.option("--json", "as_json", is_flag=True, help="The event log, one wire message per line.")
@click.pass_context
def show_command(context: click.Context, call_id: str, as_json: bool) -> None:
    """What happened on a call."""
    with stored(settings_of(context)) as (store, _):
        store.call(call_id)
        bodies = store.events(call_id)
    if as_json:
        for body in bodies:
            emit_raw(body)
        return
    messages = [message for body in bodies if (message := decode_call_message(body))]
    standing = as_it_stands(messages)
    screen = Screen(people)
    for message in messages:
        screen.show(standing.get(message.utterance_id) if isinstance(message, TranscriptFinal) else message)


@calls.command("export")
@click.argument("call_id")
@click.option("--to", "target", type=click.Path(file_okay=False, path_type=Path), required=True, help="A new folder.")
@click.pass_context
def export_command(context: click.Context, call_id: str, target: Path) -> None:
    """Copy everything kept of a call: audio, recording, report, event log, facts."""
    with stored(settings_of(context)) as (store, root):
        row = store.call(call_id)
        bodies = store.events(call_id)
        if target.exists():
            raise UsageError("calls.export_exists", f"{target} exists already", hint="Name a folder that does not.")
        shutil.copytree(root / row.folder, target)
    (target / "events.jsonl").write_bytes(b"".join(body + b"\n" for body in bodies))
    (target / "facts.json").write_bytes(msgspec.json.format(msgspec.json.encode(row)))
    emit({"call_id": call_id, "folder": str(target), "files": sorted(path.name for path in target.iterdir())})


@calls.command("uplift")
@click.option("--playbook", default="", help="Only calls with this playbook.")
@click.option("--since", default="", help="Only calls started at or after this time (RFC 3339, UTC).")
@click.option("--until", default="", help="Only calls started before this time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per cue.")
@click.pass_context
def uplift_command(context: click.Context, playbook: str, since: str, until: str, as_json: bool) -> None:
    """What cards changed: calls that showed them against calls that held them out."""
    found: list[Trial] = []
    with stored(settings_of(context)) as (store, _):
        for row in _all_calls(store, CallFilter(state="ended", since=since, until=until)):
            if playbook in {"", row.playbook_id}:
                messages = (decode_call_message(body) for body in store.events(row.call_id))
                found += trials((message for message in messages if message), row.outcome)
    measured = uplifts(found)
    if as_json:
        for each in measured:
            emit(each)
        return
    table = Table("cue", "", "with the card", "without", Column("difference", min_width=24), box=None)
    for each in measured:
        table.add_row(each.cue_id, "adhered", *_compared(each.adherence))
        if each.success.shown.trials or each.success.held_out.trials:
            table.add_row("", "won", *_compared(each.success))
    people.print(table)
    people.print(f"{len(measured)} cues held out; an interval (95 %) that holds 0 says nothing yet")


def _all_calls(store: Store, where: CallFilter) -> Iterator[CallRow]:
    cursor = ""
    while True:
        page = store.calls(where, limit=PAGE_LIMIT, cursor=cursor)
        yield from page.calls
        cursor = page.next_cursor
        if not cursor:
            return


def _compared(difference: Difference) -> tuple[str, str, str]:
    between = f"({difference.low:+.0%} to {difference.high:+.0%})"
    uplift = "-" if difference.uplift is None else f"{difference.uplift:+.0%} {between}"
    return _rate(difference.shown), _rate(difference.held_out), uplift


def _rate(rate: Rate) -> str:
    return "-" if rate.value is None else f"{rate.value:.0%} ({rate.hits} of {rate.trials})"
