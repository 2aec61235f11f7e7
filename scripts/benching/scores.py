"""Figures from runs: of one call, of a language, of a load. All go into the JSON under the names they have here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import lags
from .fleet import FleetRun
from .lags import Message, of_type
from .phone import CallRun
from .scrape import loop_lag_p99_s
from .scrape import summary as metrics_summary
from .stats import quantile
from .truth import SPEAKERS, Truth
from .words import Counts, add_all, rate, text_errors

CUSTOMER_CARDS = ("objection", "compliance", "signal")
Figures = dict[str, Any]


def word_errors(truth: Truth, lines: Sequence[Message]) -> dict[str, Counts]:
    """Of final texts, both speakers together."""
    total: dict[str, Counts] = {}
    for speaker in SPEAKERS.values():
        heard = "\n".join(line["text"] for line in lines if line["speaker"] == speaker)
        add_all(total, text_errors(truth.said_by(speaker), heard, truth.lang))
    return total


def second_pass_errors(truth: Truth, messages: Sequence[Message]) -> dict[str, Counts]:
    """Of the texts that are stored, if there was a second pass at all; names as ``word_errors``, with ``stored_``."""
    if not any(revision["reason"] == "second_pass" for revision in of_type(messages, "transcript.revised")):
        return {}
    stored = word_errors(truth, lags.transcript(messages, revised=True))
    return {f"stored_{name}": counts for name, counts in stored.items()}


def call_figures(truth: Truth, messages: Sequence[Message]) -> Figures:
    """One whole call. Lags are (when, seconds); see ``lags``."""
    cards = [card for card in of_type(messages, "card.raised") if card["caused_by"]]
    matched, card_lags = lags.match_cards(cards, truth.labelled)
    changes = of_type(messages, "step.changed")
    done = {change["step_id"] for change in changes if change["state"] in ("done", "done_late")}
    customer = [card for card in cards if card["card"]["cue_id"].split(".")[0] in CUSTOMER_CARDS]
    false = [card for card in customer if card["card"]["id"] not in matched]
    found = {card["card"]["cue_id"] for card in cards}
    return {
        "final_lags": lags.final_lags(truth, messages),
        "first_text_lags": lags.first_text_lags(truth, messages),
        "unheard": lags.unheard(truth, messages),
        "utterances": len(truth.utterances),
        "card_lags": card_lags,
        "cards_right": len(customer) - len(false),
        "cards": len(customer),
        "false_cards": [f"{card['card']['cue_id']}: {card['caused_by']['quote']}" for card in false],
        "labels": len(truth.cues),
        "labels_found": len(truth.cues & found),
        "labels_missed": sorted(truth.cues - found),
        "steps_right": len(done & truth.steps),
        "steps_done": len(done),
        "steps_wanted": len(truth.steps),
        "steps_missed": sorted(truth.steps - done),
        "steps_false": sorted(done - truth.steps),
        **word_errors(truth, lags.transcript(messages)),
        **second_pass_errors(truth, messages),
    }


def summary(calls: Iterable[Figures]) -> Figures:
    """Several calls of one language together."""
    calls = list(calls)
    totals: dict[str, Counts] = {}
    for call in calls:
        add_all(totals, {name: counts for name, counts in call.items() if name.endswith(("errors", "pinyin"))})

    def seconds(key: str) -> list[float]:
        return [lag for call in calls for _, lag in call[key]]

    out: Figures = {"calls": len(calls)}
    for name, counts in totals.items():
        out[name.replace("errors", "error_rate").replace("pinyin", "pinyin_error_rate")] = round(rate(counts), 4)
    for name, key in (("final", "final_lags"), ("first_text", "first_text_lags"), ("card", "card_lags")):
        for percent in (50, 95):
            out[f"{name}_p{percent}_s"] = quantile(seconds(key), percent / 100)
    out["unheard"] = sum(len(call["unheard"]) for call in calls)
    for key in ("utterances", "cards", "cards_right", "labels", "labels_found"):
        out[key] = sum(call[key] for call in calls)
    for key in ("steps_wanted", "steps_done", "steps_right"):
        out[key] = sum(call[key] for call in calls)
    return out


def lost(call: CallRun, messages: Sequence[Message]) -> Figures:
    """What did not get through, on one call that was taken: all zero or empty when all is well."""
    ended = of_type(messages, "call.ended")
    told = tuple(ended[0]["sha256"]) if ended else ()
    totals = ended[0]["totals"] if ended else {"duration_ms": 0, "gaps_ms": 0}
    return {
        "audio_ms": max(int(call.sent_s * 1000) - totals["duration_ms"], 0),
        "gap_ms": totals["gaps_ms"],
        "nacks": call.nacks,
        "messages": lags.sequence_gaps(messages),
        "endings": int(not ended),
        "altered": int(bool(told) and told != call.tape.sha256(call.sent_samples)),
    }


def load_figures(run: FleetRun, heard: Sequence[tuple[CallRun, list[Message]]]) -> Figures:
    """The whole run: latency over all calls and while every line was busy, cost, losses, refusals."""
    everything, busy, texts, cards = [], [], [], []
    endings = [call.ended - call.hung_up for call, _ in heard if call.hung_up]
    total_lost: Counter[str] = Counter()
    unheard: list[tuple[str, int]] = []
    speech_s = 0.0
    for call, messages in heard:
        truth = call.tape.truth.until(call.sent_s)
        speech_s += truth.speech_s
        total_lost.update(lost(call, messages))
        finals = lags.final_lags(truth, messages)
        everything += [lag for _, lag in finals]
        busy += [lag for end, lag in finals if run.all_started <= call.began + end <= run.first_idle]
        texts += [lag for _, lag in lags.first_text_lags(truth, messages)]
        triggered = [card for card in of_type(messages, "card.raised") if card["caused_by"]]
        cards += [lag for _, lag in lags.match_cards(triggered, truth.labelled)[1]]
        unheard += [(call.tape.name, index) for index in lags.unheard(truth, messages)]
    latency = {"final": everything, "busy_final": busy, "first_text": texts, "card": cards, "ending": endings}
    return {
        "lines": run.plan.lines,
        "calls": len(heard),
        "finals": len(everything),
        **{f"{name}_p{p}_s": quantile(values, p / 100) for name, values in latency.items() for p in (50, 95, 99)},
        "lost": dict(total_lost),
        "unheard": unheard,
        "troubles": dict(Counter(call.trouble for call in run.calls if call.trouble)),
        "refusals": refusals(run.calls),
        **cost(run, speech_s),
    }


def refusals(calls: Iterable[CallRun]) -> Figures:
    refused = [call.refusal for call in calls if call.refusal]
    after_ms = [refusal.after_s * 1000 for refusal in refused]
    return {
        "number": len(refused),
        "p50_ms": quantile(after_ms, 0.5, 1),
        "p95_ms": quantile(after_ms, 0.95, 1),
        "with_retry_after": sum(refusal.retry_after_s is not None for refusal in refused),
        "retry_after_s": max((refusal.retry_after_s or 0.0 for refusal in refused), default=None),
        "codes": dict(Counter(f"{refusal.status} {refusal.code}" for refusal in refused)),
    }


def cost(run: FleetRun, speech_s: float) -> Figures:
    """Of the server's process, and of the client to tell whether it stood in the way."""
    samples = run.usage.samples
    used_s = samples[-1][1] - samples[0][1] if samples else 0.0
    audio_s = sum(call.sent_s for call in run.calls)
    late_ms = [late * 1000 for call in run.calls for late in call.late_s]
    metrics = metrics_summary(run.usage.readings)
    return {
        "audio_s": round(audio_s, 1),
        "speech_s": round(speech_s, 1),
        "cpu_s_per_audio_s": round(used_s / audio_s, 4) if audio_s else None,
        "cpu_s_per_speech_s": round(used_s / speech_s, 4) if speech_s else None,
        "cores_used": round(used_s / (run.ended - run.began), 2),
        "resident_mb": round(max((resident for _, _, resident in samples), default=0.0), 1),
        "loop_lag_p99_s": loop_lag_p99_s(metrics),
        "client_cores_used": round(run.client_cpu_s / (run.ended - run.began), 3),
        "client_late_p99_ms": quantile(late_ms, 0.99, 1),
        "unsent_bytes": max((call.unsent_bytes for call in run.calls), default=0),
        "metrics": metrics,
    }


def verdict(figures: Mapping[str, Any], bound_s: float, never_heard: Mapping[str, set[int]]) -> str:
    """Why a load was too much, or nothing. ``never_heard``: utterances that an idle machine does not hear either."""
    p95 = figures["busy_final_p95_s"]
    if p95 is None or p95 > bound_s:
        return f"p95 {p95} s"
    lost = {name: value for name, value in figures["lost"].items() if value}
    if lost or figures["troubles"]:
        return f"lost {lost or figures['troubles']}"
    if figures["refusals"]["number"]:
        return f"refused {figures['refusals']['number']}"
    missing = {(name, index) for name, index in figures["unheard"] if index not in never_heard.get(name, set())}
    return f"unheard {len(missing)}" if missing else ""
