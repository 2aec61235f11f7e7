"""A report as one self-contained HTML page: no script, no request but the audio's, printable, light and dark."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Literal
from urllib.parse import urlsplit

from copilot.review.chart import card_tone
from copilot.review.markdown import render_markdown
from copilot.review.model import Measure, Report
from copilot.review.sections import DASH, SECTIONS
from copilot.review.style import CSS
from copilot.review.view import View
from copilot.review.wording import amount, clock, word

__all__ = ["render_html", "render_markdown"]

STYLE_SOURCE = f"'sha256-{b64encode(sha256(CSS.encode()).digest()).decode()}'"
"""The page's only style, as a Content-Security-Policy source."""


def render_html(report: Report, *, language: Literal["en", "zh"], audio_url: str = "") -> str:
    """The page. With ``audio_url`` it holds a player, and every moment is a link that plays from there.

    Raises UsageError (``report.audio_url``) when the URL is not one a page may link to.
    """
    view = View(report, language, audio_url)
    body = _header(view) + "".join(section(view) for section in SECTIONS)
    title = f"{word('title', language)} {report.call.call_id}"
    return (
        f'<!doctype html>\n<html lang="{"zh-CN" if language == "zh" else "en"}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(view.audio_url)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{view.e(title)}</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n<footer>{view.w('made_from')}</footer>\n</main>\n</body>\n</html>\n"
    )


def policy(audio_url: str) -> str:
    """Nothing may load or run but this page's own style and its audio."""
    rules = ["default-src 'none'", f"style-src {STYLE_SOURCE}", "base-uri 'none'", "form-action 'none'"]
    if audio_url:
        rules.append(f"media-src {_origin(audio_url)}")
    return "; ".join(rules)


def _origin(url: str) -> str:
    """What a policy calls the place a URL points to."""
    parts = urlsplit(url)
    if parts.netloc:
        return f"{parts.scheme}://{parts.netloc}" if parts.scheme else parts.netloc
    return f"{parts.scheme}:" if parts.scheme else "'self'"


# --- the head of the page -------------------------------------------------------------------------------------


def _header(view: View) -> str:
    call = view.report.call
    names = [name for name in (call.customer_ref, call.rep_id) if name]
    who = " · ".join(names) or call.call_id
    notice = "" if call.is_complete else f'<p class="notice">{view.w("incomplete")}</p>'
    if call.roles_swapped:
        notice += f'<p class="notice">{view.w("roles_swapped")}</p>'
    if any(item.stage == "channels" for item in view.report.quality.impairments):
        notice += f'<p class="notice">{view.w("same_channels")}</p>'
    audio = f'<audio controls preload="metadata" src="{view.e(view.audio_url)}"></audio>' if view.audio_url else ""
    return (
        f'<header><div class="top"><div><h1>{view.w("title")}</h1><p class="who">{view.e(who)}</p>{_facts(view)}</div>'
        f"{_level(view)}</div>{notice}{_tiles(view)}{audio}</header>"
    )


def _facts(view: View) -> str:
    call = view.report.call
    facts = (
        ("started", call.started_at[:16].replace("T", " ") + " UTC"),
        ("duration", clock(call.duration_ms)),
        ("direction", word(call.direction, view.language)),
        ("ended", word(call.end_reason, view.language)),
        ("campaign", call.campaign),
        ("playbook", f"{call.playbook_title} {call.playbook_version}"),
        ("call_id", call.call_id),
        ("external_id", call.external_id),
    )
    items = "".join(f"<li>{view.w(key)} <b>{view.e(value)}</b></li>" for key, value in facts if value)
    return f'<ul class="facts">{items}</ul>'


def _level(view: View) -> str:
    """The level as a number and five bars."""
    maturity = view.report.procedure.maturity
    reached = maturity.level or 0
    bars = "".join(
        f'<rect class="{"on" if index < reached else "off"}" x="{index * 20 + 1}%" width="18%" height="8" rx="3"/>'
        for index in range(5)
    )
    shown = f"<b>L{reached}</b>" if reached else f'<b class="none">{view.w("undetermined")}</b>'
    note = f" ({view.w('provisional')})" if maturity.is_provisional and reached else ""
    return (
        f'<div class="level">{shown}<svg class="steps5" aria-hidden="true">{bars}</svg>'
        f'<span class="soft">{view.w("maturity")}{note}</span></div>'
    )


def _tiles(view: View) -> str:
    report = view.report
    shown = [card for card in report.cards if card.state != "suppressed"]
    followed = sum(card_tone(card) == "ok" for card in shown)
    ratio = report.talk.measures["talk_ratio"]
    tiles = [
        _tile(view, "coverage", amount(report.procedure.coverage, view.language), _source(report.procedure.coverage)),
        _tile(view, "order", amount(report.procedure.order, view.language), _source(report.procedure.order)),
        _tile(
            view, "timeliness", amount(report.procedure.timeliness, view.language), _source(report.procedure.timeliness)
        ),
        _tile(view, "talk_ratio", amount(ratio, view.language), view.w("rep"), tone=ratio.attention),
        _tile(view, "objections", str(len(report.objections)), _recovery(view)),
        _tile(view, "cards", str(len(shown)), f"{followed} {view.w('adhered')}"),
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _tile(view: View, key: str, value: str, note: str, *, tone: str = "none") -> str:
    css = "" if tone == "none" else f' class="{tone}"'
    return f'<div class="tile"><span>{view.w(key)}</span><b{css}>{view.e(value)}</b><small>{note}</small></div>'


def _source(measure: Measure) -> str:
    return f"{measure.numerator:g} / {measure.denominator:g}" if measure.denominator else DASH


def _recovery(view: View) -> str:
    recovery = view.report.objection_recovery
    return f"{recovery.numerator:.0f} / {recovery.denominator:.0f} {view.w('recovered')}"
