"""``copilot calls uplift`` over calls that the engine itself has had."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot.backtest.virtual import VirtualRun
from copilot.call.call import Call
from copilot.clock import FakeClock
from copilot.config import StoreSettings
from copilot.cues.holdout import held_out
from copilot.events import HungUp, TextReceived
from copilot.store.database import Store
from copilot.store.rows import CallRow
from tests.call.rig import PLAYBOOK, Reader, info, setup
from tests.cli.conftest import Run

HELD_OUT = setup(
    PLAYBOOK.replace(
        "    when: {signal: objection.price}\n",
        "    when: {signal: objection.price}\n    hold_out: 0.4\n    expected: {trigger: {signal: close.ask}}\n",
    )
)
CALLS = 30


def said(speaker: str, at_s: float, text: str) -> tuple[float, TextReceived]:
    span = {"start_ms": round(at_s * 1000) - 900, "end_ms": round(at_s * 1000)}
    return at_s, TextReceived(speaker=speaker, text=text, **span)


def play(store: Store, call_id: str) -> None:
    """A rep who asks for the business only when a card says so. Every other call is won."""
    script = [said("customer", 3, "that is too expensive")]
    if not held_out(HELD_OUT.plan.playbook.cues, call_id):
        script.append(said("rep", 8, "shall i book it for you"))
    call_info = info(call_id=call_id, kind="chat")
    run = VirtualRun(
        Call(call_info, HELD_OUT), scorers=[], transcribe=Reader({}), encode=None, clock=FakeClock(), workers=1
    )
    store.create_call(CallRow(call_id=call_id, started_at=call_info.started_at, playbook_id="small"))
    for effect in run.play([*script, (140.0, HungUp())]):
        store.append_event(call_id, effect.seq, effect.type, 0, bytes(effect.message))
    store.flush()
    store.update_call(call_id, state="ended", outcome="won" if int(call_id[-1]) % 2 else "lost")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    store = Store.open(StoreSettings(data_dir=str(folder)), folder)
    for index in range(CALLS):
        play(store, f"call_{index}")
    store.flush()
    store.close()
    (folder / "copilot.toml").write_text(f'[store]\ndata_dir = "{folder}"\n')
    return folder


@pytest.fixture
def copilot(run: Run, data: Path) -> Run:
    return lambda *arguments: run("--config", data / "copilot.toml", "calls", "uplift", *arguments)


def test_the_engine_withholds_in_some_calls_and_the_command_compares(copilot: Run) -> None:
    (price,) = copilot("--json").lines
    withheld = sum(bool(held_out(HELD_OUT.plan.playbook.cues, f"call_{index}")) for index in range(CALLS))
    assert 0 < withheld < CALLS
    assert (price["cue_id"], price["calls_held_out"], price["calls_shown"]) == (
        "objection.price",
        withheld,
        CALLS - withheld,
    )
    adherence, success = price["adherence"], price["success"]
    assert (adherence["shown"]["hits"], adherence["held_out"]["hits"]) == (CALLS - withheld, 0)
    assert (adherence["uplift"], adherence["low"] > 0) == (1.0, True)
    assert success["shown"]["trials"] + success["held_out"]["trials"] == CALLS
    assert success["low"] < 0 < success["high"]


def test_for_people(copilot: Run) -> None:
    outcome = copilot()
    assert (outcome.code, outcome.out) == (0, "")
    for word in ("objection.price", "adhered", "won", "100%", "1 cues held out"):
        assert word in outcome.err


def test_other_playbooks_and_times_are_left_out(copilot: Run) -> None:
    assert copilot("--playbook", "large", "--json").lines == []
    assert copilot("--since", "2027-01-01T00:00:00.000Z", "--json").lines == []
    assert len(copilot("--playbook", "small", "--until", "2027-01-01T00:00:00.000Z", "--json").lines) == 1
