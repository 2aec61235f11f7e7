"""Cards from documents and from a language model: budgeted like any other, exact in replay, and never waited for."""

from __future__ import annotations

import msgspec
import pytest

from copilot.backtest.virtual import VirtualRun
from copilot.call.asking import LlmLimits
from copilot.call.call import Call, CallSetup
from copilot.call.recording import encode_effects, replay
from copilot.clock import FakeClock
from copilot.errors import PlaybookError
from copilot.events import Answered, Ask, HungUp, Publish, RolesSwapped, TextReceived
from copilot.knowledge.index import index_of
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import parse_playbook
from copilot.signals.listener import prepare
from copilot.wire import messages as wire
from tests.call.rig import PLAYBOOK, info
from tests.signals import plans

KNOWLEDGE = """
knowledge:
  when: {regex: '[?？]'}
  passages:
    - {heading: Warranty of the panels, text: "25 years on output\\n12 years on the inverter", source: faq.md#warranty}
    - {heading: Price of the battery, text: "Battery: 4,200", source: prices.csv#battery}
    - {heading: 安装时间, text: 一天装完, source: faq.md#安装时间}
"""
LLM = """
  - id: authority
    kind: objection
    priority: 70
    when: {llm: {question: Does somebody else decide?}, speaker: customer}
    card: {headline: Offer a call with both}
"""
NO_MODEL = LlmLimits()
QUIET = PLAYBOOK.replace("    due: {within_s: 5, warn_s: 2}\n", "")
BASE = QUIET.replace("schema: 1", "schema: 1\nattention: {min_gap_s: 0}")


def encode(texts):
    """A bag of words, or of Chinese characters."""
    return plans.encode([text if text.isascii() else " ".join(text) for text in texts])


def setup(text, limits=NO_MODEL, encoder=encode):
    book = parse_playbook(text)
    plan = compile_playbook(book)
    return CallSetup(plan=plan, prepared=prepare(plan, encoder), index=index_of(book, encoder), llm=limits)


def said(*lines, gap_s=3.0, end=True):
    script = []
    for at, (who, text) in enumerate(lines):
        ms = round(at * gap_s * 1000)
        script.append((at * gap_s + 1, TextReceived(speaker=who, text=text, start_ms=ms, end_ms=ms + 900)))
    return [*script, (len(lines) * gap_s + 40, HungUp())] if end else script


def play(call_setup, script, answer=None, encoder=encode):
    def vectors(texts):
        return encoder(texts).astype("<f4").tobytes()

    call = Call(info(kind="chat"), call_setup)
    run = VirtualRun(
        call, scorers=[], transcribe=None, encode=encoder and vectors, clock=FakeClock(), workers=1, answer=answer
    )
    decoder = msgspec.json.Decoder(wire.AnyCallMessage)
    return [decoder.decode(each.message) for each in run.play(script)], run


def raised(messages):
    return [message.card for message in messages if isinstance(message, wire.CardRaised)]


def lived_again(call_setup, run):
    """The effects of living through the recording, twice; and what was published."""
    runs = [
        [encode_effects(effects) for _, effects in replay(run.call.info, call_setup, run.entries)] for _ in range(2)
    ]
    assert runs[0] == runs[1]
    return [
        each.type
        for _, effects in replay(run.call.info, call_setup, run.entries)
        for each in effects
        if isinstance(each, Publish)
    ]


# --- documents ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", [encode, None])
@pytest.mark.parametrize(
    ("question", "headline", "source"),
    [
        ("what is the warranty on the panels?", "Warranty of the panels", "faq.md#warranty"),
        ("安装时间要多久？", "安装时间", "faq.md#安装时间"),
    ],
)
def test_a_question_raises_the_passage_that_answers_it(encoder, question, headline, source):
    call_setup = setup(BASE + KNOWLEDGE, encoder=encoder)
    messages, run = play(call_setup, said(("customer", question)), encoder=encoder)
    (card,) = raised(messages)
    assert (card.kind, card.cue_id, card.headline, card.material) == ("knowledge", "knowledge", headline, source)
    assert card.why.startswith(source)
    assert card.lines
    cause = next(message.caused_by for message in messages if isinstance(message, wire.CardRaised))
    assert cause.quote in question
    assert not [each for each in messages if isinstance(each, wire.SignalHeard) and "knowledge" in each.label]
    assert lived_again(call_setup, run) == [message.__struct_config__.tag for message in messages]


@pytest.mark.parametrize(
    "lines",
    [
        [("customer", "where did you go to school then?")],
        [("rep", "what is the warranty on the panels?")],
        [("customer", "the warranty on the panels is fine")],
    ],
)
def test_without_a_question_or_an_answer_there_is_no_card(lines):
    messages, _ = play(setup(BASE + KNOWLEDGE), said(*lines))
    assert raised(messages) == []


def test_each_passage_has_its_own_cooldown_and_the_next_answer_takes_the_place():
    asked = [
        ("customer", "what is the warranty on the panels?"),
        ("customer", "and the price of the battery?"),
        ("customer", "sorry what is the warranty on the panels?"),
    ]
    messages, _ = play(setup(BASE + KNOWLEDGE), said(*asked))
    assert [card.material for card in raised(messages)] == ["faq.md#warranty", "prices.csv#battery"]
    held = [message for message in messages if isinstance(message, wire.CardSuppressed)]
    assert [(each.card.material, each.reason) for each in held] == [("faq.md#warranty", "cooldown")]
    closed = [message.reason for message in messages if isinstance(message, wire.CardClosed)]
    assert closed[0] == "group"


