"""A quote is an exact piece, at the time it was said."""

from hypothesis import given
from hypothesis import strategies as st

from copilot.events import Utterance, Word
from copilot.signals.evidence import cite


def utterance(text, words=()):
    return Utterance(id="u", speaker="rep", start_ms=1000, end_ms=3000, text=text, words=words)


def test_times_come_from_the_words():
    words = (
        Word(text="It's", start_ms=900, end_ms=1200),
        Word(text=" ", start_ms=1200, end_ms=1200),
        Word(text=" too", start_ms=1200, end_ms=1500),
        Word(text=" expensive", start_ms=1500, end_ms=3300),
        Word(text=" gone", start_ms=3300, end_ms=3400),
    )
    evidence = cite(utterance("It's too expensive", words), 5, 18)
    assert (evidence.quote, evidence.start_ms, evidence.end_ms) == ("too expensive", 1200, 3000)


def test_times_are_shared_out_without_words():
    evidence = cite(utterance("abcdefghij"), 5, 10)
    assert (evidence.start_ms, evidence.end_ms) == (2000, 3000)


@given(st.text(min_size=1, max_size=30), st.data())
def test_any_piece_lies_inside(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    evidence = cite(utterance(text), start, end)
    assert evidence.quote == text[start:end]
    assert 1000 <= evidence.start_ms <= evidence.end_ms <= 3000
