from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.events import REVISION_GAP_MS, Heard, Hypothesis, Word
from copilot.speech.packing import Spoken, letters, media_ms, packed_ms, share, spans

WORDS = {
    "en": ["well", "too", "expensive", "for", "us", "right", "now", "it's", "North", "Link", "ten"],
    "zh": list("这个太贵了我们再想一想吧好的"),
}


def spoken(*lines: tuple[str, int, int], pad_ms: int = 200) -> tuple[Spoken, ...]:
    result: list[Spoken] = []
    for index, (text, start_ms, end_ms) in enumerate(lines):
        begin_ms = max(start_ms - pad_ms, result[-1].span[1] if result else 0)
        heard = Heard(utterance_id=f"u{index}", channel=0, start_ms=start_ms, end_ms=end_ms, text=text, is_final=True)
        result.append(Spoken(heard=heard, span=(min(begin_ms, end_ms), end_ms + pad_ms)))
    return tuple(result)


def spread(lines: tuple[Spoken, ...], texts: list[str], late_ms: int = 0) -> Hypothesis:
    """A reading in which each utterance says its text, words evenly over its voice, in packed time."""
    words = []
    for each, text in zip(lines, texts, strict=True):
        said = re.findall(r"[\u4e00-\u9fff]|[^\s\u4e00-\u9fff]+", text)
        length = (each.heard.end_ms - each.heard.start_ms) / max(1, len(said))
        for index, word in enumerate(said):
            start = packed(lines, each.heard.start_ms + round(index * length)) + late_ms
            words.append(Word(text=word, start_ms=start, end_ms=start + round(length * 0.9), probability=0.9))
    spaced = not re.search(r"[\u4e00-\u9fff]", "".join(texts))
    return Hypothesis(text=(" " if spaced else "").join(texts), words=tuple(words), avg_logprob=-0.1)


def packed(lines: tuple[Spoken, ...], at_ms: int) -> int:
    total = 0
    for begin, end in spans(lines):
        if begin <= at_ms <= end:
            return total + at_ms - begin
        total += end - begin + REVISION_GAP_MS
    raise AssertionError(at_ms)


TALK = spoken(("one two three", 1_000, 2_500), ("four five", 4_000, 5_000), ("six", 9_000, 9_400))


def test_stretches_are_padded_voice_and_those_that_touch_are_one():
    assert spans(TALK) == ((800, 2_700), (3_800, 5_200), (8_800, 9_600))
    cut = spoken(("a", 1_000, 8_000), ("b", 8_000, 9_000))
    assert spans(cut) == ((800, 9_200),)


def test_packed_time_leads_back_to_media_time():
    assert packed_ms(spans(TALK)) == 1_900 + 1_400 + 800 + 2 * REVISION_GAP_MS
    assert media_ms(spans(TALK), 200) == 1_000
    assert media_ms(spans(TALK), 1_900 + REVISION_GAP_MS + 200) == 4_000
    assert media_ms(spans(TALK), 1_950) == 2_700, "in the gap: the end of what was said before"
    assert media_ms(spans(TALK), 10**6) == 9_600


def test_each_utterance_gets_its_own_words_at_their_media_time():
    parts = share(TALK, spread(TALK, ["One two free.", "Four, five!", "Six."]))
    assert [part.text for part in parts] == ["One two free.", "Four, five!", "Six."]
    assert [word.text for word in parts[1].words] == ["Four,", "five!"]
    assert parts[1].words[0].start_ms == 4_000


def test_chinese_is_cut_between_characters():
    lines = spoken(("这个太贵了", 0, 1_500), ("我再想想", 2_600, 4_000))
    parts = share(lines, spread(lines, ["这个太贵啦。", "我再想一想。"]))
    assert [part.text for part in parts] == ["这个太贵啦。", "我再想一想。"]


@pytest.mark.parametrize("wrong_ms", [-700, -400, 400, 700])
def test_a_border_moves_to_where_the_words_agree_with_what_was_heard_live(wrong_ms):
    lines = spoken(("put every lead in one list", 1_000, 3_000), ("and it reminds each of us", 3_500, 5_500))
    parts = share(lines, spread(lines, ["put every lead in one list", "And it reminds each of us."], late_ms=wrong_ms))
    assert [part.text for part in parts] == ["put every lead in one list", "And it reminds each of us."]


def test_a_reading_that_skips_an_utterance_leaves_it_without_words():
    parts = share(TALK, spread(TALK, ["one two three", "", "six"]))
    assert [part.text for part in parts] == ["one two three", "", "six"]


def test_without_words_nobody_gets_anything():
    assert {part.text for part in share(TALK, Hypothesis(text="one two three four five six"))} == {""}
    assert {part.text for part in share(TALK, Hypothesis(text=""))} == {""}


@st.composite
def talks(draw: st.DrawFn) -> tuple[tuple[Spoken, ...], Hypothesis]:
    said = st.lists(st.sampled_from(WORDS[draw(st.sampled_from(["en", "zh"]))]), min_size=1, max_size=8)
    at, lines, second = 0, [], []
    for _ in range(draw(st.integers(1, 6))):
        live = draw(said)
        at += draw(st.sampled_from([0, 200, 500, 3_000]))
        lines.append((" ".join(live), at, at + 300 * len(live)))
        at += 300 * len(live)
        second.append(" ".join(draw(st.one_of(st.just(live), said, st.just([])))))
    spoken_ = spoken(*lines)
    return spoken_, spread(spoken_, second, late_ms=draw(st.integers(-600, 600)))


@given(talks())
def test_words_are_neither_lost_nor_doubled_and_keep_their_order(talk):
    lines, hypothesis = talk
    parts = share(lines, hypothesis)
    assert [word.text for part in parts for word in part.words] == [word.text for word in hypothesis.words]
    assert letters("".join(part.text for part in parts)) == letters(hypothesis.text)
    assert all(letters(part.text) == letters("".join(word.text for word in part.words)) for part in parts)


@given(talks())
def test_word_times_never_run_backwards(talk):
    lines, hypothesis = talk
    starts = [word.start_ms for part in share(lines, hypothesis) for word in part.words]
    assert starts == sorted(starts)
