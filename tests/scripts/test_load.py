from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from copilot.wire.frames import unpack_frame
from scripts.benching.fleet import Plan
from scripts.benching.scores import verdict
from scripts.benching.scrape import histogram_quantile, loop_lag_p99_s, read, summary
from scripts.benching.svg import chart, nice
from scripts.benching.tape import load_tapes, websocket_frame
from scripts.benching.whisperlive import as_messages

DATA = Path(__file__).parents[1] / "data"
GOOD = {"busy_final_p95_s": 1.0, "lost": {"gap_ms": 0}, "troubles": {}, "refusals": {"number": 0}, "unheard": []}


def parsed(data: bytes) -> Frame:
    reader = StreamReader()
    reader.feed_data(data)
    parse = Frame.parse(reader.read_exact, mask=True)
    with pytest.raises(StopIteration) as stop:
        next(parse)
    frame: Frame = stop.value.value
    return frame


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_websocket_frame_is_what_websockets_would_read(size: int):
    frame = parsed(websocket_frame(bytes(size)))
    assert (frame.opcode, bytes(frame.data)) == (Opcode.BINARY, bytes(size))


@pytest.mark.parametrize("frame_ms", [20, 60])
def test_a_tape_sends_every_sample_once(frame_ms: int):
    (tape,) = load_tapes(DATA, frame_ms, "solar")
    frames = [unpack_frame(bytes(parsed(frame).data)) for frame in tape.frames]
    assert b"".join(frame.payload for frame in frames) == tape.pcm
    assert [frame.offset for frame in frames[:3]] == [0, 8 * frame_ms, 16 * frame_ms]
    assert tape.duration_s == pytest.approx(tape.truth.duration_s, abs=0.1)


def test_a_plan_without_a_duration_plays_everything_once_and_leaves_no_line_idle():
    tapes = ["a", "b", "c"]

    def played(lines: int) -> list[str]:
        plan = Plan(lines=lines)
        turns = [(line, turn) for line in range(lines) for turn in range(4)]
        return sorted(tape for line, turn in turns if (tape := plan.tape(line, turn, tapes)))  # type: ignore[arg-type]

    assert played(1) == played(2) == played(3) == tapes
    assert played(5) == ["a", "a", "b", "b", "c"]


def test_lines_begin_one_after_another():
    plan = Plan(lines=4, seconds=60, spread_s=8)
    assert [plan.start_s(line) for line in range(4)] == [0, 2, 4, 6]


METRICS = """# TYPE copilot_decodes_total counter
copilot_decodes_total {decodes}
# TYPE copilot_calls gauge
copilot_calls {calls}
# TYPE copilot_decodes_created gauge
copilot_decodes_created 1e9
# TYPE copilot_loop_lag_seconds histogram
copilot_loop_lag_seconds_bucket{{le="0.01"}} {short}
copilot_loop_lag_seconds_bucket{{le="0.1"}} {all}
copilot_loop_lag_seconds_bucket{{le="+Inf"}} {all}
copilot_loop_lag_seconds_count {all}
copilot_loop_lag_seconds_sum 1
"""


def test_metrics_are_what_happened_between_the_first_reading_and_the_last():
    readings = [
        read(METRICS.format(decodes=5, calls=1, short=100, all=100)),
        read(METRICS.format(decodes=7, calls=3, short=100, all=100)),
        read(METRICS.format(decodes=9, calls=2, short=190, all=200)),
    ]
    found = summary(readings)
    assert found["counted"] == {"copilot_decodes": 4}
    assert found["highest"] == {"copilot_calls": 3}
    assert loop_lag_p99_s(found) == pytest.approx(0.01 + 0.09 * 0.9)
    assert summary([]) == {}


def test_a_quantile_beyond_the_last_bound_is_that_bound():
    assert histogram_quantile({0.1: 0, float("inf"): 5}, 0.5) == 0.1
    assert histogram_quantile({}, 0.5) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, ""),
        ({"busy_final_p95_s": 1.6}, "p95 1.6 s"),
        ({"busy_final_p95_s": None}, "p95 None s"),
        ({"lost": {"gap_ms": 20}}, "lost {'gap_ms': 20}"),
        ({"troubles": {"call.idle": 1}}, "lost {'call.idle': 1}"),
        ({"refusals": {"number": 2}}, "refused 2"),
        ({"unheard": [("a", 1), ("a", 1)]}, ""),
        ({"unheard": [("a", 1), ("a", 2)]}, "unheard 1"),
    ],
)
def test_a_step_fails_for_a_reason(change: dict[str, object], why: str):
    assert verdict({**GOOD, **change}, 1.5, {"a": {1}}) == why


def test_the_peers_segments_become_our_messages():
    def told(at: float, *segments: tuple[str, str, bool]) -> tuple[float, dict[str, object]]:
        keys = ("start", "end", "completed")
        return at, {
            "uid": "rep",
            "segments": [{**dict(zip(keys, each, strict=True)), "text": " hi"} for each in segments],
        }

    got = [
        (99.0, {"uid": "rep", "language": "en"}),
        told(101.0, ("0.000", "0.900", False)),
        told(102.0, ("0.000", "1.500", True), ("1.500", "1.900", False)),
        told(103.0, ("0.000", "1.500", True), ("1.500", "2.900", False)),
    ]
    messages = as_messages("rep", got, 100.0)
    assert [(each["type"], each["end_ms"], each["at"]) for each in messages] == [
        ("transcript.interim", 900, 1.0),
        ("transcript.final", 1500, 2.0),
        ("transcript.interim", 1900, 2.0),
        ("transcript.interim", 2900, 3.0),
        ("transcript.final", 2900, 3.0),
    ]
    assert messages[-1]["unfinished"]
    assert msgspec.json.encode(messages)


def test_a_chart_ends_its_axes_on_round_numbers():
    assert [nice(highest) for highest in (0.7, 5, 24, 31)] == [1.2, 6, 24, 60]
    drawn = chart("a < b", "calls", "seconds", {"p95": [(1, 0.5), (24, 1.4)]}, bound=1.5)
    assert "a &lt; b" in drawn
    assert drawn.count("<circle") == 2
