"""Live, replayed and backtested, a call has the same cards in the same order."""

from __future__ import annotations

import msgspec
import pytest
import structlog

from copilot.backtest.rethink import rethink
from copilot.backtest.runs import Bench
from copilot.backtest.track import TRACK_FILE, _tell_unkept, distil, keep_track, kept_track
from copilot.backtest.virtual import VirtualRun
from copilot.call.call import Call, CallSetup
from copilot.call.recording import replay
from copilot.clock import FakeClock
from copilot.events import (
    CardAcked,
    CardRendered,
    HungUp,
    Paused,
    Publish,
    Resumed,
    RolesSwapped,
    StepTicked,
    TextReceived,
)
from copilot.playbook.load import find_playbook, parse_playbook
from copilot.signals.listener import prepare
from copilot.store.recording import RecordingHeader, read_recording, write_recording
from copilot.wire import messages as wire
from tests.call.record import RECORDING
from tests.call.rig import PLAYBOOK, info, run, setup, talk
from tests.call.test_answers import KNOWLEDGE
from tests.server.node import Blank
from tests.signals.plans import encode

TALK = [(1.0, None), (3.0, 0), (1.0, None), (2.5, 1), (2.0, None), (2.0, 0), (1.0, None), (2.0, 1), (12.0, None)]
LINES = {
    0: ["well hello there", "this is zero risk for you", "shall i book it"],
    1: ["that is too expensive", "still too expensive"],
}
EXAMPLES = PLAYBOOK.replace(
    "when: {phrase: {any: [too expensive, 太贵了]}}",
    "when: {any: [{phrase: {any: [too expensive]}}, {examples: {like: [that costs a lot of money]}}]}",
)


def card_rows(messages) -> list[tuple]:
    rows = []
    for message in messages:
        if isinstance(message, wire.CardRaised | wire.CardSuppressed):
            quote = message.caused_by.quote if message.caused_by else ""
            reason = message.reason if isinstance(message, wire.CardSuppressed) else ""
            ledger = message.ledger if isinstance(message, wire.CardRaised) else None
            rows.append((message.card.id, message.card.cue_id, quote, reason, ledger))
    return rows


def rethought_rows(result) -> list[tuple]:
    return [
        (
            card.id,
            card.cue_id,
            card.trigger.quote if card.trigger else "",
            card.suppressed_reason,
            None if card.suppressed_reason else card.ledger,
        )
        for card in result.cards
    ]


def replayed(call_info, call_setup, entries) -> list:
    decoder = msgspec.json.Decoder(wire.AnyCallMessage)
    return [
        decoder.decode(effect.message)
        for _, effects in replay(call_info, call_setup, entries)
        for effect in effects
        if isinstance(effect, Publish)
    ]


def with_people(*acts):
    """The talk with what people do at some second."""
    events = [*talk(TALK), *acts]
    return sorted(events, key=lambda pair: pair[0])


PEOPLE = {
    "nobody acts": (),
    "cards are answered": ((9.0, CardRendered(card_id="c1")), (9.5, CardAcked(card_id="c1", action="dismissed"))),
    "a card is snoozed": ((8.4, CardAcked(card_id="c1", action="snoozed")),),
    "a step is ticked": ((2.0, StepTicked(step_id="opening.intro", by="ann")),),
    "the call is paused": ((6.0, Paused(reason="hold")), (9.0, Resumed())),
    "the roles are swapped": ((13.0, RolesSwapped()),),
}

NO_CARDS = ["nobody acts", "a step is ticked", "the call is paused", "the roles are swapped"]
"""Where nobody answers a card: which one would be meant depends on the playbook."""


@pytest.mark.parametrize("acts", PEOPLE.values(), ids=PEOPLE)
@pytest.mark.parametrize("text", [PLAYBOOK, EXAMPLES], ids=["phrases", "examples"])
def test_live_replay_and_backtest_have_the_same_cards(acts, text):
    plan = setup(text).plan
    call_setup = CallSetup(plan=plan, prepared=prepare(plan, Blank().encode))
    live, machine = run(with_people(*acts), LINES, call_setup=call_setup)
    again = replayed(info(), call_setup, machine.entries)
    backtest = rethink(distil(info(), call_setup, machine.entries), call_setup, Blank().encode_bytes)
    assert card_rows(live) == card_rows(again) == rethought_rows(backtest)
    assert card_rows(live)


def test_the_recorded_call_has_its_cards_in_a_backtest():
    recording = read_recording(RECORDING)
    call_setup = setup(recording.header.playbook)
    live = replayed(recording.header.call, call_setup, recording)
    backtest = rethink(distil(recording.header.call, call_setup, recording), call_setup, None)
    assert card_rows(live) == rethought_rows(backtest)
    assert set(backtest.steps) == {"opening.intro", "close.ask"}


