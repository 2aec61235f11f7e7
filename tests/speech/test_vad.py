"""Voice activity: hysteresis, and no window lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.events import WINDOW_MS
from copilot.speech.vad import Vad, Voice
from tests.speech.engine import SETTINGS

SPEECH, MIDDLE, SILENCE = 0.9, 0.4, 0.1
STARTED, PAUSED, RESUMED, ENDED = Voice.STARTED, Voice.PAUSED, Voice.RESUMED, Voice.ENDED


def changes(*runs: tuple[int, float]) -> list[tuple[int, Voice]]:
    """Feed runs of (windows, score); what changed and at which window."""
    vad = Vad(SETTINGS.vad)
    scores = [score for length, score in runs for _ in range(length)]
    observed = ((window, vad.observe(window, score)) for window, score in enumerate(scores))
    return [(window, change) for window, change in observed if change]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param([(50, SILENCE)], [], id="silence is nothing"),
        pytest.param([(3, SPEECH), (20, SILENCE)], [], id="a click is nothing"),
        pytest.param([(5, SPEECH), (20, SILENCE)], [(4, STARTED), (9, PAUSED), (16, ENDED)], id="a word"),
        pytest.param(
            [(5, SPEECH), (8, SILENCE), (2, SPEECH), (20, SILENCE)],
            [(4, STARTED), (9, PAUSED), (13, RESUMED), (19, PAUSED), (26, ENDED)],
            id="a pause inside",
        ),
        pytest.param([(5, SPEECH), (60, MIDDLE)], [(4, STARTED)], id="doubt does not end speech"),
        pytest.param([(60, MIDDLE)], [], id="doubt does not begin it"),
        pytest.param([(2, SPEECH), (30, MIDDLE), (3, SPEECH)], [], id="nor keeps a click waiting"),
        pytest.param(
            [(5, SPEECH), (3, SILENCE), (9, MIDDLE)],
            [(4, STARTED), (9, PAUSED), (16, ENDED)],
            id="only speech ends silence",
        ),
        pytest.param([(2, SPEECH), (3, SILENCE), (3, SPEECH)], [(7, STARTED)], id="broken onset"),
        pytest.param(
            [(5, SPEECH), (12, SILENCE), (5, SPEECH)],
            [(4, STARTED), (9, PAUSED), (16, ENDED), (21, STARTED)],
            id="speech again at once",
        ),
    ],
)
def test_hysteresis(runs, expected):
    assert changes(*runs) == expected


def test_positions():
    vad = Vad(SETTINGS.vad)
    for window, score in enumerate([SILENCE] * 3 + [SPEECH] * 6 + [SILENCE] * 12):
        vad.observe(window, score)
    assert (vad.started, vad.stopped, vad.voiced) == (3, 9, 6)
    assert not vad.is_speaking


def test_reset_forgets():
    vad = Vad(SETTINGS.vad)
    for window in range(6):
        vad.observe(window, SPEECH)
    assert vad.is_speaking
    vad.reset()
    assert not vad.is_speaking
    assert vad.observe(6, SILENCE) is None
    assert vad.started is None


@given(st.lists(st.sampled_from([SPEECH, MIDDLE, SILENCE]), max_size=200))
def test_changes_alternate_and_speech_lasts(scores):
    vad = Vad(SETTINGS.vad)
    allowed = {None: {STARTED}, STARTED: {PAUSED, ENDED}, PAUSED: {RESUMED, ENDED}, RESUMED: {PAUSED, ENDED}}
    allowed[ENDED] = allowed[None]
    state = None
    for window, score in enumerate(scores):
        change = vad.observe(window, score)
        if change is None:
            continue
        assert change in allowed[state]
        state = change
        if change is STARTED:
            assert scores[vad.started] == score == SPEECH
            assert vad.voiced * WINDOW_MS >= SETTINGS.vad.min_speech_ms
        if change is ENDED:
            assert scores[vad.stopped] == SILENCE
            assert SPEECH not in scores[vad.stopped : window + 1]
            assert (window + 1 - vad.stopped) * WINDOW_MS >= SETTINGS.vad.min_silence_ms
