"""Utterances of one channel, close together for the second pass, and whose word is whose in what comes back.

Packed time is that of the stretches laid end to end with ``REVISION_GAP_MS`` of silence between them. Utterances that
follow each other without a pause share a stretch: speech that had to be cut is whole again.
"""

from __future__ import annotations

from collections.abc import Sequence

from copilot.events import REVISION_GAP_MS, Frozen, Heard, Hypothesis, Word

Span = tuple[int, int]


class Spoken(Frozen, frozen=True, kw_only=True):
    """A final as it was told live, and the stretch of audio (media ms) that holds it."""

    heard: Heard
    span: Span


class Share(Frozen, frozen=True, kw_only=True):
    """What of a hypothesis belongs to one utterance. Words have media time."""

    text: str = ""
    words: tuple[Word, ...] = ()


def spans(spoken: Sequence[Spoken]) -> tuple[Span, ...]:
    """The stretches to decode, in order; those that touch are one."""
    merged: list[Span] = []
    for begin_ms, end_ms in (each.span for each in spoken):
        if merged and begin_ms <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end_ms, merged[-1][1]))
        else:
            merged.append((begin_ms, end_ms))
    return tuple(merged)


def packed_ms(stretches: Sequence[Span]) -> int:
    """How long the stretches are with the silence between them."""
    return sum(end - begin for begin, end in stretches) + REVISION_GAP_MS * max(0, len(stretches) - 1)


def media_ms(stretches: Sequence[Span], at_ms: int) -> int:
    """Packed time as media time; a moment in a gap is the end of the stretch before it."""
    rest = at_ms
    for begin, end in stretches:
        if rest < end - begin + REVISION_GAP_MS:
            return begin + max(0, min(rest, end - begin))
        rest -= end - begin + REVISION_GAP_MS
    return stretches[-1][1]


def share(spoken: Sequence[Spoken], hypothesis: Hypothesis) -> list[Share]:
    """Deal the words out, each to the utterance its middle lies in or nearest to, in order, none twice, none lost.

    Word times are packed time. The text is cut where an utterance's first word begins, so it keeps its spaces and
    marks. Words that are not in the text cannot be dealt out: without any, there is nothing for anybody.
    """
    stretches = spans(spoken)
    words: list[list[Word]] = [[] for _ in spoken]
    cuts: list[tuple[int, int]] = []
    owner, cursor = 0, 0
    for word in hypothesis.words:
        found = hypothesis.text.find(word.text, cursor) if word.text else -1
        if found < 0:
            continue
        timed = _on_media_time(word, stretches)
        nearest = _nearest(spoken, media_ms(stretches, (word.start_ms + word.end_ms) // 2))
        if not cuts or nearest > owner:
            owner = max(owner, nearest)
            cuts.append((owner, found if cuts else 0))
        words[owner].append(timed)
        cursor = found + len(word.text)
    texts = dict.fromkeys(range(len(spoken)), "")
    for (index, start), end in zip(cuts, [*(at for _, at in cuts[1:]), len(hypothesis.text)], strict=False):
        texts[index] = hypothesis.text[start:end].strip()
    return [Share(text=texts[index], words=tuple(own)) for index, own in enumerate(words)]


def _on_media_time(word: Word, stretches: Sequence[Span]) -> Word:
    start_ms = media_ms(stretches, word.start_ms)
    return Word(
        text=word.text,
        start_ms=start_ms,
        end_ms=max(start_ms, media_ms(stretches, word.end_ms)),
        probability=word.probability,
    )


def _nearest(spoken: Sequence[Spoken], at_ms: int) -> int:
    def distance(index: int) -> int:
        heard = spoken[index].heard
        return max(heard.start_ms - at_ms, at_ms - heard.end_ms, 0)

    return min(range(len(spoken)), key=distance)
