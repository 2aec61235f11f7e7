"""What a playbook says: the structs behind the YAML. Every field here is part of the published schema.

A *trigger* is one struct with exactly one leaf or combinator set, plus an optional scope. Text leaves (``phrase``,
``regex``, ``examples``, ``intent``, ``entity``) listen to what is said; ``signal`` refers to a named signal;
``metric``, ``event`` and ``context`` look at the call itself. Durations are seconds and carry ``_s``.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from copilot.events import Language, Speaker

Id = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=64)]
Seconds = Annotated[float, Meta(gt=0, le=14_400)]
Share = Annotated[float, Meta(ge=0, le=1)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of everything an author writes."""


class Phrase(Part, frozen=True, kw_only=True):
    """Words as they are said. Any one of ``any`` and every one of ``all`` must be heard, none of ``exclude``.

    ``match``: ``exact`` compares words, ``stem`` compares English word stems, ``pinyin`` compares toneless Mandarin
    syllables, so that homophones from the recogniser still match (phrases shorter than three syllables are compared
    exactly: two syllables mean too many things). A word boundary is always respected in English.
    ``...`` inside a phrase stands for up to ``gap`` words (or characters, in Chinese).
    """

    any: tuple[Text, ...] = ()
    all: tuple[Text, ...] = ()
    exclude: tuple[Text, ...] = ()
    match: Literal["exact", "stem", "pinyin"] = "exact"
    gap: Annotated[int, Meta(ge=0, le=20)] = 4
    negation: Literal["veto", "ignore"] = "veto"


class Examples(Part, frozen=True, kw_only=True):
    """Lines that mean the same thing, and lines that look alike but do not.

    An utterance matches when a clause of it is closer than ``threshold`` (cosine of sentence vectors) to one of
    ``like`` and closer to it than to any of ``unlike``.
    """

    like: Annotated[tuple[Text, ...], Meta(min_length=1)]
    unlike: tuple[Text, ...] = ()
    threshold: Share = 0.75
    negation: Literal["veto", "ignore"] = "veto"


class Intent(Part, frozen=True, kw_only=True):
    """What the shipped classifier understands: ``label`` at a probability of ``above`` or more.

    Without ``above`` the classifier's own threshold for the language and the speaker counts.
    A clause counts as much as the whole utterance. While somebody still speaks (``interim: true``) a probability
    must be 0.1 higher; the final words are judged anew. Labels: ``objection.price``, ``objection.no_need``,
    ``objection.have_one``, ``objection.not_now``, ``objection.competitor``, ``objection.trust``,
    ``objection.authority``, ``objection.send_info``, ``objection.complaint``, ``signal.buying`` and
    ``signal.question`` of the customer; ``opening.intro``, ``opening.recording_notice``, ``opening.permission``,
    ``rapport.small_talk``, ``discovery.need_question``, ``discovery.budget_question``, ``pitch.value``,
    ``trial_close.check``, ``objection.handled``, ``close.ask``, ``close.next_step``, ``close.recap`` and
    ``compliance.forbidden`` of the rep.
    """

    label: Id
    above: Share | None = None


class Entity(Part, frozen=True, kw_only=True):
    """Something named: a number of some ``kind``, or a word of one of the playbook's ``lexicons``.

    ``kind``: ``price`` | ``percentage`` | ``date`` | ``time`` | ``phone`` | ``number``, or the name of a lexicon
    (``competitor``). Numbers count as they are meant, in words or in digits (three hundred, 300, 三百). ``above`` and
    ``below`` bound the number of a price, a percentage or a plain number; ``any`` keeps only these words of the
    lexicon. Mentioning is enough: only ``negation: veto`` passes over what is denied or quoted.
    """

    kind: Id
    any: tuple[Text, ...] = ()
    above: float | None = None
    below: float | None = None
    negation: Literal["veto", "ignore"] = "ignore"


class Llm(Part, frozen=True, kw_only=True):
    """A question a language model answers about each final utterance in scope, if the operator has set one up.

    Ask so that yes means the moment is there ("Does the customer say that somebody else decides?"). The answer only
    counts with a ``quote`` from that utterance. It comes seconds later than everything else, costs money and may not
    come at all: give the trigger a ``speaker`` and a ``stage``, and never build on its absence.
    """

    question: Text
    quote: Literal["required"] = "required"


class MetricTest(Part, frozen=True, kw_only=True):
    """A number of the call compared with a bound, for at least ``sustained_s``."""

    name: Literal[
        "talk_ratio",
        "monologue_ms",
        "customer_story_ms",
        "dead_air_ms",
        "speech_rate",
        "interruptions_per_min",
        "patience_ms",
    ]
    above: float | None = None
    below: float | None = None
    sustained_s: Annotated[float, Meta(ge=0)] = 0.0


class EventTest(Part, frozen=True, kw_only=True):
    """Something that happened to the call rather than in it.

    ``is``: ``stage_entered`` | ``step_warned`` | ``step_overdue`` | ``step_done`` | ``elapsed`` | ``paused`` |
    ``resumed`` | ``dtmf`` | ``ending`` (somebody says goodbye, see ``Playbook.ending``).
    """

    is_: Literal[
        "stage_entered", "step_warned", "step_overdue", "step_done", "elapsed", "paused", "resumed", "dtmf", "ending"
    ] = msgspec.field(name="is")
    stage: str = ""
    step: str = ""
    at_s: float | None = None


class ContextTest(Part, frozen=True, kw_only=True):
    """A field the softphone or CRM gave at the start of the call."""

    field: Text
    equals: str | None = None
    one_of: tuple[str, ...] = ()
    present: bool | None = None


