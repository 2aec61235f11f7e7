"""Which language a channel speaks."""

import pytest

from copilot.speech.language import LanguageVote


def vote(given: str, *heard: tuple[str, int, float]) -> str:
    votes = LanguageVote(given)
    for language, voiced_ms, avg_logprob in heard:
        votes.observe(language, voiced_ms, avg_logprob)
    return votes.current


@pytest.mark.parametrize(
    ("heard", "settled"),
    [
        ([], "auto"),
        ([("zh", 600, -0.2)], "auto"),
        ([("zh", 1_600, -0.2), ("zh", 1_600, -0.3)], "zh"),
        ([("en", 600, -0.4), ("zh", 2_000, -0.2), ("zh", 1_000, -0.2)], "auto"),
        ([("en", 600, -0.4), ("zh", 2_000, -0.2), ("zh", 2_000, -0.2)], "zh"),
        ([("fr", 9_000, -0.2)], "auto"),
        ([("en", 4_000, -0.2), ("en", 2_000, -1.1)], "auto"),
        ([("en", 4_000, -0.2), ("en", 2_000, -1.1), ("zh", 3_000, -0.2), ("zh", 3_000, -0.2)], "zh"),
    ],
)
def test_it_settles_when_the_evidence_is_enough_and_doubts_what_makes_no_sense(heard, settled):
    assert vote("auto", *heard) == settled


def test_what_the_client_said_stands():
    assert vote("en", ("zh", 60_000, -0.1), ("zh", 60_000, -2.0)) == "en"
