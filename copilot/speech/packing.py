"""Utterances of one channel, close together for the second pass, and whose word is whose in what comes back.

Packed time is that of the stretches laid end to end with ``REVISION_GAP_MS`` of silence between them. Utterances that
follow each other without a pause share a stretch: speech that had to be cut is whole again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from copilot.events import REVISION_GAP_MS, Frozen, Heard, Hypothesis, Word

Span = tuple[int, int]
REACH: Final = 4
"""Words (Chinese: characters) by which the times of words may be wrong at a pause."""


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

    Word times are packed time. Times are vague at pauses: a border moves by a few words that were heard live on its
    other side. The text is cut where an utterance's first word begins, so it keeps its spaces and
    marks. Words that are not in the text cannot be dealt out: without any, there is nothing for anybody.
    """
    stretches = spans(spoken)
    words, places = _placed(hypothesis)
    owners = [_nearest(spoken, media_ms(stretches, (word.start_ms + word.end_ms) // 2)) for word in words]
    starts = [
        next((index for index, owner in enumerate(owners) if owner >= each), len(words)) for each in _range(spoken)
    ]
    starts = [0, *starts[1:], len(words)]
    for border in range(1, len(spoken)):
        starts[border] = _snapped(words, starts, border, spoken[border - 1].heard.text, spoken[border].heard.text)
    cuts = [0, *(places[start] if start < len(words) else len(hypothesis.text) for start in starts[1:])]
    timed = [_on_media_time(word, stretches) for word in words]
    return [
        Share(
            text=hypothesis.text[cuts[each] : cuts[each + 1]].strip(),
            words=tuple(timed[starts[each] : starts[each + 1]]),
        )
        if starts[each] < starts[each + 1]
        else Share()
        for each in _range(spoken)
    ]


def _range(spoken: Sequence[Spoken]) -> range:
    return range(len(spoken))


def _placed(hypothesis: Hypothesis) -> tuple[list[Word], list[int]]:
    """The words that are in the text, and where."""
    words: list[Word] = []
    places: list[int] = []
    cursor = 0
    for word in hypothesis.words:
        place = hypothesis.text.find(word.text, cursor) if word.text else -1
        if place >= 0:
            words.append(word)
            places.append(place)
            cursor = place + len(word.text)
    return words, places


def _snapped(words: Sequence[Word], starts: Sequence[int], border: int, before: str, after: str) -> int:
    """Where the border belongs: words next to it change sides if the other side said just that and this one not."""
    low, here, high = starts[border - 1], starts[border], starts[border + 1]
    live_before, live_after = letters(before), letters(after)

    def to_the_right(cut: int) -> bool:
        moving, mine = _said(words[cut:here]), _said(words[low:here])
        keeps = _common(_said(words[low:cut])[::-1], live_before[::-1]) >= _common(mine[::-1], live_before[::-1])
        return bool(moving) and live_after.startswith(moving) and keeps

    def to_the_left(cut: int) -> bool:
        moving, mine = _said(words[here:cut]), _said(words[here:high])
        keeps = _common(_said(words[cut:high]), live_after) >= _common(mine, live_after)
        return bool(moving) and live_before.endswith(moving) and keeps

    earlier = [cut for cut in range(max(low, here - REACH), here) if to_the_right(cut)]
    later = [cut for cut in range(min(high, here + REACH), here, -1) if to_the_left(cut)]
    return next(iter([*earlier, *later]), here)


def _said(words: Sequence[Word]) -> str:
    return letters("".join(word.text for word in words))


def letters(text: str) -> str:
    """What is left of a text without case, spaces and marks."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _common(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


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
