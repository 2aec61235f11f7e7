"""The call on one time axis, as an SVG without script: stages, who spoke, cards, steps, silences and holds."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.review import turns
from copilot.review.model import CardRow, Span
from copilot.review.view import View
from copilot.review.wording import clock

TICKS = 4
LANES = {"stages": 0, "rep": 28, "customer": 56, "cards": 84, "step": 112}
HEIGHT = 20
FAREWELL = 3.5
"""Per cent of the width below which a stage's name would be unreadable."""


def chart(view: View) -> str:
    """The chart with its lane names and legend; empty for a call of no length."""
    if not view.report.call.duration_ms:
        return ""
    names = "".join(f"<li>{view.w(lane)}</li>" for lane in LANES)
    shapes = "".join((*_axis(view), *_stages(view), *_speech(view), *_holes(view), *_cards(view), *_steps(view)))
    label = view.w("timeline")
    return (
        f'<div class="chart"><ul class="lanes" aria-hidden="true">{names}</ul>'
        f'<svg role="img" aria-label="{label}" height="150">{shapes}</svg></div>{_legend(view)}'
    )


def _x(view: View, ms: int) -> float:
    return min(100.0, max(0.0, ms * 100 / view.report.call.duration_ms))


def _bar(view: View, span: Span, y: int, height: int, css: str, title: str) -> str:
    x = _x(view, span.start_ms)
    width = max(0.15, _x(view, span.end_ms) - x)
    return (
        f'<rect class="{css}" x="{x:.2f}%" y="{y}" width="{width:.2f}%" height="{height}" rx="2">'
        f"<title>{title}</title></rect>"
    )


def _axis(view: View) -> Iterator[str]:
    for speaker in ("rep", "customer"):
        yield f'<rect class="lane" x="0" y="{LANES[speaker]}" width="100%" height="{HEIGHT}" rx="2"/>'
    for index in range(TICKS + 1):
        share = index / TICKS
        anchor = "start" if index == 0 else "end" if index == TICKS else "middle"
        x = f"{share * 100:.0f}%"
        yield f'<line class="tick" x1="{x}" x2="{x}" y1="24" y2="134"/>'
        yield f'<text x="{x}" y="148" text-anchor="{anchor}">{clock(view.report.call.duration_ms * share)}</text>'


def _stages(view: View) -> Iterator[str]:
    for stage in view.report.stages:
        x, end = _x(view, stage.span.start_ms), _x(view, stage.span.end_ms)
        title = f"{view.e(stage.title)} {clock(stage.span.start_ms)}"
        yield _bar(view, stage.span, LANES["stages"], HEIGHT, "stage", title)
        if end - x > FAREWELL:
            yield (
                f'<svg x="{x:.2f}%" y="0" width="{end - x:.2f}%" height="{HEIGHT}" overflow="hidden">'
                f'<text class="stagename" x="6" y="14">{view.e(stage.title)}</text></svg>'
            )


def _speech(view: View) -> Iterator[str]:
    for line in view.report.transcript:
        css = "r" if line.speaker == "rep" else "c"
        height = HEIGHT // 2 if line.is_backchannel else HEIGHT
        span = Span(start_ms=line.start_ms, end_ms=line.end_ms)
        y = LANES[line.speaker] + (HEIGHT - height) // 2
        yield _bar(view, span, y, height, css, f"{clock(line.start_ms)} {view.e(line.text)}")


def _holes(view: View) -> Iterator[str]:
    """Silences and holds run through both lanes."""
    quality = view.report.quality
    for span in turns.silences(view.report.transcript, quality.pauses):
        yield _bar(view, span, LANES["rep"], 48, "hole", view.w("silence"))
    for pause in quality.pauses:
        yield _bar(view, pause.span, LANES["rep"], 48, "hole", f"{view.w('pauses')}: {view.w(pause.reason)}")


def _cards(view: View) -> Iterator[str]:
    for card in view.report.cards:
        title = f"{clock(card.at_ms)} {view.e(card.headline)} ({view.w(card.state)})"
        yield _dot(view, card.at_ms, LANES["cards"], card_tone(card), title)


def _steps(view: View) -> Iterator[str]:
    tones = {"done": "ok", "done_late": "warn"}
    for step in view.report.procedure.steps:
        if step.at_ms is not None:
            title = f"{clock(step.at_ms)} {view.e(step.title)}"
            yield _dot(view, step.at_ms, LANES["step"], tones[step.verdict], title)


def _dot(view: View, at_ms: int, y: int, tone: str, title: str) -> str:
    return (
        f'<circle class="m-{tone}" cx="{_x(view, at_ms):.2f}%" cy="{y + HEIGHT // 2}" r="5">'
        f"<title>{title}</title></circle>"
    )


def card_tone(card: CardRow) -> str:
    """Good: acted on or used. Bad: not acted on or too late. Muted: never shown."""
    if card.state == "suppressed":
        return "mute"
    if card.outcome == "adhered" or (card.outcome == "undetermined" and card.state == "acked"):
        return "ok"
    return "bad" if card.outcome in ("not_adhered", "too_late") else "warn"


def _legend(view: View) -> str:
    entries = (
        ("r", view.w("rep")),
        ("c", view.w("customer")),
        ("ok", f"{view.w('adhered')} / {view.w('done')}"),
        ("warn", f"{view.w('shown')} / {view.w('done_late')}"),
        ("bad", view.w("not_adhered")),
        ("", view.w("suppressed")),
        ("hole", f"{view.w('silence')} / {view.w('pauses')}"),
    )
    items = "".join(f'<li><span class="dot {css}"></span>{text}</li>' for css, text in entries)
    return f'<ul class="legend">{items}</ul>'
