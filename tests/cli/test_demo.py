from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.sounds import silence, write
from tests.cli.test_replay import of, spoken
from tests.e2e.test_call import quotes


@pytest.mark.models
@pytest.mark.e2e
def test_plays_a_call_through_a_server_of_its_own(run: Run, tmp_path: Path) -> None:
    samples, rate = spoken(9, 5)
    path = write(tmp_path / "call.wav", *samples.T, rate_hz=rate)
    outcome = run("demo", "--call", path, "--speed", "3", "--no-browser", "--json")
    assert outcome.code == 0, outcome.err
    *messages, report = outcome.lines
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    assert messages[-1]["type"] == "call.ended"
    assert {final["speaker"] for final in of(messages, "transcript.final")} == {"rep", "customer"}
    assert report["type"] == "report"
    lines = [line["text"] for line in report["transcript"]]
    assert all(any(quote in line for line in lines) for quote in quotes(report))
    assert f"/rep/{report['call']['call_id']}" in outcome.err


def test_a_playbook_that_cannot_be_used_is_said_before_anything_is_loaded(run: Run, tmp_path: Path) -> None:
    call = write(tmp_path / "call.wav", *(silence(), silence()))
    (tmp_path / "mine.yaml").write_text("schema: 1\nid：mine\n", encoding="utf-8")
    for name, said in (
        (str(tmp_path / "mine.yaml"), "mine.yaml:2: `：`"),
        ("outbound-enn", "Did you mean 'outbound-en'?"),
    ):
        outcome = run("demo", "--call", call, "--no-browser", "--playbook", name)
        assert (outcome.code, outcome.out) == (2, "")
        assert said in outcome.err
        assert "loading" not in outcome.err


def test_wants_both_speakers(run: Run, tmp_path: Path) -> None:
    outcome = run("demo", "--call", write(tmp_path / "mono.wav", silence()), "--no-browser")
    assert (outcome.code, outcome.out) == (2, "")
    assert "(media.channels)" in outcome.err
