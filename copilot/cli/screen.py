"""A call in the terminal: the transcript as it grows, cards as they come, steps as they tick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from copilot.wire import messages as wire

SPEAKER_STYLE = {"rep": "cyan", "customer": "yellow"}
CARD_STYLE = {"compliance": "bold red", "objection": "bold magenta", "signal": "bold green"}
STEP_MARK = {"done": "✓", "done_late": "✓ late", "warned": "… due soon:", "overdue": "! overdue:"}
TROUBLES = {
    "interims_slow": "busy: text comes in slower",
    "interims_off": "busy: text comes sentence by sentence",
    "recogniser_small": "busy: recognition takes shortcuts",
    "semantic_off": "busy: only cues by wording",
    "record_only": "recording only: no text for what is said now",
    "recognition": "recognition is late",
    "channels": "the channels may be mixed up",
    "storage": "the recording cannot be saved",
}
CLOSINGS = {
    "acked": "used",
    "expired": "its time is over",
    "superseded": "a more important one came",
    "moment_passed": "its moment has passed",
    "call_ended": "the call has ended",
}
CARD_WIDTH = 66


def clock(ms: int) -> str:
    """Media time as m:ss."""
    return f"{ms // 60_000}:{ms // 1000 % 60:02d}"


class Screen:
    """Prints what matters of each message; interim text is left out so that the output can be read afterwards."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._titles: dict[str, str] = {}
        self._cards: dict[str, str] = {}
        self._shows: dict[type, Callable[[Any], None]] = {
            wire.CallOpened: self._opened,
            wire.TranscriptFinal: self._final,
            wire.CardRaised: self._card,
            wire.CardClosed: self._closed,
            wire.StepChangedMessage: self._step,
            wire.StageChangedMessage: self._stage,
            wire.ServiceDegradedMessage: self._degraded,
            wire.ServiceRestored: self._restored,
            wire.CallPaused: self._paused,
        }

    def show(self, message: object) -> None:
        """Print one message of the call."""
        if show := self._shows.get(type(message)):
            show(message)

    def _line(self, pos_ms: int, text: Text) -> None:
        self._console.print(Text.assemble((f"{clock(pos_ms):>6}  ", "dim"), text))

    def _opened(self, message: wire.CallOpened) -> None:
        self._titles = {step.id: step.title for step in message.steps}
        self._titles |= {stage.id: stage.title for stage in message.stages}

    def _final(self, message: wire.TranscriptFinal) -> None:
        name = f"{message.speaker:<9}"
        self._line(message.start_ms, Text.assemble((name, SPEAKER_STYLE[message.speaker]), message.text))

    def _card(self, message: wire.CardRaised) -> None:
        card = message.card
        self._cards[card.id] = card.headline
        body = Text("\n".join(card.lines))
        if message.caused_by:
            body.append(f"\n“{message.caused_by.quote}”", style="italic dim")
        delay = message.ledger.sent - message.ledger.phrase_end
        subtitle = f"{clock(message.pos_ms)} · {delay / 1000:.1f} s after it was said" if message.caused_by else None
        style = CARD_STYLE.get(card.kind, "bold blue")
        title = Text(card.headline, style=style)
        self._console.print(
            Panel(body, title=title, subtitle=subtitle, title_align="left", width=CARD_WIDTH, border_style=style),
            new_line_start=True,
        )

    def _closed(self, message: wire.CardClosed) -> None:
        headline = self._cards.pop(message.card_id, message.card_id)
        why = CLOSINGS.get(message.state) or CLOSINGS.get(message.reason) or message.reason.replace("_", " ")
        self._line(message.pos_ms, Text(f"card gone: {headline} ({why})", style="dim"))

    def _step(self, message: wire.StepChangedMessage) -> None:
        if mark := STEP_MARK.get(message.state):
            style = "green" if message.state.startswith("done") else "dark_orange"
            title = self._titles.get(message.step_id, message.step_id)
            self._line(message.pos_ms, Text(f"{mark} {title}", style=style))

    def _stage(self, message: wire.StageChangedMessage) -> None:
        title = self._titles.get(message.stage_id, message.stage_id)
        self._line(message.pos_ms, Text(f"── {title} ──", style="bold"))

    def _degraded(self, message: wire.ServiceDegradedMessage) -> None:
        trouble = TROUBLES.get(message.stage, message.stage)
        self._line(message.pos_ms, Text(trouble, style="dark_orange"))

    def _restored(self, message: wire.ServiceRestored) -> None:
        trouble = TROUBLES.get(message.stage, message.stage)
        self._line(message.pos_ms, Text(f"no longer: {trouble}", style="dim"))

    def _paused(self, message: wire.CallPaused) -> None:
        self._line(message.pos_ms, Text(f"paused: {message.reason}", style="dim"))
