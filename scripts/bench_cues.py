"""Measure what is understood: signals, cards and steps against the truth, false alarms on unrelated talk, cost.

The calls of DIR are played as text, each true utterance known when it ends: that takes seconds, and no mistake is the
recogniser's. With `--recognised` they go through the real recogniser in virtual time instead, and latencies are those
of a machine with nothing else to do. Unrelated talk is text in any case; recordings without speech need `--recognised`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benching import verdicts
from benching.chatter import Dialogue, dialogues
from benching.lags import Message, of_type
from benching.report import emit, machine, people, show
from benching.stats import quantile
from benching.studio import Line, Studio, spoken
from benching.truth import Phrase, Truth, load_truth
from benching.verdicts import Event, Found, Steps, Tally
from benching.virtual import Listener, as_language

from copilot.backtest.score import Fit, Scorer, fit
from copilot.config import Settings, load_settings
from copilot.engines.suite import Encoder, Suite, load_encoder, load_suite

Figures = dict[str, Any]
FALSE = ("objection.", "signal.buying", "compliance.")
"""What unrelated talk must not be taken for; a question is a question whoever asks it."""
GROUPS = {"objections": "objection.", "customer signals": "signal.", "forbidden": "compliance.", "all": ""}
COLUMNS = {"said": "said", "found": "found", "claimed": "claimed", "precision": "P", "recall": "R", "f1": "F1"}
LAGS = {"lag_p50_s": "p50 s", "lag_p95_s": "p95 s"}
NOT_OF_CUSTOMER = "objection.handled"
"""The rep's, in spite of its name."""