def test_answers_obey_the_budget():
    tight = QUIET.replace("schema: 1", "schema: 1\nattention: {min_gap_s: 0, max_per_min: 1}")
    asked = [("customer", "what is the warranty on the panels?"), ("customer", "and the price of the battery?")]
    messages, _ = play(setup(tight + KNOWLEDGE), said(*asked, gap_s=8.0))
    assert len(raised(messages)) == 1
    assert [m.reason for m in messages if isinstance(m, wire.CardSuppressed)] == ["budget_rate"]


# --- a language model -----------------------------------------------------------------------------------------


class Model:
    """Says what it is told about each question, and keeps the questions."""

    def __init__(self, text="", error=""):
        self.asked: list[Ask] = []
        self._text = text
        self._error = error

    def __call__(self, question):
        self.asked.append(question)
        return Answered(request_id=question.request_id, text=self._text, error=self._error)


WIFE = ("customer", "my number is 07700 900123 but my wife decides these things")


def test_a_quote_raises_the_card_and_points_at_the_words():
    call_setup = setup(BASE + LLM, LlmLimits(max_per_call=5))
    model = Model("MY wife decides")
    messages, run = play(call_setup, said(("rep", "shall I send it to jo@example.com then"), WIFE), model)
    (card,) = raised(messages)
    assert card.cue_id == "authority"
    assert next(m for m in messages if isinstance(m, wire.CardRaised)).caused_by.quote == "my wife decides"
    (question,) = model.asked
    assert question.said == "my number is [number] but my wife decides these things"
    assert question.before == (("rep", "shall I send it to [email] then"),)
    assert lived_again(call_setup, run) == [message.__struct_config__.tag for message in messages]


@pytest.mark.parametrize("model", [Model("his husband decides"), Model(""), Model(error="llm.timeout"), None])
def test_no_quote_no_card(model):
    messages, run = play(setup(BASE + LLM, LlmLimits(max_per_call=5)), said(WIFE), model)
    assert raised(messages) == []
    assert any(isinstance(event, Answered) for _, event in run.entries)


def test_a_call_that_may_not_ask_never_does():
    messages, run = play(setup(BASE + LLM), said(WIFE), Model("my wife decides"))
    assert raised(messages) == []
    assert not any(isinstance(event, Answered) for _, event in run.entries)


def test_nobody_asks_more_often_than_allowed_nor_about_the_rep_or_grunts():
    model = Model()
    lines = [("rep", "who decides these things at home"), ("customer", "uh-huh"), *[WIFE] * 4]
    play(setup(BASE + LLM, LlmLimits(max_per_call=2)), said(*lines), model)
    assert len(model.asked) == 2
    assert {question.speaker for question in model.asked} == {"customer"}


def test_other_cards_do_not_wait():
    line = ("customer", "that is too expensive and my wife decides these things")
    call = Call(info(kind="chat"), setup(BASE + LLM, LlmLimits(max_per_call=5), encoder=None))
    effects = [each for at, event in said(line, end=False) for each in call.receive(event, at)]
    assert [each for each in effects if isinstance(each, Ask)]
    assert b"card.raised" in encode_effects(effects)


def test_a_late_answer_survives_a_swap_of_roles():
    call = Call(info(kind="chat"), setup(BASE + LLM, LlmLimits(max_per_call=5), encoder=None))
    (question,) = [e for at, event in said(WIFE, end=False) for e in call.receive(event, at) if isinstance(e, Ask)]
    call.receive(RolesSwapped(), 2.0)
    answered = Answered(request_id=question.request_id, text="my wife decides")
    assert b"card.raised" not in encode_effects(call.receive(answered, 2.5))
    assert call.receive(answered, 2.6) == []
    call.receive(RolesSwapped(), 3.0)


def test_a_signal_may_be_made_of_an_answer():
    text = BASE.replace(
        "signals:\n", "signals:\n  - {id: decides, speaker: customer, when: {llm: {question: Who?}, language: en}}\n"
    )
    cue = (
        "  - {id: c, kind: info, when: {all: [{signal: decides}, {signal: objection.price}]}, card: {headline: Both}}\n"
    )
    line = ("customer", "that is too expensive, my wife decides")
    messages, _ = play(setup(text + cue, LlmLimits(max_per_call=5)), said(line), Model("wife"))
    assert [m.label for m in messages if isinstance(m, wire.SignalHeard)] == ["objection.price", "decides"]
    assert "c" in [card.cue_id for card in raised(messages)]


def test_a_model_cannot_be_asked_for_what_is_not():
    for denied in ("{llm: {question: Who?}}", "{signal: decides}"):
        text = BASE.replace("signals:\n", "signals:\n  - {id: decides, when: {llm: {question: Who?}}}\n")
        cue = f"  - {{id: c, kind: info, when: {{not: {denied}}}, card: {{headline: Both}}}}\n"
        with pytest.raises(PlaybookError, match="not a no"):
            parse_playbook(text + cue)


def test_words_for_a_card_come_as_an_update():
    model = Model("Compared with what,  exactly?")
    call_setup = setup(BASE, LlmLimits(max_per_call=5, suggestions=True))
    messages, run = play(call_setup, said(("customer", "that is too expensive for us")), model)
    (card,) = raised(messages)
    updated = [m for m in messages if isinstance(m, wire.CardUpdated) and m.suggestion]
    assert [(m.card_id, m.suggestion) for m in updated] == [(card.id, "Compared with what, exactly?")]
    assert model.asked[0].kind == "phrase"
    assert model.asked[0].question.startswith(card.headline)
    assert lived_again(call_setup, run) == [message.__struct_config__.tag for message in messages]


def test_what_must_be_said_is_not_rephrased():
    model = Model("words")
    play(setup(BASE, LlmLimits(max_per_call=5, suggestions=True)), said(("rep", "there is zero risk in it")), model)
    assert model.asked == []
