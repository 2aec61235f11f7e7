"""What a playbook says: the structs behind the YAML. Every field here is part of the published schema.

What a *trigger* may say is in ``trigger.py``; the rest of the code takes both from here. Durations are seconds and
carry ``_s``.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from copilot.events import Language, Speaker
from copilot.playbook.trigger import (
    COMBINATORS,
    ENTITIES,
    LEAVES,
    MEASURED,
    TEXT_LEAVES,
    Absence,
    ContextTest,
    Count,
    Entity,
    EventTest,
    Examples,
    Id,
    Intent,
    Llm,
    MetricTest,
    Ordered,
    Part,
    Phrase,
    Seconds,
    Seq,
    Share,
    Text,
    Trigger,
)


class SignalRule(Part, frozen=True, kw_only=True):
    """A named thing to listen for. ``when`` may use text leaves, other signals, ``context``, and all / any / not.

    ``id`` is what triggers and scenarios call it, ``title`` what people read. ``speaker`` says from whom it is heard;
    without one, from both.
    """

    id: Id
    when: Trigger
    speaker: Speaker | None = None
    title: str = ""


class Stage(Part, frozen=True, kw_only=True):
    """A part of the conversation. It is entered when one of its steps is done or when ``enter_when`` fires.

    ``title`` is what people read. A call begins in the first stage of the list.
    """

    id: Id
    title: Text
    enter_when: Trigger | None = None


class Due(Part, frozen=True, kw_only=True):
    """By when a step must be done: ``within_s`` after ``after`` (``call_start``, ``stage:<id>`` or ``step:<id>``).

    ``call_start`` is when the first words are spoken: ringing and hold music do not count.

    ``warn_s`` seconds before the deadline the step is warned. ``before_stage`` makes it overdue when that stage is
    entered; ``before_end`` when the call is about to end.
    """

    after: str = "call_start"
    within_s: Seconds | None = None
    warn_s: Annotated[float, Meta(ge=0)] = 0.0
    before_stage: str = ""
    before_end: bool = False


class Step(Part, frozen=True, kw_only=True):
    """One thing the procedure asks of the rep. It ticks itself when ``done_when`` is heard from the rep.

    ``title`` is what people read, ``stage`` where it belongs. ``due`` says by when, ``requires`` which steps come
    first, ``applies_when`` what must be heard (or be in the context) before the step is asked for at all. ``critical``
    steps count most in the report, and a card about one has a reserved place; ``weight`` is what the step counts in
    the report's share of steps done; ``hint`` is what the report advises where it is missing.
    """

    id: Id
    title: Text
    stage: Id
    done_when: Trigger
    due: Due | None = None
    requires: tuple[Id, ...] = ()
    applies_when: Trigger | None = None
    critical: bool = False
    weight: Annotated[float, Meta(gt=0, le=100)] = 1.0
    hint: str = ""


CardKind = Literal["objection", "signal", "question", "sop", "compliance", "behaviour", "wrap_up", "info", "knowledge"]


class CardContent(Part, frozen=True, kw_only=True):
    """What the rep sees: at most 12 words (16 Chinese characters) of ``headline`` and three short ``lines``.

    ``material`` links the card with a document: an address, or a passage of ``knowledge`` (``faq.md#warranty``).
    """

    headline: Annotated[str, Meta(min_length=1, max_length=120)]
    lines: Annotated[tuple[Text, ...], Meta(max_length=3)] = ()
    material: str = ""


class Expected(Part, frozen=True, kw_only=True):
    """What the rep should do after the card: ``within_s`` of it, ``trigger`` decides the outcome."""

    trigger: Trigger
    within_s: Seconds = 30.0


class Cue(Part, frozen=True, kw_only=True):
    """When to show a card, and which.

    ``when`` asks for the ``card``; ``kind`` says what it is about, and colours it. ``priority`` 0..100 orders waiting
    cards; ``critical`` may interrupt the rep. ``close_when`` withdraws the card because its moment has passed;
    ``ttl_s`` because nobody acted. Of cues in one ``group`` one card is visible at a time. ``cooldown_s`` after it was
    shown a cue may be shown again, ``max_shows`` times in a call, or only ``once``. ``expected`` is what the rep should
    do then.

    ``shadow`` runs the cue silently in every call; ``hold_out`` withholds it in that share of calls, so that what reps
    do with the card can be compared with what they do without it (``copilot calls uplift``).
    """

    id: Id
    when: Trigger
    card: CardContent
    kind: CardKind
    priority: Annotated[int, Meta(ge=0, le=100)] = 50
    critical: bool = False
    ttl_s: Seconds = 25.0
    cooldown_s: Annotated[float, Meta(ge=0, le=14_400)] = 30.0
    max_shows: Annotated[int, Meta(ge=1, le=100)] = 5
    once: bool = False
    group: str = ""
    close_when: Trigger | None = None
    expected: Expected | None = None
    shadow: bool = False
    hold_out: Share = 0.0


class Passage(Part, frozen=True, kw_only=True):
    """Something a rep may answer with: lines of ``text`` under a ``heading``.

    ``source`` is where it is found (``faq.md#warranty``). A cue whose ``material`` names a source is linked with it.
    """

    heading: Annotated[str, Meta(min_length=1, max_length=300)]
    text: Annotated[str, Meta(min_length=1, max_length=1_200)]
    source: Annotated[str, Meta(max_length=500)] = ""


class Knowledge(Part, frozen=True, kw_only=True):
    """Documents that answer the customer's questions with a card of their own (cue ``knowledge``), or not at all.

    ``folder`` holds Markdown and CSV files and lies beside the playbook or below it; ``passages`` can be written here
    as well. Whenever the customer says what ``when`` listens for, the passage that answers best is shown, if it
    scores ``threshold`` or more. The card obeys the budget like any other, with ``priority`` and ``ttl_s`` as for a
    cue; ``cooldown_s`` counts for each passage.
    """

    folder: str = ""
    passages: Annotated[tuple[Passage, ...], Meta(max_length=2_000)] = ()
    when: Trigger = Trigger(signal="signal.question")
    threshold: Share = 0.47
    priority: Annotated[int, Meta(ge=0, le=100)] = 60
    ttl_s: Seconds = 30.0
    cooldown_s: Annotated[float, Meta(ge=0, le=14_400)] = 60.0


class Attention(Part, frozen=True, kw_only=True):
    """How much a rep can take: the budget of the arbiter. At most ``max_visible`` cards at once, ``min_gap_s`` apart.

    A rep counts as mid-utterance after speaking for ``grace_s``: one who has only just begun to answer can still use
    a card. A card that must wait (for the rep, for a gap, for room) waits at most ``hold_s``. ``reserve_per_min`` of
    the ``max_per_min`` cards are kept for what must not be forgotten: critical cards, cards of the kind
    ``compliance``, and cards about a critical step; at least one is left for the others.
    """

    max_visible: Annotated[int, Meta(ge=1, le=5)] = 2
    min_gap_s: Annotated[float, Meta(ge=0, le=120)] = 3.0
    max_per_min: Annotated[int, Meta(ge=1, le=60)] = 6
    reserve_per_min: Annotated[int, Meta(ge=0, le=59)] = 1
    hold_s: Seconds = 6.0
    grace_s: Annotated[float, Meta(ge=0, le=10)] = 1.5


class Turn(Part, frozen=True, kw_only=True):
    """One line of a scenario, said by either ``rep`` or ``customer``.

    ``at_s`` is when it starts; without it, half a second (and ``wait_s``) after the end of the line before. ``for_s``
    is how long it takes to say; without it, what so many words usually take.
    """

    rep: str | None = None
    customer: str | None = None
    at_s: Annotated[float, Meta(ge=0)] | None = None
    wait_s: Annotated[float, Meta(ge=0)] | None = None
    for_s: Seconds | None = None


StateInScenario = Literal["pending", "warned", "overdue", "done", "done_late", "not_applicable"]
"""States of a step that written lines can bring about: nobody waives one there, and none is skipped before the end."""


class Expect(Part, frozen=True, kw_only=True):
    """What must (or must not) have happened by the end of the scenario, or ``within_s`` of turn ``after_turn``.

    ``card``, ``no_card``: the cue whose card was (not) shown. ``signal``, ``no_signal``: what was (not) heard.
    ``step``: the step that is in ``state`` (``done`` unless another is named). ``stage``: the stage that was entered.
    ``after_turn`` counts turns from 1.
    """

    card: str | None = None
    no_card: str | None = None
    signal: str | None = None
    no_signal: str | None = None
    step: str | None = None
    state: StateInScenario | None = None
    stage: str | None = None
    after_turn: Annotated[int, Meta(ge=1)] | None = None
    within_s: Seconds | None = None


class Scenario(Part, frozen=True, kw_only=True):
    """A small conversation (``turns``) with what the playbook must make of it (``expect``).

    ``name`` is printed when it is run. ``context`` is what the softphone or CRM would tell at the start.
    """

    name: Text
    turns: tuple[Turn, ...]
    expect: Annotated[tuple[Expect, ...], Meta(min_length=1)]
    context: dict[str, str] = msgspec.field(default_factory=dict)


class Playbook(Part, frozen=True, kw_only=True):
    """A whole playbook. ``schema`` is the version of this format.

    ``id`` and ``version`` name it wherever it is used, ``title`` and ``description`` say what it is for. ``language``
    is what is spoken; ``auto`` is both. ``stages`` are the parts of a call in their order, ``signals`` what is listened
    for, ``steps`` what the rep must do, ``cues`` the cards, ``attention`` their budget, ``ending`` the words that end a
    call (goodbye). ``knowledge`` are documents that answer questions; ``lexicons`` are lists of names that ``entity``
    listens for, each under a name of its own: ``competitor``, ``product``. ``hotwords`` (names, products) and
    ``prompt`` (a sentence such a call could begin with) help the recogniser to spell. ``scenarios`` are the playbook's
    tests.
    """

    schema: Literal[1]
    id: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9-]*$",
            max_length=64,
            description="an id: lower-case letters a-z, digits and `-`, a letter first (`outbound-en`)",
        ),
    ]
    version: Annotated[
        str, Meta(pattern=r"^\d+\.\d+\.\d+$", description="three numbers joined by dots (`1.0.0`), as text")
    ]
    title: Text
    language: Language
    stages: Annotated[tuple[Stage, ...], Meta(min_length=1)]
    description: str = ""
    signals: tuple[SignalRule, ...] = ()
    steps: tuple[Step, ...] = ()
    cues: tuple[Cue, ...] = ()
    ending: Trigger | None = None
    lexicons: dict[Id, Annotated[tuple[Text, ...], Meta(min_length=1)]] = msgspec.field(default_factory=dict)
    knowledge: Knowledge | None = None
    attention: Attention = Attention()
    hotwords: tuple[Text, ...] = ()
    prompt: str = ""
    scenarios: tuple[Scenario, ...] = ()


__all__ = [
    "COMBINATORS",
    "ENTITIES",
    "LEAVES",
    "MEASURED",
    "TEXT_LEAVES",
    "Absence",
    "Attention",
    "CardContent",
    "CardKind",
    "ContextTest",
    "Count",
    "Cue",
    "Due",
    "Entity",
    "EventTest",
    "Examples",
    "Expect",
    "Expected",
    "Id",
    "Intent",
    "Knowledge",
    "Llm",
    "MetricTest",
    "Ordered",
    "Part",
    "Passage",
    "Phrase",
    "Playbook",
    "Scenario",
    "Seconds",
    "Seq",
    "Share",
    "SignalRule",
    "Stage",
    "Step",
    "Text",
    "Trigger",
    "Turn",
]
