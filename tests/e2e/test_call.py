"""The shipped call through the whole service: real models, a real socket, a process of its own."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
from typing import Any

import jiwer
import numpy as np
import pytest
import soundfile
from whisper_normalizer.english import EnglishTextNormalizer

from copilot.playbook.load import find_playbook
from tests.e2e.server import REVISING, Server
from tests.e2e.softphone import TRUTH, Softphone, demo_audio, is_gap_free, sha256_of, softphone
from tests.server.node import client, concluded

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(300)]

WER_BOUND = 0.15
"""Loose: the suite asks whether recognition works, the benchmark how well."""
TRUE_NAME = {"rep": "agent", "customer": "customer"}
AS_SPOKEN_S = (30, 70)
"""The part that earns cards. What a rep can take is counted in real time, so it is not played any faster."""
EARNED = {"objection.trust": "customer", "compliance.forbidden": "rep", "objection.price": "customer"}
"""Cards of that part and whose words cause them. Nothing crowds them out while recognition keeps up with speech."""
LEDGER = ("phrase_end", "recognised", "matched", "decided", "sent")


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything the shipped call leaves behind."""
    with Server(tmp_path_factory.mktemp("call"), **REVISING) as server:
        return asyncio.run(asyncio.wait_for(_record(server), 180))


async def _record(server: Server) -> dict[str, Any]:
    async with softphone(server.address, answer=_use_card) as phone, client(server.address) as http:
        started = await phone.start(call={"external_id": "e2e", "rep_id": "ann"})
        await _talk(phone)
        await phone.send(type="call.end")
        await phone.until("call.ended")
        base = f"/v1/calls/{started['call_id']}"
        return {
            "events": phone.events,
            "row": await concluded(http, started["call_id"]),
            "log": (await http.get(f"{base}/events-log?limit=5000")).json(),
            "report": (await http.get(f"{base}/report")).json(),
            "page": (await http.get(f"{base}/report.html")).text,
            "audio": (await http.get(f"{base}/audio")).content,
            "server_log": "".join(server.log),
        }


async def _talk(phone: Softphone) -> None:
    samples, rate = demo_audio()
    begin, end = (at_s * rate for at_s in AS_SPOKEN_S)
    offset = await phone.speak(samples[:begin])
    offset = await phone.speak(samples[:end], offset, as_spoken=True)
    await phone.speak(samples, offset)


def _use_card(message: dict[str, Any]) -> dict[str, Any] | None:
    """The rep takes every card off the screen at once: how long one stays must not decide whether the next is seen."""
    if message["type"] != "card.raised":
        return None
    return {"type": "card.ack", "card_id": message["card"]["id"], "action": "used"}


def of(call: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in call["events"] if event["type"] == kind]


def test_events_have_no_gap_and_are_what_is_stored(call):
    assert is_gap_free(call["events"])
    assert call["log"] == call["events"]


def test_media_time_never_passes_the_end_of_the_call(call):
    samples, rate = demo_audio()
    assert max(event["pos_ms"] for event in call["events"]) <= len(samples) * 1000 // rate


@pytest.mark.parametrize("speaker", TRUE_NAME)
def test_most_words_of_both_speakers_are_recognised(call, speaker):
    truth = json.loads(TRUTH.read_text())["utterances"]
    normal = EnglishTextNormalizer()
    said = normal(" ".join(line["text"] for line in truth if line["speaker"] == TRUE_NAME[speaker]))
    finals = sorted(of(call, "transcript.final"), key=lambda final: final["start_ms"])
    heard = normal(" ".join(final["text"] for final in finals if final["speaker"] == speaker))
    assert jiwer.wer(said, heard) <= WER_BOUND, heard


def test_cards_say_what_caused_them_and_keep_a_complete_ledger(call):
    finals = {final["utterance_id"]: final for final in of(call, "transcript.final")}
    written = {cue.id: cue.card for cue in find_playbook(language="en").cues}
    caused = [card for card in of(call, "card.raised") if card["caused_by"]]
    by_whom = {card["card"]["cue_id"]: card["caused_by"]["speaker"] for card in caused}
    assert EARNED.items() <= by_whom.items()
    for card in caused:
        final, content = finals[card["caused_by"]["utterance_id"]], written[card["card"]["cue_id"]]
        assert card["caused_by"]["quote"] in final["text"]
        assert card["caused_by"]["speaker"] == final["speaker"]
        assert (card["card"]["headline"], tuple(card["card"]["lines"])) == (content.headline, content.lines)
        stations = [card["ledger"][name] for name in LEDGER]
        assert all(before <= after for before, after in itertools.pairwise(stations)), stations


def test_every_card_is_closed_exactly_once(call):
    raised = [card["card"]["id"] for card in of(call, "card.raised")]
    closed = [card["card_id"] for card in of(call, "card.closed")]
    assert sorted(raised) == sorted(closed)


def test_steps_tick_by_what_was_said(call):
    done = {step["step_id"]: step for step in of(call, "step.changed") if step["state"] in ("done", "done_late")}
    assert {"opening.intro", "opening.recording_notice"} <= set(done)
    assert "name is" in done["opening.intro"]["quote"].lower()
    assert [stage["stage_id"] for stage in of(call, "stage.changed")]


def quotes(value: Any) -> list[str]:
    """Every quote anywhere in a report."""
    if isinstance(value, dict):
        own = [value["quote"]] if value.get("quote") else []
        return own + [quote for each in value.values() for quote in quotes(each)]
    return [quote for each in value for quote in quotes(each)] if isinstance(value, list) else []


def test_every_quote_of_the_report_is_in_the_transcript(call):
    lines = [line["text"] for line in call["report"]["transcript"]]
    assert [line["text"] for line in call["report"]["transcript"]]
    found = quotes(call["report"])
    assert found
    for quote in found:
        assert any(quote in line for line in lines), quote


def test_the_report_is_whole_and_its_page_stands_alone(call):
    assert call["report"]["call"]["is_complete"]
    assert call["report"]["call"]["end_reason"] == call["row"]["reason"]
    assert call["row"]["state"] == "ended"
    assert "<html" in call["page"]
    for outside in ("<script src", "<link ", "http://", "https://"):
        assert outside not in call["page"]


def test_the_stored_audio_is_what_was_sent(call):
    sent, rate = demo_audio()
    stored, stored_rate = soundfile.read(io.BytesIO(call["audio"]), dtype="int16", always_2d=True)
    assert stored_rate == rate
    assert np.array_equal(stored, sent)
    assert sha256_of(stored) == call["row"]["summary"]["sha256"]


def test_nothing_anybody_said_is_in_the_log(call):
    assert call["server_log"]
    for final in of(call, "transcript.final"):
        if len(final["text"].split()) > 2:
            assert final["text"] not in call["server_log"]
