"""The transcript of a finished log: every final utterance with the newest that was said about it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from copilot.wire.messages import AnyCallMessage, TranscriptFinal, TranscriptRevised


def as_it_stands(messages: Iterable[AnyCallMessage]) -> dict[str, TranscriptFinal]:
    """Final utterances by id, in the order they were told, revisions applied; those taken back are left out."""
    finals: dict[str, TranscriptFinal] = {}
    for message in messages:
        if isinstance(message, TranscriptFinal):
            finals[message.utterance_id] = message
        elif isinstance(message, TranscriptRevised) and (final := finals.get(message.utterance_id)):
            finals[message.utterance_id] = msgspec.structs.replace(
                final,
                text=message.text,
                speaker=message.speaker,
                confidence=final.confidence if message.confidence is None else message.confidence,
                words=final.words if message.words is None else message.words,
            )
    return {utterance_id: final for utterance_id, final in finals.items() if final.text}
