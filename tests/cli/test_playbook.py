from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

GOOD = """\
schema: 1
id: small
version: 1.0.0
title: A small playbook
language: en
stages:
  - {id: opening, title: Opening}
signals:
  - id: objection.price
    speaker: customer
    when: {phrase: {any: [too expensive]}}
steps:
  - id: opening.intro
    title: Say who you are
    stage: opening
    done_when: {phrase: {any: [my name is]}}
    due: {within_s: 20, warn_s: 10}
cues:
  - id: objection.price
    kind: objection
    when: {signal: objection.price}
    card: {headline: Ask what it is compared with}
scenarios:
  - name: a price objection raises its card
    turns:
      - {customer: that is too expensive for me}
    expect:
      - {card: objection.price}
  - name: a name ticks the introduction
    turns:
      - {rep: hello my name is Ann}
    expect:
      - {step: opening.intro, state: done}
"""
STAGE = "  - {id: opening, title: Opening}\n"
BROKEN = {
    "a syntax error": ("title: A small playbook", "title: A small: playbook", "playbook.syntax"),
    "an unknown key": ("    kind: objection", "    colour: red", "playbook.unknown_key"),
    "an id used twice": (
        "  - {id: opening, title: Opening}",
        "  - {id: opening, title: Opening}\n" * 2,
        "playbook.duplicate_id",
    ),
    "a deadline nobody can meet": (
        "within_s: 20, warn_s: 10",
        "within_s: 20, warn_s: 30",
        "playbook.impossible_deadline",
    ),
    "a signal nobody defined": (
        "when: {signal: objection.price}",
        "when: {signal: objection.rice}",
        "playbook.unknown_reference",
    ),
}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(GOOD)
    return path


@pytest.fixture(params=BROKEN)
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, int, str]:
    """A broken playbook, the line that is wrong and the code it must get."""
    before, after, code = BROKEN[request.param]
    text = GOOD.replace(before, after)
    assert text != GOOD
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    wrong = after.splitlines()[-1].strip()
    line = max(number for number, line in enumerate(text.splitlines(), 1) if line.strip() == wrong or wrong in line)
    return path, line, code


def test_a_good_playbook_has_no_findings_and_passes_its_scenarios(run: Run, good: Path) -> None:
    lint = run("playbook", "lint", good)
    assert (lint.code, lint.out) == (0, ""), lint.err
    test = run("playbook", "test", good, "--no-model")
    assert test.code == 0, test.err
    assert "2 of 2 scenarios passed" in test.err


def test_lint_says_where_a_playbook_is_broken(run: Run, broken: tuple[Path, int, str]) -> None:
    path, line, code = broken
    outcome = run("playbook", "lint", path)
    assert outcome.code == 1
    assert f"{path}:{line}: " in outcome.err
    assert f"({code})" in outcome.err


def test_lint_in_json_is_one_line_per_finding(run: Run, broken: tuple[Path, int, str], good: Path) -> None:
    path, line, code = broken
    outcome = run("playbook", "lint", "--quick", "--json", good, path)
    (finding,) = outcome.lines
    assert (finding["file"], finding["line"], finding["code"]) == (str(path), line, code)
    assert finding["hint"]


def test_test_refuses_a_broken_playbook_and_still_runs_the_others(
    run: Run, broken: tuple[Path, int, str], good: Path
) -> None:
    path, line, code = broken
    outcome = run("playbook", "test", "--no-model", path, good)
    assert outcome.code == 1
    assert f"{path}:{line}: " in outcome.err
    assert f"({code})" in outcome.err
    assert "2 of 2 scenarios passed" in outcome.err


def test_a_scenario_that_fails_says_what_happened_instead(run: Run, good: Path) -> None:
    good.write_text(good.read_text().replace("that is too expensive for me", "that is not too expensive for me"))
    outcome = run("playbook", "test", "--no-model", "--json", good)
    assert outcome.code == 1
    scenario, other = outcome.lines
    assert (scenario["ok"], other["ok"]) == (False, True)
    (failure,) = scenario["failures"]
    assert "objection.price" in failure["expectation"]
    assert failure["happened"]


def test_a_warning_names_its_line(run: Run, good: Path) -> None:
    headline = "Ask what it is compared with, then talk about what it is worth to them over all the years"
    good.write_text(good.read_text().replace("Ask what it is compared with", f"'{headline}'"))
    line = next(number for number, text in enumerate(good.read_text().splitlines(), 1) if "headline" in text)
    outcome = run("playbook", "lint", good)
    assert outcome.code == 1
    assert f"{good}:{line}: warning: " in outcome.err


def test_a_playbook_that_does_not_exist(run: Run) -> None:
    outcome = run("playbook", "lint", "nothing")
    assert outcome.code == 1
    assert "(playbook.unreadable)" in outcome.err
    assert "outbound-en" in outcome.err


def test_the_shipped_playbooks_are_legal(run: Run) -> None:
    findings = run("playbook", "lint", "--quick", "--json").lines
    assert not [finding for finding in findings if finding["severity"] == "error"]


def test_lint_names_every_mistake_line_by_line(run: Run, good: Path) -> None:
    text = GOOD.replace("language: en", "language: english").replace("stage: opening\n", "stage: openin\n")
    good.write_text(text.replace("    kind: objection", "    kind: objektion").replace("{card: obj", "{crd: obj"))
    outcome = run("playbook", "lint", good)
    assert outcome.code == 1
    places = [line for line in outcome.err.splitlines() if line.startswith(f"error {good}:")]
    assert [int(line.split(":")[1]) for line in places] == [5, 15, 20, 28], outcome.err
    for command in ("test", "publish"):
        assert run("playbook", command, good).err.count(f"error {good}:") == 4
    found = run("playbook", "lint", "--json", good).lines
    assert [each["code"].partition(".")[2] for each in found] == [
        "invalid",
        "unknown_reference",
        "invalid",
        "unknown_key",
    ]
