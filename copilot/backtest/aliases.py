"""Labels of other people's files and what they are called in a playbook. One table, read from top to bottom.

The first name that a playbook has is the closest; all that it has count as right. ``*`` ends a prefix. A label that
stands for nothing (small talk, hard negatives) has no names. Any label that a playbook has itself stands for itself,
and ``obj_x`` for ``objection.x``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

Truth = tuple[str, ...]

ALIASES: Final[dict[str, Truth]] = {
    "obj_price": ("objection.price",),
    "obj_no_need": ("objection.no_need",),
    "obj_not_now": ("objection.not_now",),
    "obj_later": ("objection.not_now",),
    "obj_have_one": ("objection.have_one", "objection.competitor", "objection.no_need"),
    "obj_competitor": ("objection.competitor", "objection.have_one"),
    "obj_trust": ("objection.trust",),
    "obj_authority": ("objection.authority",),
    "obj_send_info": ("objection.send_info",),
    "obj_complaint": ("objection.complaint",),
    "complaint": ("objection.complaint",),
    "buy_signal": ("signal.buying",),
    "buying": ("signal.buying",),
    "question": ("signal.question",),
    "customer_question": ("signal.question",),
    "sop_opening": ("opening.*",),
    "sop_consent": ("opening.recording_notice", "opening.permission"),
    "sop_rapport": ("rapport.*",),
    "sop_discovery": ("discovery.*",),
    "sop_value": ("pitch.value",),
    "sop_pitch": ("pitch.value",),
    "sop_trial_close": ("trial_close.check", "trial_close.*"),
    "sop_objection_handling": ("objection.handled",),
    "sop_closing": ("close.*",),
    "sop_close": ("close.*",),
    "forbidden": ("compliance.forbidden",),
    "none": (),
    "neutral": (),
    "other": (),
    "neutral_*": (),
    "none_*": (),
}


def truth_of(label: str, known: Sequence[str]) -> Truth | None:
    """The labels of a playbook that ``label`` stands for, closest first; empty for "nothing"; None when unknown."""
    for own in (label, f"objection.{label.removeprefix('obj_')}"):
        if own in known and label not in ALIASES:
            return (own,)
    names = ALIASES.get(label)
    if names is None:
        names = next(
            (names for alias, names in ALIASES.items() if alias.endswith("*") and label.startswith(alias[:-1])), None
        )
    if names is None or not names:
        return names
    ours = tuple(dict.fromkeys(each for name in names for each in known if _is(name, each)))
    return ours or None


def _is(name: str, label: str) -> bool:
    return label.startswith(name[:-1]) if name.endswith("*") else name == label
