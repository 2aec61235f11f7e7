"""The scenarios inside the shipped playbooks, through the same engine as a live call."""

import pytest

from copilot.backtest.scenario import run_scenario
from copilot.call.call import CallSetup
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import find_playbook, shipped_packs
from copilot.signals.listener import prepare

LABELS = {
    "objection.price", "objection.no_need", "objection.not_now", "objection.competitor", "objection.trust",
    "objection.authority", "objection.send_info", "objection.complaint", "signal.buying", "signal.question",
    "compliance.forbidden",
}  # fmt: skip
STEPS = (
    "opening.intro", "opening.recording_notice", "opening.permission", "rapport.small_talk",
    "discovery.need_question", "discovery.budget_question", "pitch.value", "trial_close.check", "objection.handled",
    "close.ask", "close.next_step", "close.recap",
)  # fmt: skip
STAGES = ("opening", "rapport", "discovery_pitch", "trial_close", "objection", "close")


@pytest.mark.parametrize("name", shipped_packs())
def test_every_scenario_of_a_pack_passes_without_any_model(name):
    playbook = find_playbook(name)
    plan = compile_playbook(playbook)
    setup = CallSetup(plan=plan, prepared=prepare(plan, None))
    failures = [
        failure
        for scenario in playbook.scenarios
        for failure in run_scenario(scenario, setup, None, playbook.language)[0]
    ]
    assert failures == []


@pytest.mark.parametrize("name", shipped_packs())
def test_the_packs_speak_of_the_same_things(name):
    playbook = find_playbook(name)
    assert {signal.id for signal in playbook.signals} >= LABELS
    assert {cue.id for cue in playbook.cues} >= LABELS
    assert tuple(step.id for step in playbook.steps) == STEPS
    assert tuple(stage.id for stage in playbook.stages) == STAGES


@pytest.mark.parametrize("name", shipped_packs())
def test_both_sides_of_every_label_are_tried(name):
    expected = [expect for scenario in find_playbook(name).scenarios for expect in scenario.expect]
    assert {expect.signal for expect in expected} >= LABELS
    assert {expect.no_signal for expect in expected} >= LABELS
    for step in STEPS:
        states = {expect.state for expect in expected if expect.step == step}
        assert states >= {"done", "pending"}, step
