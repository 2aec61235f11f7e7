"""How late the words and cards of a call came, against what was really said.

Messages are dictionaries as on the wire, each with ``at``: when it was there, in seconds since the call's first sample
was spoken. So a lag is ``at`` minus a time of the truth, and nothing that a server says of itself goes into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .truth import Phrase, Truth, Utterance

Message = dict[str, Any]
END_SLACK_S = 0.4
"""A final covers the end of a true utterance when its own end is not further before it than this."""
REACH_S = 0.25
"""A text is of an utterance when it goes on at least so far into it (or to its end, if that is nearer)."""
EARLY_S, LATE_S = 1.0, 6.0
"""A card belongs to a phrase when its trigger ends this close to the phrase's span."""


def of_type(messages: Iterable[Message], *types: str) -> list[Message]:
    return [message for message in messages if message["type"] in types]


def covers_end(text: Message, said: Utterance) -> bool:
    return (
        text["speaker"] == said.speaker
        and text["end_ms"] / 1000 >= said.end - END_SLACK_S
        and text["start_ms"] / 1000 <= said.end
    )


def reaches(text: Message, said: Utterance) -> bool:
    """Whether a text holds the beginning of an utterance."""
    return (
        text["speaker"] == said.speaker
        and text["end_ms"] / 1000 >= min(said.start + REACH_S, said.end)
        and text["start_ms"] / 1000 < said.end
    )


def overlaps(text: Message, said: Utterance) -> bool:
    start, end = text["start_ms"] / 1000, text["end_ms"] / 1000
    return text["speaker"] == said.speaker and start < said.end and end > said.start


def final_lags(truth: Truth, messages: Sequence[Message]) -> list[tuple[float, float]]:
    """Of each true utterance with a final that covers its end: (that end, how long after it the first such came)."""
    finals = of_type(messages, "transcript.final")
    lags = []
    for said in truth.utterances:
        covering = [final["at"] for final in finals if covers_end(final, said) and not final.get("unfinished")]
        if covering:
            lags.append((said.end, min(covering) - said.end))
    return lags


def first_text_lags(truth: Truth, messages: Sequence[Message]) -> list[tuple[float, float]]:
    """Of each true utterance that was shown: (its start, how long after it the first words of it came)."""
    texts = of_type(messages, "transcript.interim", "transcript.final")
    lags = []
    for said in truth.utterances:
        showing = [text["at"] for text in texts if text["text"] and reaches(text, said)]
        if showing:
            lags.append((said.start, min(showing) - said.start))
    return lags


def unheard(truth: Truth, messages: Sequence[Message]) -> list[int]:
    """Which true utterances no final touches; backchannels may be left out of a transcript."""
    finals = of_type(messages, "transcript.final")
    return [
        index
        for index, said in enumerate(truth.utterances)
        if not said.backchannel and not any(overlaps(final, said) for final in finals)
    ]


def match_cards(cards: Iterable[Message], phrases: Sequence[Phrase]) -> tuple[set[str], list[tuple[float, float]]]:
    """Cards that belong to a phrase of their label, and (that phrase's end, how long after it they came)."""
    matched, lags = set(), []
    for card in cards:
        end_s = card["caused_by"]["phrase_end_ms"] / 1000
        fitting = [
            phrase
            for phrase in phrases
            if card["card"]["cue_id"] in phrase.labels and phrase.start - EARLY_S <= end_s <= phrase.end + LATE_S
        ]
        if fitting:
            matched.add(card["card"]["id"])
            nearest = min(fitting, key=lambda phrase: abs(phrase.end - end_s))
            lags.append((nearest.end, card["at"] - nearest.end))
    return matched, lags


def sequence_gaps(messages: Iterable[Message]) -> int:
    """Events that never came, by their numbers."""
    seen = sorted(message["seq"] for message in messages if message.get("seq"))
    return seen[-1] - len(set(seen)) if seen else 0


def transcript(messages: Iterable[Message], *, revised: bool = False) -> list[Message]:
    """The final texts in the order they were spoken; ``revised`` as the second pass left them.

    A revision replaces the text of its utterance, or takes it away when it is empty.
    """
    lines: dict[str, Message] = {}
    for message in messages:
        is_second_pass = message["type"] == "transcript.revised" and message.get("reason") == "second_pass"
        if message["type"] == "transcript.final" or (revised and is_second_pass):
            lines[message["utterance_id"]] = message
    return sorted((line for line in lines.values() if line["text"]), key=lambda line: line["start_ms"])
