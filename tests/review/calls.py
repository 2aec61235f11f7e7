"""Builds the event log of a call, and the calls the tests of this room talk about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from copilot.events import CallInfo, Ledger, Word
from copilot.playbook.model import Playbook
from copilot.wire import messages as wire

DATA = Path(__file__).parent.parent / "data"
TICK = {"phrase": {"any": ["never heard"]}}


class Log:
    """Writes messages with gap-free sequence numbers. Times are seconds; utterances are named u1, u2, ..."""

    def __init__(self, call_id: str = "call-1") -> None:
        self.call_id = call_id
        self.messages: list[wire.AnyCallMessage] = []
        self.now_ms = 0
        self.said = 0
        self.carded = 0

    def put(self, kind: Any, at_s: float | None = None, **fields: Any) -> None:
        if at_s is not None:
            self.now_ms = max(self.now_ms, round(at_s * 1000))
        stamp = f"2026-03-02T09:{self.now_ms // 60_000:02d}:{self.now_ms // 1000 % 60:02d}.{self.now_ms % 1000:03d}Z"
        seq = len(self.messages) + 1
        self.messages.append(kind(seq=seq, call_id=self.call_id, pos_ms=self.now_ms, emitted_at=stamp, **fields))

    def open(self, playbook: Playbook) -> None:
        self.put(
            wire.CallOpened,
            external_id="",
            rep_id="",
            customer_ref="",
            campaign="",
            direction="outbound",
            language=playbook.language,
            playbook=playbook.id,
            playbook_version=playbook.version,
            started_at="2026-03-02T09:00:00.000Z",
            stages=tuple(wire.StageView(id=stage.id, title=stage.title) for stage in playbook.stages),
            steps=tuple(
                wire.StepView(id=step.id, title=step.title, stage=step.stage, critical=step.critical)
                for step in playbook.steps
            ),
        )

    def say(
        self, speaker: str, start_s: float, end_s: float, text: str, *, words: tuple[Word, ...] = (), lag_ms: int = 600
    ) -> str:
        self.said += 1
        utterance_id = f"u{self.said}"
        self.put(
            wire.TranscriptFinal,
            end_s + lag_ms / 1000,
            utterance_id=utterance_id,
            speaker=speaker,
            start_ms=round(start_s * 1000),
            end_ms=round(end_s * 1000),
            text=text,
            language="",
            confidence=0.9,
            lag_ms=lag_ms,
            words=words,
        )
        return utterance_id

    def interim(self, utterance_id: str, speaker: str, text: str) -> None:
        self.put(
            wire.TranscriptInterim,
            utterance_id=utterance_id,
            speaker=speaker,
            start_ms=0,
            end_ms=self.now_ms,
            text=text,
        )

    def rep(self, start_s: float, end_s: float, text: str) -> str:
        return self.say("rep", start_s, end_s, text)

    def customer(self, start_s: float, end_s: float, text: str) -> str:
        return self.say("customer", start_s, end_s, text)

    def signal(self, label: str, utterance_id: str, quote: str, speaker: str = "customer") -> None:
        self.put(
            wire.SignalHeard,
            label=label,
            speaker=speaker,
            utterance_id=utterance_id,
            quote=quote,
            start_ms=0,
            end_ms=self.now_ms,
            score=1.0,
            detector="phrase",
            why=f"phrase: {quote}",
        )

    def step(self, step_id: str, state: str = "done", utterance_id: str = "", quote: str = "", by: str = "") -> None:
        self.put(
            wire.StepChangedMessage,
            step_id=step_id,
            state=state,
            previous="pending",
            utterance_id=utterance_id,
            quote=quote,
            by=by,
        )

    def stage(self, stage_id: str, utterance_id: str = "", at_s: float | None = None) -> None:
        self.put(wire.StageChangedMessage, at_s, stage_id=stage_id, previous="", utterance_id=utterance_id)

    def view(self, cue_id: str, kind: str, headline: str) -> wire.CardView:
        self.carded += 1
        return wire.CardView(
            id=f"c{self.carded}",
            cue_id=cue_id,
            kind=kind,
            state="raised",
            priority=50,
            critical=kind == "compliance",
            headline=headline,
            lines=("one", "two"),
            material="",
            why="phrase",
            ttl_ms=25_000,
        )

    def card(
        self,
        cue_id: str,
        kind: str,
        headline: str,
        utterance_id: str = "",
        quote: str = "",
        speaker: str = "customer",
        *,
        suppressed: str = "",
    ) -> str:
        """Raise (or hold back) a card; its ledger starts 700 ms before now."""
        view = self.view(cue_id, kind, headline)
        cause = (
            wire.CausedBy(utterance_id=utterance_id, phrase_end_ms=self.now_ms - 700, quote=quote, speaker=speaker)
            if utterance_id
            else None
        )
        if suppressed:
            self.put(wire.CardSuppressed, card=view, caused_by=cause, reason=suppressed)
        else:
            self.put(wire.CardRaised, card=view, caused_by=cause, ledger=self.ledger())
        return view.id

    def ledger(self, rendered: int | None = None, acked: int | None = None) -> Ledger:
        start = max(0, self.now_ms - 700)
        return Ledger(
            phrase_end=start,
            recognised=start + 600,
            matched=start + 602,
            decided=start + 603,
            sent=start + 605,
            rendered=None if rendered is None else start + 605 + rendered,
            acked=None if acked is None else start + 605 + acked,
        )

    def updated(
        self, card_id: str, state: str, ledger: Ledger, feedback: str = "", outcome: str = "undetermined"
    ) -> None:
        self.put(wire.CardUpdated, card_id=card_id, state=state, ledger=ledger, feedback=feedback, outcome=outcome)

    def closed(self, card_id: str, state: str, reason: str, outcome: str = "undetermined") -> None:
        self.put(wire.CardClosed, card_id=card_id, state=state, reason=reason, outcome=outcome)

    def end(self, at_s: float, reason: str = "completed", gaps_ms: int = 0) -> list[wire.AnyCallMessage]:
        totals = wire.Totals(
            duration_ms=round(at_s * 1000),
            utterances=self.said,
            cards_raised=self.carded,
            cards_suppressed=0,
            steps_done=0,
            steps=0,
            gaps_ms=gaps_ms,
        )
        self.put(wire.CallEnded, at_s, reason=reason, totals=totals, report_url="", sha256=("ab" * 32,))
        return self.messages


def info(**fields: Any) -> CallInfo:
    return CallInfo(**{"call_id": "call-1", "started_at": "2026-03-02T09:00:00.000Z", **fields})


def playbook(language: str, stages: list[tuple[str, str]], steps: list[dict[str, Any]], **more: Any) -> Playbook:
    return msgspec.convert(
        {
            "schema": 1,
            "id": f"test-{language}",
            "version": "1.0.0",
            "title": "Test" if language == "en" else "测试话术",
            "language": language,
            "stages": [{"id": stage_id, "title": title} for stage_id, title in stages],
            "steps": [{"done_when": TICK, **step} for step in steps],
            **more,
        },
        Playbook,
    )


# --- an English call: the solar call of the shipped demonstration, from its truth ------------------------------

ENGLISH = playbook(
    "en",
    [
        ("opening", "Opening"),
        ("rapport", "Rapport"),
        ("discovery_pitch", "Discovery and pitch"),
        ("trial_close", "Trial close"),
        ("objection", "Objections"),
        ("close", "Close"),
    ],
    [
        {
            "id": "opening.intro",
            "title": "Say who you are",
            "stage": "opening",
            "critical": True,
            "due": {"within_s": 20},
        },
        {
            "id": "opening.recording_notice",
            "title": "Recording notice",
            "stage": "opening",
            "critical": True,
            "due": {"within_s": 10},
        },
        {
            "id": "opening.permission",
            "title": "Ask for a moment",
            "stage": "opening",
            "due": {"before_stage": "rapport"},
        },
        {"id": "rapport.small_talk", "title": "Small talk", "stage": "rapport", "weight": 0.5},
        {
            "id": "discovery.need_question",
            "title": "Ask what they need",
            "stage": "discovery_pitch",
            "hint": "“What would you change?”",
        },
        {"id": "pitch.value", "title": "Name the value", "stage": "discovery_pitch"},
        {"id": "close.ask", "title": "Ask for the business", "stage": "close", "due": {"before_end": True}},
        {
            "id": "close.next_step",
            "title": "Agree a next step",
            "stage": "close",
            "critical": True,
            "due": {"before_end": True},
        },
    ],
)
HEADLINES = {
    "objection.trust": ("objection", "They have been burnt before"),
    "objection.price": ("objection", "Price: break it down"),
    "objection.no_need": ("objection", "No need: ask what would have to change"),
    "objection.complaint": ("objection", "Complaint: apologise first"),
    "compliance.forbidden": ("compliance", "Take that promise back"),
}


def english() -> list[wire.AnyCallMessage]:
    """The solar call: three forbidden promises, four objections, three steps missing."""
    truth = json.loads((DATA / "en_dev_03_solar.json").read_text(encoding="utf-8"))
    log = Log("solar")
    log.open(ENGLISH)
    stages = [stage for stage in truth["stages"] if stage["start"] is not None]
    for utterance in truth["utterances"]:
        speaker = "rep" if utterance["speaker"] == "agent" else "customer"
        words = tuple(_words(utterance))
        name = log.say(speaker, utterance["start"], utterance["end"], utterance["text"], words=words)
        while stages and stages[0]["start"] <= utterance["end"]:
            log.stage(stages.pop(0)["id"], name)
        for phrase in utterance["phrases"]:
            for label in phrase["labels"]:
                _label(log, label, name, phrase["text"], speaker)
    log.step("opening.permission", "skipped")
    return log.end(truth["duration_s"])


def _words(utterance: dict[str, Any]) -> list[Word]:
    """The words of each phrase, spread evenly over it."""
    words = []
    for phrase in utterance["phrases"]:
        parts = phrase["text"].split()
        length = (phrase["end"] - phrase["start"]) * 1000 / len(parts)
        for index, part in enumerate(parts):
            start = phrase["start"] * 1000 + index * length
            words.append(Word(text=f" {part}", start_ms=round(start), end_ms=round(start + length)))
    return words


def _label(log: Log, label: str, utterance_id: str, quote: str, speaker: str) -> None:
    if label in {step.id for step in ENGLISH.steps}:
        late = label == "opening.recording_notice"
        log.step(label, "done_late" if late else "done", utterance_id, quote)
    if label in HEADLINES:
        kind, headline = HEADLINES[label]
        log.signal(label, utterance_id, quote, speaker)
        if log.carded in (2, 3):
            log.card(label, kind, headline, utterance_id, quote, speaker, suppressed="cooldown")
            return
        card = log.card(label, kind, headline, utterance_id, quote, speaker)
        log.updated(card, "shown", log.ledger(rendered=40))
        if log.carded % 3 == 1:
            log.updated(card, "acked", log.ledger(rendered=40, acked=2_300), "used")
            log.closed(card, "acked", "used", "not_adhered")
        else:
            log.closed(card, "expired", "ttl")


# --- a Chinese call of our own: interruptions, a monologue, a hold, dead air -----------------------------------

CHINESE = playbook(
    "zh",
    [("opening", "开场白"), ("discovery", "入主题"), ("objection", "解决异议"), ("close", "缔结")],
    [
        {"id": "opening.intro", "title": "自报家门", "stage": "opening", "critical": True, "due": {"within_s": 15}},
        {"id": "discovery.need", "title": "询问需求", "stage": "discovery"},
        {"id": "discovery.budget", "title": "询问预算", "stage": "discovery", "requires": ["discovery.need"]},
        {"id": "close.next_step", "title": "约定下一步", "stage": "close", "critical": True},
        {"id": "close.recap", "title": "复述要点", "stage": "close", "applies_when": TICK},
    ],
    signals=[{"id": "objection.price", "title": "嫌贵", "when": TICK}],
)
PITCH = "我们的健身年卡包含游泳和所有的团课，还有两节私教课，更衣室和停车也都是免费的，周末全天开放，教练都有证书，"


def chinese() -> list[wire.AnyCallMessage]:
    """A gym sells a year's card: most of what can go wrong in behaviour does."""
    log = Log("gym")
    log.open(CHINESE)
    log.stage("opening", at_s=0)
    log.interim("u1", "customer", "喂")
    log.customer(0.5, 1.0, "喂，你好。")
    intro = log.rep(1.6, 5.8, "您好，我是晨光健身的小周，请问您现在方便吗？")
    log.step("opening.intro", "done", intro, "我是晨光健身的小周")
    log.customer(6.1, 7.6, "可以，你说吧。")
    budget = log.rep(7.7, 11.5, "您每个月在健身上大概花多少钱？")
    log.stage("discovery", budget)
    log.step("discovery.budget", "done", budget, "您每个月在健身上大概花多少钱")
    log.customer(11.9, 17.0, "没多少，就偶尔去公园跑跑步，我其实一直想找个能游泳的地方，")
    need = log.rep(15.5, 19.4, "那您平时最想练什么？")
    log.step("discovery.need", "done", need, "您平时最想练什么")
    log.customer(19.6, 25.0, "主要是肩膀不舒服，医生让我多游泳，而且最好晚上能去，")
    log.rep(23.8, 26.0, "晚上我们开到十点。")
    log.customer(26.2, 31.0, "那还不错，不过我下班都九点多了，还要接孩子，")
    log.rep(29.9, 32.0, "周末也可以来。")
    for index in range(5):
        log.rep(32.5 + index * 13.5, 45.5 + index * 13.5, PITCH)
        log.customer(44.0 + index * 13.5, 44.5 + index * 13.5, "嗯。")
    price = log.customer(100.5, 103.2, "听着还行，就是太贵了吧。")
    log.signal("objection.price", price, "太贵了")
    log.stage("objection", price)
    card = log.card("objection.price", "objection", "先认同，再拆成每天多少钱", price, "太贵了")
    log.updated(card, "shown", log.ledger(rendered=35))
    log.closed(card, "acked", "used", "adhered")
    log.put(wire.CallPaused, 104.0, reason="hold")
    log.put(wire.CallResumed, 112.0, paused_ms=8_000)
    log.rep(112.4, 118.0, "理解，平均下来每天不到八块钱，您觉得怎么样？")
    log.customer(118.6, 121.5, "那倒是可以考虑一下。")
    log.rep(132.0, 134.0, "好的，系统有点慢。")
    log.customer(135.0, 137.0, "行，那先这样。")
    log.put(wire.ServiceDegradedMessage, 137.5, stage="interim", reason="lag", lag_ms=2_400)
    log.put(wire.ServiceRestored, 140.0, stage="interim")
    log.card("wrap_up", "wrap_up", "约好下一步再挂")
    log.put(wire.MarkSet, label="价格", set_by="小周")
    log.put(wire.SupervisorMessage, text="别忘了约时间", sent_by="王经理")
    log.step("close.next_step", "overdue")
    return log.end(141.0, gaps_ms=420)


def hostile() -> list[wire.AnyCallMessage]:
    """A customer who speaks HTML and Markdown."""
    log = Log("<script>alert(1)</script>")
    log.open(ENGLISH)
    said = log.customer(1.0, 3.0, "<img src=x onerror=alert(1)> **too** | expensive\" 'x' & ]( javascript:1")
    log.signal("objection.price", said, "**too** | expensive")
    log.card("objection.price", "objection", "<b>Price</b>", said, "<img src=x onerror=alert(1)>")
    log.put(wire.MarkSet, label="</li><script>", set_by='"><svg onload=1>')
    return log.end(5.0)
