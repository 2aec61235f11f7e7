"""``copilot calls`` and ``copilot report`` over the data directory of a node that had a call."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import soundfile

from copilot.review.model import Report
from copilot.store.recording import read_recording
from tests.cli.conftest import Run
from tests.server.node import LINE, client, concluded, phone, running, settings

TALK = [(0.5, None), (1.5, 1), (1.0, None)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with one call that ended and one that was interrupted."""
    folder = tmp_path_factory.mktemp("data")
    asyncio.run(_two_calls(folder))
    (folder / "copilot.toml").write_text(f'[store]\ndata_dir = "{folder}"\n')
    return folder


async def _two_calls(folder: Path) -> None:
    async with running(settings(folder, resume_window_s=0.1)) as address, client(address) as http:
        async with phone(address) as caller:
            await caller.start(call={"rep_id": "ann", "customer_ref": "ACME"})
            await caller.say(TALK)
            await caller.send(type="call.end")
            await caller.until("call.ended")
            await concluded(http, caller.call_id)
        async with phone(address) as caller:
            await caller.start(call={"rep_id": "eve"})
        await concluded(http, caller.call_id)


@pytest.fixture
def copilot(run: Run, data: Path) -> Run:
    """The command line on that data directory."""
    return lambda *arguments: run("--config", data / "copilot.toml", *arguments)


@pytest.fixture
def ended(copilot: Run) -> str:
    """The call that ended."""
    (row,) = copilot("calls", "list", "--state", "ended", "--json").lines
    return row["call_id"]


def test_list_newest_first(copilot: Run) -> None:
    rows = copilot("calls", "list", "--json").lines
    assert [(row["rep_id"], row["state"]) for row in rows] == [("eve", "interrupted"), ("ann", "ended")]
    assert rows[1]["summary"]["cards_raised"] >= 1


def test_list_filtered(copilot: Run) -> None:
    assert [row["rep_id"] for row in copilot("calls", "list", "--rep", "ann", "--json").lines] == ["ann"]
    assert copilot("calls", "list", "--state", "live", "--json").lines == []
    assert len(copilot("calls", "list", "--limit", "1", "--json").lines) == 1


def test_list_for_people_names_every_call_in_full(copilot: Run, ended: str) -> None:
    outcome = copilot("calls", "list")
    assert (outcome.code, outcome.out) == (0, "")
    assert ended in outcome.err
    assert "2 calls" in outcome.err


def test_show_is_the_event_log(copilot: Run, ended: str) -> None:
    events = copilot("calls", "show", ended, "--json").lines
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "call.opened"
    assert events[-1]["type"] == "call.ended"
    people = copilot("calls", "show", ended)
    assert people.out == ""
    assert LINE in people.err


def test_export_takes_everything_along(copilot: Run, ended: str, tmp_path: Path) -> None:
    target = tmp_path / "exported"
    (said,) = copilot("calls", "export", ended, "--to", target).lines
    assert said["folder"] == str(target)
    assert set(said["files"]) == {path.name for path in target.iterdir()}
    audio, rate = soundfile.read(target / "audio.flac", always_2d=True)
    assert audio.shape == (3 * rate, 2)
    assert read_recording(target / "recording.bin.gz").header.call.call_id == ended
    events = [json.loads(line) for line in (target / "events.jsonl").read_text().splitlines()]
    assert events == copilot("calls", "show", ended, "--json").lines
    assert json.loads((target / "facts.json").read_text())["rep_id"] == "ann"
    assert json.loads((target / "report.json").read_text()) == json.loads(
        copilot("report", ended, "--format", "json").out
    )


def test_export_never_overwrites(copilot: Run, ended: str, tmp_path: Path) -> None:
    outcome = copilot("calls", "export", ended, "--to", tmp_path)
    assert outcome.code == 2
    assert "(calls.export_exists)" in outcome.err


def test_report_in_every_form(copilot: Run, ended: str) -> None:
    report = json.loads(copilot("report", ended, "--format", "json").out)
    assert set(report) == set(Report.__struct_fields__)
    assert [line["text"] for line in report["transcript"]] == [LINE]
    page = copilot("report", ended, "--format", "html")
    assert page.out.startswith("<!doctype html>")
    assert (page.code, page.err) == (0, "")
    markdown = copilot("report", ended).out
    assert markdown.startswith("# ")
    assert LINE in markdown


def test_report_in_the_other_language(copilot: Run, ended: str) -> None:
    assert '<html lang="zh' in copilot("report", ended, "--format", "html", "--language", "zh").out
    assert "客户" in copilot("report", ended, "--language", "zh").out


@pytest.mark.parametrize("command", [("calls", "show"), ("report",)])
def test_a_call_that_does_not_exist(copilot: Run, command: tuple[str, ...]) -> None:
    outcome = copilot(*command, "call_none")
    assert (outcome.code, outcome.out) == (1, "")
    assert "(call.unknown)" in outcome.err


def test_a_machine_without_calls(run: Run, configured, tmp_path: Path) -> None:
    outcome = run("--config", configured(f'[store]\ndata_dir = "{tmp_path}/none"'), "calls", "list")
    assert outcome.code == 2
    assert "(calls.none)" in outcome.err
    assert not (tmp_path / "none").exists()