@pytest.mark.parametrize("acts", [PEOPLE[name] for name in NO_CARDS], ids=NO_CARDS)
def test_another_playbook_has_the_cards_it_would_have_had_live(acts):
    """The words do not depend on the playbook, so the live call with the other playbook is the truth."""
    other = setup(PLAYBOOK.replace("within_s: 5, warn_s: 2", "within_s: 9, warn_s: 1").replace("ttl_s: 10", "ttl_s: 3"))
    _, machine = run(with_people(*acts), LINES, call_setup=setup())
    live, _ = run(with_people(*acts), LINES, call_setup=other)
    track = distil(info(), setup(), machine.entries)
    mine = [row[1:4] for row in rethought_rows(rethink(track, other, None))]
    assert mine == [row[1:4] for row in card_rows(live)]


def test_a_chat_is_thought_through_on_the_wall_clock():
    chat = info(kind="chat")
    turns = [(2.0, "customer", "that is too expensive"), (30.0, "rep", "my name is Ann")]
    script = [
        (at, TextReceived(speaker=who, text=text, start_ms=round(at * 1000) - 900, end_ms=round(at * 1000)))
        for at, who, text in turns
    ]
    live, machine = run([*script, (40.0, HungUp())], call_info=chat)
    result = rethink(distil(chat, setup(), machine.entries), setup(), None)
    assert card_rows(live) == rethought_rows(result)
    assert {row[1] for row in card_rows(live)} >= {"objection.price"}


def test_a_track_is_kept_until_the_recording_changes(tmp_path):
    _, machine = run(talk(TALK), LINES)
    path = tmp_path / "recording.bin.gz"
    write_recording(path, RecordingHeader(call=info(), playbook=PLAYBOOK), machine.entries)
    assert kept_track(path) is None
    track = distil(info(), setup(), machine.entries)
    keep_track(path, track)
    kept = kept_track(path)
    assert kept is not None
    assert kept.told == track.told
    write_recording(path, RecordingHeader(call=info(call_id="other"), playbook=PLAYBOOK), machine.entries)
    assert kept_track(path) is None


def test_a_backtest_leaves_out_sound_but_not_a_card(tmp_path):
    """Cold and warm, the bench says the same."""
    recording = tmp_path / "recording.bin.gz"
    recording.write_bytes(RECORDING.read_bytes())
    bench, book = Bench(None), find_playbook("outbound-en")
    (cold,), (warm,) = bench.run(recording, [book]), bench.run(recording, [book])
    assert cold == warm
    assert {card.cue_id for card in cold.shown} >= {"compliance.forbidden"}
    assert cold.most_in_a_minute <= cold.budget_per_minute


class Bag(Blank):
    """An encoder made of word counts."""

    def encode(self, texts):
        return encode(texts)


def test_a_card_from_the_documents_is_the_same_live_replayed_and_backtested(tmp_path):
    """A stored call carries the passages it was answered from."""
    book = parse_playbook(PLAYBOOK + KNOWLEDGE)
    bench, chat = Bench(Bag()), info(kind="chat")
    turns = [(2.0, "what is the warranty on the panels?"), (20.0, "and the price of the battery?")]
    script = [
        (at, TextReceived(speaker="customer", text=text, start_ms=round(at * 1000) - 900, end_ms=round(at * 1000)))
        for at, text in turns
    ]
    call = Call(chat, bench.setup(book))
    machine = VirtualRun(call, scorers=[], transcribe=None, encode=bench.encode, clock=FakeClock(), workers=1)
    decoder = msgspec.json.Decoder(wire.AnyCallMessage)
    live = [decoder.decode(each.message) for each in machine.play([*script, (60.0, HungUp())])]
    again = replayed(chat, bench.setup(book), machine.entries)
    path = tmp_path / "recording.bin.gz"
    header = RecordingHeader(call=chat, playbook=msgspec.json.encode(book).decode())
    write_recording(path, header, machine.entries)
    (cold,), (warm,) = bench.run(path, [book]), bench.run(path, [book])
    rows = card_rows(live)
    assert rows == card_rows(again)
    assert [(cue, quote, reason) for _, cue, quote, reason, _ in rows] == [
        (card.cue_id, card.quote, card.reason) for card in cold.cards
    ]
    assert cold == warm
    assert [cue for _, cue, _, reason, _ in rows if not reason].count("knowledge") == 2


def test_a_track_that_cannot_be_kept_is_told_of_once(tmp_path):
    _, machine = run(talk(TALK), LINES)
    track = distil(info(), setup(), machine.entries)
    _tell_unkept.cache_clear()
    with structlog.testing.capture_logs() as logs:
        for name in ("one", "two"):
            path = tmp_path / name / "recording.bin.gz"
            (path.parent / TRACK_FILE).mkdir(parents=True)  # a folder where the file should be
            write_recording(path, RecordingHeader(call=info(), playbook=PLAYBOOK), machine.entries)
            keep_track(path, track)
    assert [(each["event"], each["code"]) for each in logs] == [("backtest.track_unkept", "storage.write_failed")]
