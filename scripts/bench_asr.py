"""Measure recognition alone: word errors against the offline bound, latency of finals, cost. See `--help`.

Every recording goes through the real call and models in virtual time: audio arrives as in a call, and each decode
occupies one of the recogniser's workers for the CPU time it took. In the same run the same weights read each channel
as a whole: with beam 1, the bound for live words, and with beam 5, the bound for the stored ones (second pass).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from benching import lags
from benching.corpora import GROUPS, Item, items, waves
from benching.offline import Offline
from benching.report import emit, machine, people, show
from benching.stats import quantile
from benching.virtual import Costs, Listener, as_language
from benching.words import Counts, add, add_all, rate, text_errors

from copilot.config import load_settings
from copilot.engines.manifest import locate
from copilot.engines.suite import load_suite

BOUNDS = {"live": "beam1", "stored": "beam5"}


class Group(msgspec.Struct):
    """What was measured on one kind of recording. ``errors``: by source (live, stored, beam1, ...) and unit."""

    files: int = 0
    errors: dict[str, dict[str, Counts]] = {}
    cpu_s: dict[str, float] = {}
    audio_s: float = 0.0
    decodes: Counts = {}
    finals: list[float] = []
    first_texts: list[float] = []
    interims: int = 0
    uncovered: int = 0
    broken_promises: int = 0
    heard: list[str] = []


def texts_by_speaker(lines: list[lags.Message]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for line in lines:
        texts[line["speaker"]] = texts.get(line["speaker"], "") + " " + line["text"]
    return texts


def sources(messages: list[lags.Message]) -> dict[str, dict[str, str]]:
    """The texts to be judged, by where they are from: the finals and, where there was one, the second pass."""
    found = {"live": texts_by_speaker(lags.transcript(messages))}
    if any(revision["reason"] == "second_pass" for revision in lags.of_type(messages, "transcript.revised")):
        found["stored"] = texts_by_speaker(lags.transcript(messages, revised=True))
    return found


def judge(item: Item, texts: Mapping[str, str], totals: dict[str, Counts]) -> None:
    language = "zh" if item.language == "zh" else "en"
    for speaker, said in item.texts.items():
        add_all(totals, text_errors(said, texts.get(speaker, ""), language))


def broken_promises(messages: list[lags.Message]) -> int:
    """Finals that changed what was shown as committed."""
    shown: dict[str, lags.Message] = {}
    broken = 0
    for message in lags.of_type(messages, "transcript.interim", "transcript.final"):
        before = shown.get(message["utterance_id"])
        if before and not message["text"].startswith(before["text"][: before["committed"]]):
            broken += message["type"] == "transcript.final"
        shown[message["utterance_id"]] = {"committed": 0, **message}
    return broken


def take(group: Group, item: Item, messages: list[lags.Message], costs: Costs) -> None:
    """Add one recording's live figures."""
    group.files += 1
    group.audio_s += costs.audio_s
    for kind, used in costs.decode_s.items():
        source = "revision" if kind == "revision" else "live"
        group.cpu_s[source] = group.cpu_s.get(source, 0.0) + used
    group.cpu_s["vad"] = group.cpu_s.get("vad", 0.0) + costs.vad_s
    add(group.decodes, costs.decodes)
    group.interims += len(lags.of_type(messages, "transcript.interim"))
    group.broken_promises += broken_promises(messages)
    for source, texts in sources(messages).items():
        judge(item, texts, group.errors.setdefault(source, {}))
    if item.truth:
        covered = lags.final_lags(item.truth, messages)
        group.finals += [lag for _, lag in covered]
        group.uncovered += len(item.truth.utterances) - len(covered)
        group.first_texts += [lag for _, lag in lags.first_text_lags(item.truth, messages)]
    if not item.texts:
        group.heard += [f"{item.path.name}: {line['text']}" for line in lags.transcript(messages)]


def bound(group: Group, item: Item, offline: Offline, beams: list[int]) -> None:
    """Add what the same weights make of the same recording as a whole."""
    channels = waves(item.path)
    for beam in beams if item.texts else ():
        texts, used = offline.read(channels, item.language, beam)
        judge(item, texts, group.errors.setdefault(f"beam{beam}", {}))
        group.cpu_s[f"beam{beam}"] = group.cpu_s.get(f"beam{beam}", 0.0) + used


def summary(group: Group) -> dict[str, Any]:
    out: dict[str, Any] = {"files": group.files, "audio_s": round(group.audio_s, 1)}
    for source, units in group.errors.items():
        for unit, counts in units.items():
            if counts["words"]:
                name = "error_rate" if unit == "errors" else "pinyin_error_rate"
                out[f"{source}_{name}"] = round(rate(counts), 4)
    for source, limit in BOUNDS.items():
        ours, theirs = (out.get(f"{name}_error_rate") for name in (source, limit))
        if ours is not None and theirs is not None:
            out[f"{source}_over_{limit}_points"] = round(100 * (ours - theirs), 2)
    for source, used in group.cpu_s.items():
        out[f"{source}_cpu_s_per_audio_s"] = round(used / group.audio_s, 4)
    for name, values in (("final", group.finals), ("first_text", group.first_texts)):
        for percent in (50, 95):
            out[f"{name}_p{percent}_s"] = quantile(values, percent / 100)
    out |= {"uncovered": group.uncovered, "interims": group.interims, "broken_promises": group.broken_promises}
    return out | {"decodes": group.decodes, "errors": group.errors, "heard": group.heard}


def print_lines(item: Item, messages: list[lags.Message]) -> None:
    """For the eye: what was said and what was understood."""
    for source, texts in sources(messages).items():
        for speaker, said in item.texts.items():
            people.print(
                f"{item.path.name} {speaker}\n  said {said}\n  {source} {texts.get(speaker, '')}", markup=False
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder holding calls/ and recordings/")
    parser.add_argument("--groups", default=",".join(GROUPS))
    parser.add_argument("--only", default="", help="recordings whose name holds this")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--language", default="", help="what the call says its language is; default: the true one")
    parser.add_argument("--beams", default="1,5", help="offline bounds to measure; empty for none")
    parser.add_argument(
        "--bound-vad", type=float, default=0.3, help="voice threshold of the bounds; 0: hear everything"
    )
    parser.add_argument("--show", action="store_true", help="print what was said and what was understood")
    options = parser.parse_args()
    settings = load_settings(options.config)
    listener = Listener(load_suite(settings), settings)
    beams = [int(beam) for beam in options.beams.split(",") if beam]
    offline = Offline(str(locate(settings.recogniser.model, settings.models)), settings.recogniser, options.bound_vad)
    groups: dict[str, Group] = {}
    for item in items(options.data, set(options.groups.split(","))):
        if options.only not in item.path.name:
            continue
        group = groups.setdefault(item.group, Group())
        messages = listener.hear(item.path, as_language(options.language or item.language))
        take(group, item, messages, listener.costs)
        bound(group, item, offline, beams)
        if options.show:
            print_lines(item, messages)
    report = {name: summary(group) for name, group in groups.items()}
    show("figure", report)
    emit({"machine": machine(), "groups": report})
    return 0


if __name__ == "__main__":
    sys.exit(main())
