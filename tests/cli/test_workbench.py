from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

from copilot.cli.output import columns
from copilot.store.shelf import Shelf, Version
from tests.call.record import RECORDING
from tests.call.rig import PLAYBOOK
from tests.cli.conftest import Run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(PLAYBOOK, encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with two sealed calls."""
    root = tmp_path / "data"
    for day, name in (("01", "call_a"), ("02", "call_b")):
        folder = root / "calls" / "2026" / "03" / day / name
        folder.mkdir(parents=True)
        (folder / "recording.bin.gz").write_bytes(RECORDING.read_bytes())
    monkeypatch.setenv("COPILOT_DATA_DIR", str(root))
    return root


def test_score_keeps_the_order_and_survives_bad_lines(run: Run, small: Path, tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    said = {"text": "that is too expensive", "lang": "en", "speaker": "customer", "label": "obj_price"}
    lines.write_text(json.dumps(said) + "\nnonsense\n" + json.dumps({**said, "text": "fine"}) + "\n")
    outcome = run("playbook", "score", lines, "--playbook", small, "--json", "--summary", "--no-model")
    first, bad, last, summary = outcome.lines
    assert outcome.code == 0, outcome.err
    assert (first["text"], first["signals"][0]["label"]) == (said["text"], "objection.price")
    assert (bad["line"], bad["error"]["code"]) == (2, "score.line")
    assert last["signals"] == []
    assert summary["summary"][0]["recall"] == 0.5
    assert "obj_price" in outcome.err


def test_backtest_tells_every_card_of_every_call(run: Run, small: Path, data: Path) -> None:
    outcome = run("playbook", "backtest", small, "--no-model", "--workers", 1, "--json")
    *calls, last = outcome.lines
    assert (outcome.code, len(calls), last["totals"]["calls"]) == (0, 2, 2), outcome.err
    cues = [card["cue_id"] for card in calls[0]["cards"]]
    assert cues == ["opening.intro", "compliance.forbidden"]
    assert calls[0]["cards"][1]["quote"] == "zero risk"
    assert last["totals"]["shown"] == 4


def test_backtest_of_one_call_by_id_in_other_processes(run: Run, small: Path, data: Path) -> None:
    both = run("playbook", "backtest", small, "--no-model", "--json", "--workers", 2)
    one = run("playbook", "backtest", small, "--calls", "call_b", "--no-model", "--json")
    assert len(both.lines) == 3, both.err
    assert one.lines[0] == both.lines[1]


def test_a_call_that_is_not_there_and_one_that_is_damaged(run: Run, small: Path, data: Path) -> None:
    assert "(calls.unknown)" in run("playbook", "backtest", small, "--calls", "call_x", "--no-model").err
    next(data.rglob("call_a/recording.bin.gz")).write_bytes(b"damaged")
    outcome = run("playbook", "backtest", small, "--no-model", "--workers", 1, "--json")
    assert (outcome.code, outcome.lines[0]["error"]) == (1, "storage.recording_corrupt")
    assert outcome.lines[-1]["totals"]["failed"] == 1


def test_diff_shows_cards_gained_and_lost(run: Run, small: Path, data: Path) -> None:
    other = small.with_name("other.yaml")
    other.write_text(PLAYBOOK.replace("zero risk", "only for today").replace("version: 1.0.0", "version: 1.1.0"))
    outcome = run("playbook", "diff", small, other, "--calls", data, "--no-model", "--workers", 1, "--json")
    changes, last = outcome.lines[:-1], outcome.lines[-1]
    assert {(c["change"], c["cue_id"], c["quote"]) for c in changes} == {
        ("gained", "compliance.forbidden", "only for today"),
        ("lost", "compliance.forbidden", "zero risk"),
    }
    assert last["worst"][0][1] == 4


def test_score_reads_from_stdin(run: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"text": "too expensive", "lang": "en", "speaker": "customer"}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(said).encode())))
    (line,) = run("playbook", "score", "-", "--playbook", small, "--json", "--no-model").lines
    assert line["signals"][0]["label"] == "objection.price"


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--calls", "sound.wav"], "`copilot replay` plays"), (["--since", "yesterday"], "'yesterday' is no time")],
)
def test_backtest_says_which_calls_it_can_take(
    run: Run, small: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sound.wav").write_bytes(b"RIFF")
    outcome = run("playbook", "backtest", small, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err


def test_a_version_keeps_the_documents_it_was_published_with(run: Run, data: Path, tmp_path: Path) -> None:
    facts = tmp_path / "facts" / "faq.md"
    facts.parent.mkdir()
    facts.write_text("# How long\n\nTwo days.\n")
    mine = tmp_path / "mine.yaml"
    text = PLAYBOOK + "\nknowledge: {folder: facts, when: {signal: objection.price}}\n"
    mine.write_text(text, encoding="utf-8")
    assert run("playbook", "publish", mine).lines[0]["documents"]
    facts.write_text("# How long\n\nThree weeks.\n")
    refused = run("playbook", "publish", mine)
    assert (refused.code, refused.out) == (2, "")
    assert "version 1.0.0 of 'small' was kept already, with other documents" in refused.err
    mine.write_text(text.replace("version: 1.0.0", "version: 1.1.0"), encoding="utf-8")
    assert run("playbook", "publish", mine).code == 0
    shutil.rmtree(facts.parent)
    for version, said in (("1.0.0", "Two days."), ("1.1.0", "Three weeks.")):
        assert run("playbook", "backtest", f"small@{version}", "--no-model", "--workers", 1).code == 0
        again = run("playbook", "publish", f"small@{version}").lines[0]
        assert Shelf(data).documents(msgspec.convert(again, Version)) == {"faq.md": f"# How long\n\n{said}\n"}


def test_a_playbook_without_its_documents_is_not_published(run: Run, data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(PLAYBOOK + "\nknowledge: {folder: facts, when: {signal: objection.price}}\n", encoding="utf-8")
    outcome = run("playbook", "publish", mine)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"mine.yaml:{PLAYBOOK.count(chr(10)) + 2}: the documents cannot be used" in outcome.err
    assert run("playbook", "versions", "--json").lines == []


def test_a_playbook_is_published_listed_and_retired(run: Run, small: Path, data: Path) -> None:
    version = run("playbook", "publish", small).lines[0]
    assert (version["state"], version["version"]) == ("published", "1.0.0")
    small.write_text(PLAYBOOK.replace("version: 1.0.0", "version: 1.1.0"), encoding="utf-8")
    assert run("playbook", "publish", "--shadow", small).lines[0]["state"] == "shadow"
    assert "version 1.0.0" in run("playbook", "list").err
    assert [v["state"] for v in run("playbook", "versions", "small", "--json").lines] == ["published", "shadow"]
    diff = run("playbook", "diff", "small@1.0.0", "small@1.1.0", "--no-model", "--workers", 1, "--json")
    assert (diff.code, len(diff.lines)) == (0, 1)
    small.write_text("schema: 1\nid: small\n", encoding="utf-8")
    assert run("playbook", "publish", small).code != 0
    assert run("playbook", "retire", "small", "1.0.0").lines[0]["state"] == "retired"


def test_columns_line_up_whatever_is_in_them(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    columns(("cue", "said", "why"), ("价格", "太贵了 ... 吧", "shown"), ("objection.price", "no", "held back: once"))
    lines = capsys.readouterr().err.splitlines()
    assert [cell_len(line[: line.index(word)]) for line, word in zip(lines, ("why", "sho", "hel"), strict=True)] == [
        32
    ] * 3


def test_a_person_reads_what_would_change(run: Run, small: Path, data: Path) -> None:
    other = small.with_name("other.yaml")
    other.write_text(PLAYBOOK.replace("zero risk", "only for today").replace("version: 1.0.0", "version: 1.1.0"))
    told = run("playbook", "diff", small, other, "--no-model", "--workers", 1).err
    assert "+ gained  solar  " in told
    assert "before: not asked for" in told
    told = run("playbook", "backtest", small, "--no-model", "--workers", 1).err
    assert "solar: 2 cards, " in told
    assert "zero risk" in told
