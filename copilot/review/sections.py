"""The sections of a report page, each a function from the view to HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from copilot.review.chart import card_tone, chart
from copilot.review.model import CardRow, Finding, Line, Measure, ObjectionRow, Spread, StepRow
from copilot.review.view import View
from copilot.review.wording import amount, clock, length

QUOTES_SHOWN = 3
TONES = {"high": "bad", "medium": "warn", "low": ""}
VERDICT_TONES = {"done": "ok", "done_late": "warn", "missing": "bad"}
DASH = "–"


def timeline(view: View) -> str:
    drawn = chart(view)
    return view.section("timeline", drawn) if drawn else ""


# --- deviations -----------------------------------------------------------------------------------------------


def deviations(view: View) -> str:
    parts = (("content", view.report.deviations.content), ("behaviour", view.report.deviations.behaviour))
    return '<div class="two">' + "".join(_findings(view, key, items) for key, items in parts) + "</div>"


def _findings(view: View, key: str, items: Sequence[Finding]) -> str:
    found = [item for item in items if item.status == "found"]
    unclear = [item for item in items if item.status == "undetermined"]
    body = "".join(_finding(view, item) for item in found) or f'<p class="soft">{view.w("nothing_found")}</p>'
    if unclear:
        names = "".join(f"<li>{view.text(item.title)}</li>" for item in unclear)
        label = f"{view.w('not_judged')} ({len(unclear)})"
        body += f'<details><summary>{label}</summary><ul class="small">{names}</ul></details>'
    return view.section(key, body)


def _finding(view: View, item: Finding) -> str:
    when = f' <span class="t">{clock(item.span.start_ms)}{DASH}{clock(item.span.end_ms)}</span>' if item.span else ""
    quotes = [view.quote(evidence) for evidence in item.evidence]
    shown = "".join(quotes[:QUOTES_SHOWN])
    if item.code == "step.missing":
        shown = f'<p class="soft small">{view.w("said_instead")}:</p>{shown}'
    if quotes[QUOTES_SHOWN:]:
        more = "".join(quotes[QUOTES_SHOWN:])
        shown += f"<details><summary>+ {len(quotes) - QUOTES_SHOWN}</summary>{more}</details>"
    return (
        f'<article class="finding {item.severity}">{view.chip(item.severity, TONES[item.severity])}{when}'
        f"<h4>{view.text(item.title)}</h4>{shown}"
        f'<p class="do"><b>{view.w("what_to_do")}:</b> {view.text(item.advice)}</p></article>'
    )


# --- procedure ------------------------------------------------------------------------------------------------


def procedure(view: View) -> str:
    """The steps in the playbook's order, under their stages."""
    steps = view.report.procedure.steps
    rows = []
    for index, step in enumerate(steps):
        if index == 0 or steps[index - 1].stage != step.stage:
            name = view.e(step.stage_title)
            rows.append(f'<tr class="stagerow"><th colspan="3" scope="colgroup">{name}</th></tr>')
        rows.append(_step(view, step))
    if not rows:
        return ""
    return view.section("procedure", f'<table class="plan"><tbody>{"".join(rows)}</tbody></table>')


def _step(view: View, step: StepRow) -> str:
    notes = []
    if step.critical:
        notes.append(view.chip("critical"))
    if step.violates or step.unprepared:
        notes.append(view.chip("out_of_order", "warn"))
    if step.by:
        notes.append(f'<span class="soft">{view.w("by_hand", by=step.by)}</span>')
    quote = view.quote(step.evidence) if step.evidence else ""
    when = view.at(step.at_ms) if step.at_ms is not None else DASH
    due = ""
    if step.deadline_ms is not None:
        due = f'<br><span class="soft small">{view.w("deadline")} {clock(step.deadline_ms)}</span>'
    return (
        f"<tr><td>{view.chip(step.verdict, VERDICT_TONES.get(step.verdict, ''))}</td>"
        f'<td><span class="title">{view.e(step.title)}</span> {" ".join(notes)}{quote}</td>'
        f'<td class="num">{when}{due}</td></tr>'
    )


# --- objections -----------------------------------------------------------------------------------------------


def objections(view: View) -> str:
    rows = view.report.objections
    if not rows:
        return view.section("objections", f'<p class="soft">{view.w("no_objections")}</p>')
    items = "".join(_objection(view, row) for row in rows)
    return view.section("objections", f'<ul class="rows">{items}</ul>')