class Seq(Part, frozen=True, kw_only=True):
    """All of ``of`` in this order, the last within ``within_s`` of the first."""

    of: Annotated[tuple[Trigger, ...], Meta(min_length=2)]
    within_s: Seconds


class Count(Part, frozen=True, kw_only=True):
    """``of`` at least ``n`` times within ``within_s``."""

    of: Trigger
    n: Annotated[int, Meta(ge=2, le=100)]
    within_s: Seconds


class Ordered(Part, frozen=True, kw_only=True):
    """``what`` happens after (or before) ``reference`` has happened; ``within_s`` bounds the distance."""

    what: Trigger
    reference: Trigger
    within_s: Seconds | None = None


class Absence(Part, frozen=True, kw_only=True):
    """``of`` does not happen within ``within_s`` after ``since`` (default: the start of the call)."""

    of: Trigger
    within_s: Seconds
    since: Trigger | None = None


class Trigger(Part, frozen=True, kw_only=True):
    """One condition: exactly one leaf or combinator, and an optional scope."""

    phrase: Phrase | None = None
    regex: Text | None = None
    examples: Examples | None = None
    intent: Intent | None = None
    entity: Entity | None = None
    llm: Llm | None = None
    signal: Id | None = None
    metric: MetricTest | None = None
    event: EventTest | None = None
    context: ContextTest | None = None

    all: tuple[Trigger, ...] | None = None
    any: tuple[Trigger, ...] | None = None
    not_: Trigger | None = msgspec.field(default=None, name="not")
    seq: Seq | None = None
    count: Count | None = None
    after: Ordered | None = None
    before: Ordered | None = None
    absence: Absence | None = None

    speaker: Speaker | None = None
    stage: tuple[str, ...] = ()
    language: Language | None = None
    interim: bool = False


TEXT_LEAVES = ("phrase", "regex", "examples", "intent", "entity", "llm")
LEAVES = (*TEXT_LEAVES, "signal", "metric", "event", "context")
ENTITIES = ("price", "percentage", "date", "time", "phone", "number")
"""Kinds of entity that need no lexicon."""
MEASURED = ("price", "percentage", "number")
"""Kinds of entity that can be above or below something."""
COMBINATORS = ("all", "any", "not", "seq", "count", "after", "before", "absence")


class SignalRule(Part, frozen=True, kw_only=True):
    """A named thing to listen for. ``when`` may use text leaves, other signals, and all / any / not."""

    id: Id
    when: Trigger
    speaker: Speaker | None = None
    title: str = ""


class Stage(Part, frozen=True, kw_only=True):
    """A part of the conversation. It is entered when one of its steps is done or when ``enter_when`` fires."""

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
    """One thing the procedure asks of the rep. It ticks itself when ``done_when`` is heard from the rep."""

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
    """What the rep sees: at most 12 words (16 Chinese characters) of headline and three short lines."""

    headline: Annotated[str, Meta(min_length=1, max_length=120)]
    lines: Annotated[tuple[Text, ...], Meta(max_length=3)] = ()
    material: str = ""


class Expected(Part, frozen=True, kw_only=True):
    """What the rep should do after the card: ``within_s`` of it, ``trigger`` decides the outcome."""

    trigger: Trigger
    within_s: Seconds = 30.0


class Cue(Part, frozen=True, kw_only=True):
    """When to show a card, and which.

    ``priority`` 0..100 orders waiting cards; ``critical`` may interrupt the rep. ``close_when`` withdraws the card
    because its moment has passed; ``ttl_s`` because nobody acted. ``group`` makes cues exclude each other.

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
    scores ``threshold`` or more. The card obeys the budget like any other; ``cooldown_s`` counts for each passage.
    """

    folder: str = ""
    passages: Annotated[tuple[Passage, ...], Meta(max_length=2_000)] = ()
    when: Trigger = Trigger(signal="signal.question")
    threshold: Share = 0.47
    priority: Annotated[int, Meta(ge=0, le=100)] = 60
    ttl_s: Seconds = 30.0
    cooldown_s: Annotated[float, Meta(ge=0, le=14_400)] = 60.0


class Attention(Part, frozen=True, kw_only=True):
    """How much a rep can take: the budget of the arbiter.

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


class Expect(Part, frozen=True, kw_only=True):
    """What must (or must not) have happened by the end of the scenario, or ``within_s`` of turn ``after_turn``."""

    card: str | None = None
    no_card: str | None = None
    signal: str | None = None
    no_signal: str | None = None
    step: str | None = None
    state: str | None = None
    stage: str | None = None
    after_turn: Annotated[int, Meta(ge=1)] | None = None
    within_s: Seconds | None = None


class Scenario(Part, frozen=True, kw_only=True):
    """A small conversation with what the playbook must make of it."""

    name: Text
    turns: tuple[Turn, ...]
    expect: Annotated[tuple[Expect, ...], Meta(min_length=1)]
    context: dict[str, str] = {}


class Playbook(Part, frozen=True, kw_only=True):
    """A whole playbook. ``schema`` is the version of this format.

    ``lexicons`` are lists of names that ``entity`` listens for, each under a name of its own: ``competitor``,
    ``product``.
    """

    schema: Literal[1]
    id: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)]
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$")]
    title: Text
    language: Language
    stages: Annotated[tuple[Stage, ...], Meta(min_length=1)]
    description: str = ""
    signals: tuple[SignalRule, ...] = ()
    steps: tuple[Step, ...] = ()
    cues: tuple[Cue, ...] = ()
    ending: Trigger | None = None
    lexicons: dict[Id, Annotated[tuple[Text, ...], Meta(min_length=1)]] = {}
    knowledge: Knowledge | None = None
    attention: Attention = Attention()
    hotwords: tuple[Text, ...] = ()
    prompt: str = ""
    scenarios: tuple[Scenario, ...] = ()
