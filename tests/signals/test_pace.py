"""The metrics follow their published formulas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.events import Utterance
from copilot.signals.pace import Pace, questions


def utterance(speaker, start, end, text, is_final=True):
    return Utterance(id=f"{speaker}{start}", speaker=speaker, start_ms=start, end_ms=end, text=text, is_final=is_final)


def pace(*stretches):
    """A call of (speaker, start_ms, end_ms[, text])."""
    made = Pace()
    for speaker, start, end, *text in stretches:
        made.speech_started(speaker, start)
        made.speech_ended(speaker, end)
        if text:
            made.heard(utterance(speaker, start, end, text[0]))
    return made


def value(made, now, name, speaker=None):
    made.tick(now)
    metric = made.current(name, speaker)
    return None if metric is None else metric.value


def attention(made, now, name, speaker=None):
    made.tick(now)
    return made.current(name, speaker).attention


def test_nothing_is_known_before_anybody_spoke():
    assert {metric.name for metric in Pace().tick(0)} == {
        "monologue_ms", "longest_monologue_ms", "customer_story_ms", "longest_customer_story_ms",
        "interruptions", "interruptions_per_min",
    }  # fmt: skip


def test_talk_ratio_leaves_silence_out():
    made = pace(("rep", 0, 30_000), ("customer", 40_000, 50_000))
    assert value(made, 60_000, "talk_ratio") == 0.75
    assert value(made, 60_000, "talk_share") == 0.5
    assert attention(made, 60_000, "talk_ratio") == "none", "less than a minute of speech"


@pytest.mark.parametrize(("rep_ms", "expected"), [(60_000, "none"), (64_000, "amber"), (80_000, "red")])
def test_talk_ratio_asks_for_attention(rep_ms, expected):
    made = pace(("rep", 0, rep_ms), ("customer", rep_ms, 100_000))
    assert attention(made, 100_000, "talk_ratio") == expected


def test_speech_going_on_counts_up_to_now():
    made = Pace()
    made.speech_started("rep", 1000)
    made.speech_started("rep", 3000)
    assert value(made, 11_000, "monologue_ms") == 10_000
    assert value(made, 11_000, "dead_air_ms") == 0
    assert value(made, 500, "monologue_ms") == 0


def test_an_end_without_a_beginning_is_nothing():
    made = Pace()
    made.speech_ended("rep", 1000)
    assert value(made, 2000, "talk_ratio") is None


def test_a_monologue_bridges_short_pauses_and_backchannels():
    made = pace(("rep", 0, 30_000), ("customer", 29_000, 29_500, "uh-huh"), ("rep", 31_500, 62_000))
    assert value(made, 62_500, "monologue_ms", "rep") == 62_000
    assert attention(made, 62_500, "monologue_ms", "rep") == "amber"
    assert value(made, 70_000, "monologue_ms", "rep") == 0
    assert value(made, 70_000, "longest_monologue_ms", "rep") == 62_000


def test_a_pause_or_a_turn_ends_a_monologue():
    rested = pace(("rep", 0, 30_000), ("rep", 32_000, 40_000))
    assert value(rested, 40_500, "monologue_ms", "rep") == 8000
    answered = pace(("rep", 0, 30_000), ("customer", 30_200, 31_200, "what about the price"), ("rep", 31_400, 40_000))
    assert value(answered, 40_500, "monologue_ms", "rep") == 8600
    assert value(answered, 40_500, "longest_monologue_ms", "rep") == 30_000


def test_a_turn_taken_over_the_voice_cuts_the_run():
    made = pace(("rep", 0, 30_000), ("customer", 10_000, 12_000, "wait what does that mean"))
    assert value(made, 30_100, "longest_monologue_ms", "rep") == 20_000
    assert value(made, 30_100, "monologue_ms", "rep") == 20_000
    silenced = pace(("rep", 0, 10_000), ("customer", 10_500, 12_000, "wait what does that mean"))
    assert value(silenced, 11_000, "monologue_ms", "rep") == 0


def test_the_customers_story():
    made = pace(("customer", 0, 45_000), ("rep", 46_000, 47_000, "tell me more"))
    assert value(made, 50_000, "longest_customer_story_ms", "customer") == 45_000
    assert value(made, 50_000, "customer_story_ms", "customer") == 0


def test_interactivity_counts_changes_of_speaker():
    made = pace(("rep", 0, 5000), ("customer", 6000, 9000), ("rep", 10_000, 15_000), ("customer", 16_000, 16_300, "嗯"))
    assert value(made, 60_000, "interactivity") == 2


def test_patience_is_the_median_gap():
    made = pace(
        ("customer", 0, 2000), ("rep", 2200, 4000), ("customer", 5000, 7000), ("rep", 7100, 9000),
        ("customer", 10_000, 11_000), ("customer", 11_500, 12_500), ("rep", 13_500, 15_000),
        ("customer", 16_000, 18_000),
    )  # fmt: skip
    assert value(made, 20_000, "patience_ms") == 200
    assert attention(made, 20_000, "patience_ms") == "amber"


def test_interruptions_overlap_by_half_a_second():
    made = pace(
        ("customer", 0, 10_000), ("rep", 9000, 11_000, "but let me say"), ("customer", 12_000, 20_000),
        ("rep", 19_700, 22_000, "well no"), ("customer", 30_000, 40_000), ("rep", 35_000, 35_600, "uh-huh"),
    )  # fmt: skip
    assert value(made, 45_000, "interruptions") == 1
    assert value(made, 45_000, "interruptions_per_min") == 1
    assert value(made, 100_000, "interruptions_per_min") == 0


@pytest.mark.parametrize(("count", "expected"), [(2, "none"), (3, "amber"), (6, "red")])
def test_interruptions_ask_for_attention(count, expected):
    stretches = [("customer", 0, 50_000)] + [("rep", 1000 + i * 5000, 2500 + i * 5000) for i in range(count)]
    assert attention(pace(*stretches), 50_000, "interruptions_per_min") == expected


@pytest.mark.parametrize(("silence", "expected"), [(8000, "none"), (9000, "amber"), (16_000, "red")])
def test_dead_air(silence, expected):
    made = pace(("rep", 0, 5000))
    assert value(made, 5000 + silence, "dead_air_ms") == silence
    assert attention(made, 5000 + silence, "dead_air_ms") == expected


def test_speech_rate_in_words_and_characters():
    english = pace(("rep", 0, 10_000, "one day we will all go to the sea together " * 3))
    assert value(english, 12_000, "speech_rate") == pytest.approx(180, rel=0.01)
    chinese = pace(("rep", 0, 6000, "我们的产品质量非常好价格也便宜" * 3))
    assert value(chinese, 12_000, "speech_rate") == pytest.approx(450)
    assert attention(chinese, 12_000, "speech_rate") == "red"


def test_speech_rate_needs_five_seconds_and_takes_the_newest_thirty():
    assert value(pace(("rep", 0, 4000, "we go")), 5000, "speech_rate") is None
    made = pace(("rep", 0, 20_000, "we go " * 60), ("rep", 21_000, 41_000, "we go " * 10))
    assert value(made, 42_000, "speech_rate") == pytest.approx(60)
    customer = pace(("customer", 0, 10_000, "we go now " * 40))
    assert attention(customer, 12_000, "speech_rate", "customer") == "none"


def test_questions_open_and_closed():
    assert questions("What do you use? Is it good? Fine.") == [True, False]
    assert questions("您现在用什么呢？您看可以吗") == [True, False]
    assert questions("好的") == []
    made = pace(("rep", 0, 10_000, "What do you use? Is it good?"))
    assert value(made, 60_000, "question_rate") == 20
    assert value(made, 60_000, "open_question_share") == 0.5


def test_interim_words_are_left_out():
    made = Pace()
    made.heard(utterance("rep", 0, 10_000, "what?", is_final=False))
    assert value(made, 60_000, "question_rate") == 0


def test_unknown_short_sounds():
    """Before its words are known, a short sound is a turn only if it lasted half a second."""
    made = pace(("customer", 0, 10_000), ("rep", 9000, 9400))
    assert value(made, 10_000, "interruptions") == 0
    made = pace(("customer", 0, 10_000), ("rep", 9000, 9600))
    assert value(made, 10_000, "interruptions") == 1


def test_swapping_roles_swaps_everything():
    made = pace(("rep", 0, 60_000, "we talk and talk"), ("customer", 61_000, 80_000, "what is it?"))
    assert value(made, 81_000, "talk_ratio") > 0.7
    made.swap_roles()
    assert made.current("talk_ratio") is None
    assert value(made, 81_000, "talk_ratio") < 0.3
    assert value(made, 81_000, "question_rate") > 0


SPEECH = st.lists(
    st.tuples(st.sampled_from(["rep", "customer"]), st.integers(0, 20_000), st.integers(1, 20_000)), max_size=12
)


@given(SPEECH)
def test_metrics_stay_in_bounds_and_swapping_twice_changes_nothing(script):
    made, now = Pace(), 0
    for speaker, gap, length in script:
        made.speech_started(speaker, now + gap)
        now += gap + length
        made.speech_ended(speaker, now)
    before = made.tick(now + 1)
    for metric in before:
        assert metric.value >= 0
        if metric.name.endswith("monologue_ms") or metric.name.endswith("story_ms"):
            assert metric.value <= now
    made.swap_roles()
    made.swap_roles()
    assert made.tick(now + 1) == before


BURSTS = st.lists(
    st.tuples(
        st.sampled_from(["rep", "customer"]),
        st.sampled_from([200, 600, 900, 4000]),  # how long
        st.sampled_from([0, 300, 2500]),  # the rest before it
        st.sampled_from(["", "yes", "right okay", "what do you mean?", "it is far too expensive"]),
        st.integers(0, 3),  # how many bursts later its words come
    ),
    max_size=20,
)


@given(BURSTS)
def test_ticking_all_along_gives_what_one_tick_at_the_end_gives(bursts):
    """Stretches are judged once; words that come late must still change the verdict."""
    often, once = Pace(), Pace()
    now, late = 0, []
    for number, (speaker, length, rest, text, delay) in enumerate([*bursts, *[("rep", 900, 2500, "", 0)] * 4]):
        begin, now = now + rest, now + rest + length
        for made in (often, once):
            made.speech_started(speaker, begin)
            made.speech_ended(speaker, now)
        late.append((number + delay, utterance(speaker, begin, now, text)))
        for words in [words for due, words in late if due == number and words.text]:
            often.heard(words)
            once.heard(words)
        ticked = often.tick(now)
    assert ticked == once.tick(now)
