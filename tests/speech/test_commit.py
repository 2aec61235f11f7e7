"""Local agreement: committed text only grows."""

from hypothesis import given
from hypothesis import strategies as st

from copilot.speech.commit import Agreement


def shown(*interims: str) -> list[str]:
    """Each shown text with a bar after what is committed."""
    agreement = Agreement()
    out = []
    for interim in interims:
        text, committed = agreement.observe(interim)
        out.append(f"{text[:committed]}|{text[committed:]}")
    return out


def test_what_two_interims_share_is_committed():
    assert shown("I think that", "I think that is too", "I think it is too dear") == [
        "|I think that",
        "I think that| is too",
        "I think that is too| dear",
    ]


def test_the_last_word_may_still_grow():
    assert shown("what about a disc", "what about a disc", "what about a discount") == [
        "|what about a disc",
        "what about a| disc",
        "what about a| discount",
    ]


def test_punctuation_and_case_do_not_disagree():
    assert shown("well, we already", "Well we already have it")[-1] == "Well we already| have it"


def test_chinese_agrees_by_character():
    assert shown("我觉得太", "我觉得太贵了,") == ["|我觉得太", "我觉得太|贵了,"]


def test_nothing_commits_nothing():
    assert shown("", "yes") == ["|", "|yes"]


def test_a_shorter_interim_keeps_what_is_committed():
    assert shown("one two three", "one two three four", "one")[-1] == "one two three|"


@given(st.lists(st.text("ab我 ,", max_size=12), max_size=8))
def test_committed_text_only_grows(interims):
    agreement = Agreement()
    before = ""
    for interim in interims:
        text, committed = agreement.observe(interim)
        assert 0 <= committed <= len(text)
        assert text[:committed].startswith(before)
        before = text[:committed]
