"""A trigger: one condition of a playbook, a struct with exactly one leaf or combinator set, plus an optional scope.

Text leaves (``phrase``, ``regex``, ``examples``, ``intent``, ``entity``, ``llm``) listen to what is said; ``signal``
refers to a named signal; ``metric``, ``event`` and ``context`` look at the call itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from copilot.events import Language, Speaker

Id = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$",
        max_length=64,
        description="an id: lower-case letters a-z, digits, `_` and `.`, a letter first (`objection.price`)",
    ),
]
Seconds = Annotated[float, Meta(gt=0, le=14_400)]
"""A duration: at most four hours, as long as a call may last."""
Share = Annotated[float, Meta(ge=0, le=1)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of everything an author writes."""


class Phrase(Part, frozen=True, kw_only=True):
    """Words as they are said. Any one of ``any`` and every one of ``all`` must be heard, none of ``exclude``.

    ``match``: ``exact`` compares words, ``stem`` compares English word stems, ``pinyin`` compares toneless Mandarin
    syllables, so that homophones from the recogniser still match (phrases shorter than three syllables are compared
    exactly: two syllables mean too many things). A word boundary is always respected in English.
    ``...`` inside a phrase stands for up to ``gap`` words (or characters, in Chinese). ``negation``: with ``veto``
    words that are denied, quoted or taken back are not heard; with ``ignore`` they are.
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
    ``like`` and closer to it than to any of ``unlike``. ``negation`` as for phrases.
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
    lexicon. Mentioning is enough (``negation`` is ``ignore``): only ``veto`` passes over what is denied or quoted.
    """

    kind: Id
    any: tuple[Text, ...] = ()
    above: float | None = None
    below: float | None = None
    negation: Literal["veto", "ignore"] = "ignore"


class Llm(Part, frozen=True, kw_only=True):
    """A ``question`` a language model answers about each final utterance in scope, if the operator has set one up.

    Ask so that yes means the moment is there ("Does the customer say that somebody else decides?"). The answer only
    counts with a ``quote`` from that utterance. It comes seconds later than everything else, costs money and may not
    come at all: give the trigger a ``speaker`` and a ``stage``, and never build on its absence.
    """

    question: Text
    quote: Literal["required"] = "required"


class MetricTest(Part, frozen=True, kw_only=True):
    """A number of the call that is ``above`` or ``below`` a bound for at least ``sustained_s``.

    ``name``: ``talk_ratio`` (the rep's share of speech, 0..1) | ``monologue_ms`` (how long the rep has been speaking
    without a turn of the customer) | ``customer_story_ms`` (the same of the customer) | ``dead_air_ms`` (how long
    nobody has spoken) | ``speech_rate`` (English words or Chinese characters a minute, of either side: give the trigger
    a ``speaker``) | ``interruptions_per_min`` (by the rep, in the last minute) | ``patience_ms`` (the usual gap before
    the rep answers). Names in ``_ms`` count milliseconds: 40 s of monologue is ``above: 40000``.
    """

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
    ``resumed`` | ``dtmf`` (a key was pressed) | ``ending`` (somebody says goodbye, see ``ending`` of the playbook).
    ``stage`` or ``step`` says which one; without it, any. ``elapsed`` happens ``at_s`` after the start of the call.
    """

    is_: Literal[
        "stage_entered", "step_warned", "step_overdue", "step_done", "elapsed", "paused", "resumed", "dtmf", "ending"
    ] = msgspec.field(name="is")
    stage: str = ""
    step: str = ""
    at_s: float | None = None


class ContextTest(Part, frozen=True, kw_only=True):
    """A ``field`` the softphone or CRM gave at the start of the call, with one test of it.

    It ``equals`` a text, is ``one_of`` several, or is ``present`` (``false``: it is not there, or empty).
    """

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
    """One condition: exactly one leaf or combinator, and an optional scope.

    Leaves that listen to words: ``phrase``, ``regex`` (RE2, case does not matter), ``examples``, ``intent``,
    ``entity``, ``llm``. Other leaves: ``signal`` (the id of a signal or a step), ``metric``, ``event``, ``context``.
    Combinators: ``all``, ``any`` and ``not`` join triggers; ``seq``, ``count``, ``after``, ``before`` and ``absence``
    look at time, and work in cues only: a signal, step or stage is decided by one utterance.

    Scope: the ``speaker`` who says it, the ``stage`` (one of these) in which it counts, the ``language`` it is said in.
    ``interim`` takes words while they are still being spoken; without it a trigger waits for the end of the utterance.
    """

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
