"""One transcript of both speakers, whatever order the words arrive in."""

from hypothesis import given
from hypothesis import strategies as st

from copilot.events import Evidence, Heard
from copilot.transcript.turns import Transcript, backchannel


def heard(id_="u1", start=0, end=1000, text="hello", is_final=True, channel=0):
    return Heard(utterance_id=id_, channel=channel, start_ms=start, end_ms=end, text=text, is_final=is_final)


def test_utterances_stand_in_the_order_they_began():
    transcript = Transcript()
    transcript.add(heard("b", 2000, 3000), "customer")
    transcript.add(heard("a", 500, 4000), "rep")
    assert [u.id for u in transcript.utterances] == ["a", "b"]
    assert len(transcript) == 2


def test_newer_words_replace_older_ones():
    transcript = Transcript()
    transcript.add(heard(text="too", is_final=False), "customer")
    transcript.add(heard(start=100, text="too expensive", is_final=False), "customer")
    assert [u.text for u in transcript.utterances] == ["too expensive"]


def test_a_final_is_never_replaced_by_an_interim():
    transcript = Transcript()
    final = transcript.add(heard(text="too expensive"), "customer")
    assert transcript.add(heard(text="two", is_final=False), "customer") == final
    assert transcript.get("u1") == final


def test_a_final_may_be_revised_by_a_final():
    transcript = Transcript()
    transcript.add(heard(text="to expensive"), "customer")
    transcript.add(heard(text="too expensive"), "customer")
    assert transcript.get("u1").text == "too expensive"
    assert transcript.get("u1").committed == len("too expensive")


def test_swapping_roles_reaches_back_to_the_beginning():
    transcript = Transcript()
    transcript.add(heard("a"), "rep")
    transcript.add(heard("b", 2000, 3000), "customer")
    transcript.swap_roles()
    assert [u.speaker for u in transcript.utterances] == ["customer", "rep"]
    transcript.swap_roles()
    assert [u.speaker for u in transcript.utterances] == ["rep", "customer"]


def test_since_last_and_window():
    transcript = Transcript()
    for i in range(4):
        transcript.add(heard(f"u{i}", i * 1000, i * 1000 + 900, f"line {i}"), "rep" if i % 2 else "customer")
    assert [u.id for u in transcript.since(1900)] == ["u2", "u3"]
    assert [u.id for u in transcript.last(2)] == ["u2", "u3"]
    assert transcript.last(0) == ()
    assert transcript.window(4000, 2000) == "customer: line 2\nrep: line 3"


def test_backchannels_take_no_turn():
    transcript = Transcript()
    assert backchannel(transcript.add(heard("a", 0, 400, "嗯"), "customer"))
    transcript.add(heard("b", 500, 1500, "interim", is_final=False), "customer")
    said = transcript.add(heard("c", 2000, 4000, "我再想想"), "customer")
    assert transcript.turns() == (said,)


def test_quotes_must_have_been_said():
    transcript = Transcript()
    transcript.add(heard(text="It's too expensive", start=1000, end=2000), "customer")

    def ok(quote, start=1000, end=2000, id_="u1"):
        return transcript.quote_ok(Evidence(utterance_id=id_, quote=quote, start_ms=start, end_ms=end))

    assert ok("too expensive")
    assert not ok("too cheap")
    assert not ok("")
    assert not ok("too expensive", id_="u2")
    assert not ok("too expensive", start=900)
    assert not ok("too expensive", start=1500, end=1400)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9000), st.booleans(), st.sampled_from(["rep", "customer"])))
)
def test_order_and_finality_hold_for_any_arrivals(arrivals):
    transcript = Transcript()
    finals = set()
    for number, start, is_final, speaker in arrivals:
        transcript.add(heard(f"u{number}", start, start + 500, is_final=is_final), speaker)
        finals |= {f"u{number}"} if is_final else set()
    starts = [u.start_ms for u in transcript.utterances]
    assert starts == sorted(starts)
    assert {u.id for u in transcript.utterances if u.is_final} == finals
    assert len(transcript) == len({number for number, *_ in arrivals})