def _objection(view: View, row: ObjectionRow) -> str:
    result = {True: ("recovered", "ok"), False: ("not_recovered", "bad"), None: ("undetermined", "")}[row.recovered]
    answer = view.quote(row.answer) if row.answer else f'<p class="soft small">{view.w("no_answer")}</p>'
    reaction = view.quote(row.reaction) if row.reaction else f'<p class="soft small">{view.w("no_reaction")}</p>'
    return (
        f"<li>{view.at(row.evidence.start_ms)}<div>"
        f'<span class="title">{view.text(row.title)}</span>{view.quote(row.evidence)}{answer}{reaction}</div>'
        f'<div class="right">{view.chip(*result)}</div></li>'
    )


# --- how it was said ------------------------------------------------------------------------------------------


def talk(view: View) -> str:
    groups = msgspec.structs.asdict(view.report.talk.groups)
    columns = "".join(
        f"<div><h3>{view.w(key)}</h3>{''.join(_measure(view, view.report.talk.measures[name]) for name in names)}</div>"
        for key, names in groups.items()
    )
    return view.section("talk", f'<div class="groups">{columns}</div>')


def _measure(view: View, measure: Measure) -> str:
    tone = "" if measure.attention == "none" else measure.attention
    source = f"{measure.numerator:g} / {measure.denominator:g}"
    return (
        f'<div class="talkrow" title="{view.e(source)}"><span>{view.w(measure.name)}</span>'
        f'<b class="{tone}">{view.e(amount(measure, view.language))}</b></div>'
    )


def stages(view: View) -> str:
    rows = "".join(
        f"<tr><td>{view.at(stage.span.start_ms)}</td><td>{view.e(stage.title)}</td>"
        f'<td class="num">{view.e(length(stage.span.length_ms, view.language))}</td>'
        f'<td class="num">{view.e(amount(stage.talk_ratio, view.language))}</td></tr>'
        for stage in view.report.stages
    )
    if not rows:
        return ""
    head = _head(view, "when", "stage", "length", "talk_ratio", numbers=2)
    return view.section("stages", f"<table>{head}<tbody>{rows}</tbody></table>")


def _head(view: View, *keys: str, numbers: int) -> str:
    """A table head whose last ``numbers`` columns hold numbers."""
    cells = [
        f'<th scope="col"{" class=num" if index >= len(keys) - numbers else ""}>{view.w(key)}</th>'
        for index, key in enumerate(keys)
    ]
    return f"<thead><tr>{''.join(cells)}</tr></thead>"


# --- cards ----------------------------------------------------------------------------------------------------


def cards(view: View) -> str:
    shown = [card for card in view.report.cards if card.state != "suppressed"]
    held = [card for card in view.report.cards if card.state == "suppressed"]
    body = f'<ul class="rows">{"".join(_card(view, card) for card in shown)}</ul>'
    if not shown:
        body = f'<p class="soft">{view.w("no_cards")}</p>'
    if held:
        rows = "".join(_card(view, card) for card in held)
        body += (
            f'<details><summary>{view.w("held_back", count=len(held))}</summary><ul class="rows">{rows}</ul></details>'
        )
    return view.section("cards", body)


def _card(view: View, card: CardRow) -> str:
    chips = [view.chip(card.state)]
    if card.outcome != "undetermined":
        chips = [view.chip(card.outcome, card_tone(card))]
    if card.feedback:
        chips.append(view.chip(card.feedback))
    reason = card.suppressed_reason or card.close_reason
    why = " · ".join(part for part in (card.why, reason) if part)
    return (
        f'<li>{view.at(card.at_ms)}<div><span class="title">{view.e(card.headline)}</span> '
        f'<span class="soft small">{view.e(card.cue_id)}</span>{_trigger(view, card)}'
        f'<p class="soft small">{view.e(why)}</p></div>'
        f'<div class="right">{" ".join(chips)}{_latency(view, card)}</div></li>'
    )


def _trigger(view: View, card: CardRow) -> str:
    if card.evidence:
        return view.quote(card.evidence)
    if card.heard:
        return f'<p class="soft small">“{view.e(card.heard)}” ({view.w("revised_since")})</p>'
    return f'<p class="soft small">{view.w("no_words")}</p>'