class Calls:
    """Calls of one language, as they were judged."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._missing = verdicts.missing_cues(studio.playbook)
        self.said: list[Event] = []
        self.signals: list[Found] = []
        self.cards: list[Found] = []
        self.held: list[Found] = []
        self.tricked: dict[str, list[str]] = {"signals": [], "cards": []}
        self.steps = Steps()
        self.held_back: Counter[str] = Counter()
        self.crowding: dict[str, dict[str, float]] = {}
        self.texts: list[tuple[Any, str]] = []
        self.seconds = 0.0

    def add(self, name: str, truth: Truth, messages: Sequence[Message], *, is_text: bool) -> None:
        heard, shown = verdicts.signals(name, messages, self.studio.labels), verdicts.cards(name, messages)
        negatives = verdicts.hard_negatives(name, truth)
        self.said += verdicts.events(name, truth, by_utterance=is_text)
        self.signals += heard
        self.cards += shown
        self.held += verdicts.cards(name, messages, "card.suppressed")
        self.tricked["signals"] += verdicts.tricked(negatives, heard)
        self.tricked["cards"] += verdicts.tricked(negatives, shown)
        self.steps.add(verdicts.steps(name, truth, messages, self._missing))
        self.held_back += verdicts.held_back(messages)
        self.crowding[name] = verdicts.crowding(messages)
        self.texts += [(line.speaker, line.text) for line in lines_of(truth, self.studio.longest_s)]
        self.seconds += truth.duration_s

    def figures(self) -> Figures:
        carded = {cue.id for cue in self.studio.playbook.cues}
        signals = verdicts.judge(self.said, self.signals)
        wanted = [event for event in self.said if event.label in carded]
        cards = verdicts.judge(wanted, self.cards)
        return {
            "calls": len(self.crowding),
            "signals": _by_label(signals),
            "cards": _by_label(cards),
            "false_cards_per_hour": round(sum(len(each.false) for each in cards.values()) * 3600 / self.seconds, 1),
            "hard_negatives_taken": self.tricked,
            "steps": self.steps.figures(),
            "step_errors": self.steps.errors,
            "held_back": dict(self.held_back),
            "without_card": verdicts.unseen(wanted, self.cards, self.held),
            "attention": self.crowding,
            "missed": {label: each.missed for label, each in signals.items() if each.missed},
            "false": {label: each.false for label, each in signals.items() if each.false},
            "false_cards": {label: each.false for label, each in cards.items() if each.false},
        }


def _by_label(tallies: dict[str, Tally]) -> dict[str, Figures]:
    """Each label, then groups of labels."""
    found = {label: tallies[label].figures() for label in sorted(tallies)}
    for group, beginning in GROUPS.items():
        total = Tally()
        for label, tally in tallies.items():
            if label.startswith(beginning) and (not beginning or label != NOT_OF_CUSTOMER):
                total.add(tally)
        found[group] = total.figures()
    return found


def lines_of(truth: Truth, longest_s: float) -> list[Line]:
    """The true utterances, cut between phrases where the recogniser would have cut them at the latest."""
    lines: list[Line] = []
    for said in truth.utterances:
        piece: list[Phrase] = []
        for phrase in [*said.phrases, None]:
            if piece and (phrase is None or phrase.end - piece[0].start > longest_s):
                text = (" " if truth.lang == "en" else "").join(each.text for each in piece)
                lines.append(Line(said.speaker, piece[0].start, piece[-1].end, text))  # type: ignore[arg-type]
                piece = []
            piece += [phrase] if phrase else []
    return lines


def play_calls(folder: Path, only: str, studios: dict[str, Studio], ears: Listener | None) -> dict[str, Calls]:
    found: dict[str, Calls] = {}
    for path in sorted(folder.glob("*.json")):
        truth = load_truth(path)
        if only not in path.stem or truth.lang not in studios:
            continue
        studio = studios[truth.lang]
        if ears:
            messages = ears.hear(path.with_suffix(".flac"), as_language(truth.lang))
        else:
            messages = studio.play(path.stem, lines_of(truth, studio.longest_s), truth.duration_s)
        found.setdefault(truth.lang, Calls(studio)).add(path.stem, truth, messages, is_text=ears is None)
        people.print(path.stem)
    return found


def chat(talks: Sequence[Dialogue], studio: Studio) -> Figures:
    """What unrelated talk of customers was taken for, per hour of it."""
    false: list[str] = []
    cards = 0
    for number, talk in enumerate(talks):
        messages = studio.play(f"{talk.corpus}{number}", spoken(talk), 0.0)
        false += [
            f"{signal['label']}: {signal['quote']}"
            for signal in of_type(messages, "signal.heard")
            if signal["label"].startswith(FALSE) and signal["label"] in studio.labels
        ]
        cards += sum(card["card"]["cue_id"].startswith(FALSE) for card in of_type(messages, "card.raised"))
    hours = sum(talk.seconds for talk in talks) / 3600
    return {
        "language": studio.language,
        "hours": round(hours, 2),
        "utterances": sum(len(talk.lines) for talk in talks),
        "false_signals_per_hour": round(len(false) / hours, 1),
        "false_cards_per_hour": round(cards / hours, 1),
        "by_label": dict(Counter(line.partition(":")[0] for line in false).most_common()),
        "false": false,
    }


def listen_to_noise(folder: Path, ears: Listener) -> dict[str, list[str]]:
    """Words and cards on recordings without speech: there should be none."""
    found = {}
    for path in sorted(folder.glob("*.wav")):
        messages = ears.hear(path, as_language("en"))
        found[path.name] = [message["type"] for message in of_type(messages, "transcript.final", "card.raised")]
    return found


def score_lines(path: Path, studios: dict[str, Studio], encoder: Encoder) -> Figures:
    """Labelled lines on their own."""
    scorer = Scorer({language: studio.setup for language, studio in studios.items()}, encoder.encode_bytes)
    scored = list(scorer.score(path.read_bytes().splitlines()))
    fits, unknown = fit(scored, scorer.labels())
    return {
        "lines": len(scored),
        "errors": sum(bool(each.error) for each in scored),
        "unknown_labels": unknown,
        "labels": {f"{each.lang} {each.label}": _fit(each) for each in fits},
        "totals": {language: _fit(_total(language, fits)) for language in sorted({each.lang for each in fits})},
    }


def _fit(each: Fit) -> Figures:
    rates = {name: getattr(each, name) for name in ("precision", "recall", "f1")}
    counts = {name: getattr(each, name) for name in ("right", "wrong", "missed")}
    return {**{name: None if rate is None else round(rate, 3) for name, rate in rates.items()}, **counts}


def _total(language: str, fits: Sequence[Fit]) -> Fit:
    mine = [each for each in fits if each.lang == language]
    right, wrong, missed = (sum(getattr(each, name) for each in mine) for name in ("right", "wrong", "missed"))
    return Fit(label="all", lang=language, ours=(), right=right, wrong=wrong, missed=missed)


def costs(calls: dict[str, Calls]) -> dict[str, Figures]:
    """Of every utterance of the calls as a live call would cut it, on one thread, after half of them have warmed it up.

    What people say again and again (words, syllables) is remembered by then; no utterance is heard twice by one mind.
    """
    found = {}
    for language, each in calls.items():
        each.studio.costs_ms(each.texts[: len(each.texts) // 2])
        measured = each.studio.costs_ms(each.texts)
        found[language] = {
            f"{part}_p{percent}_ms": quantile(values, percent / 100, 2)
            for part, values in measured.items()
            for percent in (50, 99)
        } | {"utterances": len(each.texts)}
    return found


def tell(report: Figures) -> None:
    columns = COLUMNS | (LAGS if report["from"] == "recordings" else {"calls_said": "calls", "calls_found": "of them"})
    for language, figures in report["calls"].items():
        for what in ("signals", "cards"):
            by_label = figures[what]
            turned = {short: {label: by_label[label][name] for label in by_label} for name, short in columns.items()}
            show(f"{language} {what}", turned, list(by_label))
    languages = report["calls"]
    show("steps", {language: figures["steps"] for language, figures in languages.items()})
    show("attention", {name: each for figures in languages.values() for name, each in figures["attention"].items()})
    for language, figures in languages.items():
        taken = figures["hard_negatives_taken"]
        people.print(f"{language}: hard negatives taken: {taken['signals']} signals, {taken['cards']} cards")
        people.print(f"{language}: false cards per hour of call: {figures['false_cards_per_hour']}")
    if report["background"]:
        show("unrelated talk", report["background"])
    if report["lines"]:
        show("lines", report["lines"]["totals"])
    show("cost per utterance", report["cost"])


def load(settings: Settings, *, recognised: bool) -> tuple[Encoder, Listener | None]:
    if not recognised:
        return load_encoder(settings), None
    suite: Suite = load_suite(settings)
    return suite.encoder, Listener(suite, settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with calls and their truth")
    parser.add_argument("--only", default="", help="calls whose name holds this")
    parser.add_argument("--text", type=Path, help="folder with dialogues that are no sales calls")
    parser.add_argument("--text-minutes", type=float, default=30.0, help="talk of each corpus (default: %(default)s)")
    parser.add_argument("--lines", type=Path, help="labelled lines (JSON Lines: text, lang, speaker, label)")
    parser.add_argument("--recognised", action="store_true", help="hear the recordings instead of reading the truth")
    parser.add_argument("--noise", type=Path, help="folder with recordings without speech (with --recognised)")
    parser.add_argument("--playbook", action="append", default=[], metavar="LANG=NAME", help="instead of the shipped")
    options = parser.parse_args()
    if options.noise and not options.recognised:
        parser.error("--noise needs --recognised: noise is nothing to read")
    settings = load_settings(None)
    encoder, ears = load(settings, recognised=options.recognised)
    named = dict(each.split("=", 1) for each in options.playbook)
    studios = {language: Studio(language, encoder, settings, named.get(language, "")) for language in ("en", "zh")}
    calls = play_calls(options.data, options.only, studios, ears)
    talks = dialogues(options.text, options.text_minutes * 60) if options.text else {}
    report = {
        "machine": machine(),
        "from": "recordings" if options.recognised else "text",
        "calls": {language: each.figures() for language, each in calls.items()},
        "background": {name: chat(each, studios[each[0].language]) for name, each in talks.items()},
        "noise": listen_to_noise(options.noise, ears) if options.noise and ears else {},
        "lines": score_lines(options.lines, studios, encoder) if options.lines else {},
        "cost": costs(calls),
    }
    tell(report)
    emit(report)


if __name__ == "__main__":
    main()
