"""Each objection, what the rep answered, and whether the customer came back.

Recovered: within four turns after it (backchannels are no turns) there is a customer turn that is neither another
objection nor a refusal, or the call enters a later stage and the customer does not refuse there. Not recovered: the
customer spoke again in those turns, but only to refuse. Undetermined: the customer did not speak again and nothing
moved. Entering the objection stage itself is no progress.
"""

from __future__ import annotations

from collections.abc import Sequence

from copilot.events import Evidence
from copilot.playbook.model import Playbook
from copilot.review import forms
from copilot.review.evidence import Quotes, whole
from copilot.review.labels import Heard, heard
from copilot.review.model import ObjectionRow
from copilot.review.story import Story
from copilot.review.turns import Stretch, turns
from copilot.review.wording import label_title

RECOVERY_TURNS = 4
BUYING = "signal.buying"


def make_objections(story: Story, playbook: Playbook, quotes: Quotes) -> tuple[ObjectionRow, ...]:
    """One row per label and customer turn."""
    moments = heard(story, playbook, quotes, kind="objection", prefix="objection.", speaker="customer")
    talk = turns(story.lines)
    place = {line.utterance_id: index for index, turn in enumerate(talk) for line in turn.lines}
    titles = {rule.id: rule.title for rule in playbook.signals if rule.title}
    rows: list[ObjectionRow] = []
    seen: set[tuple[str, int]] = set()
    for moment in moments:
        at = place.get(moment.evidence.utterance_id, -1)
        if at < 0 or (moment.label, at) in seen:
            continue
        seen.add((moment.label, at))
        answer = _next(talk, at, "rep")
        reaction = _next(talk, at, "customer")
        rows.append(
            ObjectionRow(
                label=moment.label,
                title=label_title(moment.label, titles.get(moment.label, "")),
                evidence=moment.evidence,
                answer=answer,
                reaction=reaction,
                recovered=_is_recovered(story, playbook, talk, at, moments),
            )
        )
    return tuple(rows)


def _next(talk: Sequence[Stretch], at: int, speaker: str) -> Evidence | None:
    """The first line of the speaker's next turn."""
    for turn in talk[at + 1 :]:
        if turn.speaker == speaker:
            return whole(turn.lines[0])
    return None


def _is_recovered(
    story: Story, playbook: Playbook, talk: Sequence[Stretch], at: int, moments: Sequence[Heard]
) -> bool | None:
    window = talk[at + 1 : at + 1 + RECOVERY_TURNS]
    replies = [turn for turn in window if turn.speaker == "customer"]
    objecting = {moment.evidence.utterance_id for moment in moments}
    buying = {signal.utterance_id for signal in story.signals if signal.label == BUYING}
    if any(_is_friendly(turn, objecting, buying) for turn in replies):
        return True
    moved_ms = _moved(story, playbook, talk[at].span.end_ms, window[-1].span.end_ms) if window else None
    if moved_ms is not None and not any(turn.span.end_ms > moved_ms for turn in replies):
        return True
    return False if replies else None


def _is_friendly(turn: Stretch, objecting: set[str], buying: set[str]) -> bool:
    ids = {line.utterance_id for line in turn.lines}
    if ids & objecting:
        return False
    return bool(ids & buying) or not any(forms.is_negative(line.text) for line in turn.lines)


def _moved(story: Story, playbook: Playbook, start_ms: int, end_ms: int) -> int | None:
    """When the call entered a later stage than it was in, other than the one for objections."""
    rank = {stage.id: index for index, stage in enumerate(playbook.stages)}
    reached = max((rank.get(name, -1) for name, at_ms in story.stages if at_ms <= start_ms), default=-1)
    later = [
        at_ms
        for name, at_ms in story.stages
        if start_ms < at_ms <= end_ms and rank.get(name, -1) > reached and not name.startswith("objection")
    ]
    return min(later, default=None)
