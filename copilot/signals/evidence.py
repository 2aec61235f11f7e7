"""Where in a call something was said: an exact quote and its times."""

from __future__ import annotations

from copilot.events import Evidence, Utterance, Word


def cite(utterance: Utterance, start: int, end: int) -> Evidence:
    """The evidence for characters ``start``..``end`` of the utterance's text.

    Times come from the recogniser's words when it gave any; otherwise the utterance's time is shared out evenly over
    its characters, which is right to about half a second in a long utterance.
    """
    start_ms, end_ms = _times(utterance, start, end)
    return Evidence(
        utterance_id=utterance.id, quote=utterance.text[start:end], start_ms=start_ms, end_ms=max(start_ms, end_ms)
    )


def _times(utterance: Utterance, start: int, end: int) -> tuple[int, int]:
    said = [word for word, left, right in _placed(utterance) if left < end and right > start]
    if said:
        return _within(utterance, said[0].start_ms), _within(utterance, said[-1].end_ms)
    length, duration = max(1, len(utterance.text)), utterance.end_ms - utterance.start_ms
    return utterance.start_ms + duration * start // length, utterance.start_ms + duration * end // length


def _placed(utterance: Utterance) -> list[tuple[Word, int, int]]:
    """Each word with its offsets in the text; words that are not in the text (in order) are left out."""
    placed: list[tuple[Word, int, int]] = []
    at = 0
    for word in utterance.words:
        text = word.text.strip()
        found = utterance.text.find(text, at) if text else -1
        if found >= 0:
            at = found + len(text)
            placed.append((word, found, at))
    return placed


def _within(utterance: Utterance, ms: int) -> int:
    return min(max(ms, utterance.start_ms), utterance.end_ms)
