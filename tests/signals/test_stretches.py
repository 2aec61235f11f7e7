"""Which pieces of an utterance are compared by meaning."""

from hypothesis import given
from hypothesis import strategies as st

from copilot.language.normalise import normalise
from copilot.signals.examples import MAX_PARTS, MIN_TOKENS, SHORT_TOKENS, stretches


def pieces(text, shortest=MIN_TOKENS):
    return [text[start:end] for start, end in stretches(normalise(text), shortest)]


def test_a_short_text_is_compared_as_a_whole_and_by_its_clauses():
    assert pieces("Well, I like it, send me one") == ["Well, I like it, send me one", "I like it", "send me one"]
    assert pieces("scam?", 1) == ["scam"]
    assert pieces("scam?") == []


def test_a_long_text_is_taken_by_its_parts_each_word_once():
    text = "Look, I have been with them for years now, they know me, and honestly the price they ask is fair enough"
    assert pieces(text) == [
        "Look, I have been with them for years now",
        "they know me",
        "and honestly the price they ask is fair enough",
    ]


def test_one_long_clause_is_one_piece():
    text = "we have been with the same people for as long as anybody here is able to remember"
    assert pieces(text) == [text]


clauses = st.lists(
    st.lists(st.sampled_from(["we", "know", "price", "really", "贵", "不要"]), min_size=1, max_size=9).map(" ".join),
    min_size=1,
    max_size=12,
)


@given(clauses)
def test_parts_are_few_in_order_and_leave_nothing_out(spoken):
    normal = normalise(", ".join(spoken))
    spans = stretches(normal, 1)
    if len(normal.tokens) <= SHORT_TOKENS:
        assert spans[0] == (normal.tokens[0].start, normal.tokens[-1].end)
        assert len(spans) <= MAX_PARTS + 1
        return
    assert len(spans) <= MAX_PARTS
    assert spans == tuple(sorted(spans))
    for token in normal.tokens:
        assert sum(start <= token.start and token.end <= end for start, end in spans) == 1
