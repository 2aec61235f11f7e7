"""The names of what the shipped classifier listens for, and from whom: a playbook may refer to no others."""

from __future__ import annotations

from typing import Final

from copilot.events import Speaker

INTENTS: Final[dict[str, Speaker]] = {
    "objection.price": "customer",
    "objection.no_need": "customer",
    "objection.have_one": "customer",
    "objection.not_now": "customer",
    "objection.competitor": "customer",
    "objection.trust": "customer",
    "objection.authority": "customer",
    "objection.send_info": "customer",
    "objection.complaint": "customer",
    "signal.buying": "customer",
    "signal.question": "customer",
    "opening.intro": "rep",
    "opening.recording_notice": "rep",
    "opening.permission": "rep",
    "rapport.small_talk": "rep",
    "discovery.need_question": "rep",
    "discovery.budget_question": "rep",
    "pitch.value": "rep",
    "trial_close.check": "rep",
    "objection.handled": "rep",
    "close.ask": "rep",
    "close.next_step": "rep",
    "close.recap": "rep",
    "compliance.forbidden": "rep",
}
"""An intent is only ever heard from this side of the conversation."""