def _latency(view: View, card: CardRow) -> str:
    """The whole ledger, behind the one number that matters."""
    if not card.latency or not card.heard:
        return ""
    legs = (
        (leg, getattr(card.latency, leg))
        for leg in type(card.latency).__struct_fields__
        if not leg.startswith("phrase")
    )
    rows = "".join(f"<br>{view.w(leg)} {_ms(value)}" for leg, value in legs)
    total = f"{view.w('latency')} {_ms(card.latency.phrase_to_sent_ms)}"
    return f'<details class="small soft"><summary>{total}</summary>{rows.removeprefix("<br>")}</details>'


def _ms(value: float | None) -> str:
    return DASH if value is None else f"{value:.0f}&#8239;ms"


# --- transcript -----------------------------------------------------------------------------------------------


def transcript(view: View) -> str:
    lines = view.report.transcript
    if not lines:
        return view.section("transcript", f'<p class="soft">{view.w("no_transcript")}</p>')
    marks = _marks(view)
    return view.section("transcript", "".join(_line(view, line, marks.get(line.utterance_id, [])) for line in lines))


def _marks(view: View) -> dict[str, list[str]]:
    """What each line set off: steps ticked, cards raised."""
    marks: dict[str, list[str]] = {}
    for step in view.report.procedure.steps:
        if step.evidence:
            chip = f'<li class="chip {VERDICT_TONES[step.verdict]}">✓ {view.e(step.title)}</li>'
            marks.setdefault(step.evidence.utterance_id, []).append(chip)
    for card in view.report.cards:
        if card.evidence and card.state != "suppressed":
            chip = f'<li class="chip">▸ {view.e(card.headline)}</li>'
            marks.setdefault(card.evidence.utterance_id, []).append(chip)
    return marks


def _line(view: View, line: Line, marks: Sequence[str]) -> str:
    revised = f' <span class="soft small">({view.w("revised")})</span>' if line.is_revised else ""
    listed = f"<ul>{''.join(marks)}</ul>" if marks else ""
    css = "line back" if line.is_backchannel else "line"
    return (
        f'<div class="{css}" id="{view.anchor(line.utterance_id)}">{view.at(line.start_ms)}'
        f'{view.speaker(line.speaker)}<div class="body"><p>{view.e(line.text)}{revised}</p>{listed}</div></div>'
    )


# --- notes and quality ----------------------------------------------------------------------------------------


def notes(view: View) -> str:
    items = "".join(
        f"<li>{view.at(note.at_ms)}<div>{view.e(note.text) or view.w('mark')}</div>"
        f'<div class="right soft">{view.w(note.kind)} {view.e(note.by)}</div></li>'
        for note in view.report.notes
    )
    return view.section("notes", f'<ul class="rows">{items}</ul>') if items else ""


def quality(view: View) -> str:
    found = view.report.quality
    spreads = {"transcript_lag": found.transcript_lag, **found.card_latency}
    rows = "".join(_spread(view, name, spread) for name, spread in spreads.items() if spread.count)
    head = _head(view, "measure", "count", "median", "p95", numbers=3)
    table = f'<div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>' if rows else ""
    holes = [f"{view.w('gaps')}: {length(found.gaps_ms, view.language)}"]
    holes += [
        f"{view.w('pauses')}: {clock(pause.span.start_ms)}{DASH}{clock(pause.span.end_ms)}, {view.w(pause.reason)}"
        + ("" if pause.paused_ms is None else f" ({length(pause.paused_ms, view.language)})")
        for pause in found.pauses
    ]
    holes += [
        f"{view.w('impairments')}: {clock(item.span.start_ms)}{DASH}{clock(item.span.end_ms)}, "
        f"{view.e(item.stage)} ({view.e(item.reason)})"
        for item in found.impairments
    ]
    listed = "".join(f"<li>{hole}</li>" for hole in holes)
    return view.section("quality", f'{table}<ul class="small soft">{listed}</ul>')


def _spread(view: View, name: str, spread: Spread) -> str:
    return (
        f'<tr><td>{view.w(name)}</td><td class="num">{spread.count}</td>'
        f'<td class="num">{_ms(spread.median_ms)}</td><td class="num">{_ms(spread.p95_ms)}</td></tr>'
    )


SECTIONS: tuple[Callable[[View], str], ...] = (
    timeline,
    deviations,
    procedure,
    objections,
    talk,
    stages,
    cards,
    notes,
    transcript,
    quality,
)
