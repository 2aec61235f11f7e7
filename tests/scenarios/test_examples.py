"""The small playbooks of the documentation are right, and do what they say."""

from pathlib import Path

import pytest

from copilot.backtest.runs import Bench
from copilot.backtest.scenario import run_scenario
from copilot.playbook.lint import lint
from copilot.playbook.load import complete
from copilot.playbook.source import Source

EXAMPLES = sorted((Path(__file__).parents[2] / "docs/examples/playbooks").glob("*.yaml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_passes_its_own_scenarios_and_lint(file):
    source = Source(file.read_text(encoding="utf-8"), str(file))
    playbook = complete(source, file.parent)
    assert lint(playbook, source) == []
    setup = Bench(None).setup(playbook)
    failures = [f for scenario in playbook.scenarios for f in run_scenario(scenario, setup, None, playbook.language)[0]]
    assert failures == []


def test_there_is_one_in_each_language():
    assert [file.stem for file in EXAMPLES] == ["broadband-zh", "gym-en"]
