"""Measure live recognition: word errors, latency of finals, cost. `scripts/bench_asr.py --help`.

Drives the real rooms (timeline, voice activity, transcriber) and the real models over recordings in virtual time:
audio arrives as in a call, and each decode occupies one of the recogniser's workers for the CPU time it took. So the
figures are those of a machine with nothing else to do, even on a busy one.
"""

from __future__ import annotations

import argparse
import heapq
import json
import re
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import jiwer
import msgspec
import numpy as np
from faster_whisper import WhisperModel
from pypinyin import lazy_pinyin
from rich.console import Console
from rich.table import Table
from whisper_normalizer.english import EnglishTextNormalizer

from copilot.audio.timeline import Timeline
from copilot.config import Settings, load_settings
from copilot.engines.media import FRAME_MS, open_recording
from copilot.engines.pool import PRIORITY, AsrRequest, at_media_time
from copilot.engines.silero import Silero
from copilot.engines.whisper import Whisper, simplified
from copilot.events import CancelDecode, Decode, Decoded, DecodeJob, Heard, MediaFormat, SpeechScored
from copilot.speech.transcriber import Transcriber

SPEAKERS = {"agent": 0, "customer": 1}
END_SLACK_MS = 400
"""A final covers the end of a true utterance when its own end is not further before it than this."""


class Final(msgspec.Struct, frozen=True):
    channel: int
    start_ms: int
    end_ms: int
    text: str
    at: float


class Run(msgspec.Struct):
    """What came out of one recording."""

    finals: list[Final] = []
    interims: int = 0
    decodes: dict[str, int] = {}
    cpu_s: float = 0.0
    vad_cpu_s: float = 0.0
    audio_s: float = 0.0
    first_interim_s: list[float] = []
    broken_promises: int = 0


class Live:
    """One call in virtual time."""

    def __init__(self, path: Path, settings: Settings, vad: Silero, asr: Whisper, language: str) -> None:
        recording = open_recording(path)
        self._frames = recording.frames
        channels = ("rep", "customer")[: recording.channels]
        self._timeline = Timeline(MediaFormat(sample_rate_hz=recording.sample_rate_hz, channels=channels))
        self._streams = [vad.stream() for _ in channels]
        jobs, utterances = count(1), count(1)
        self._channels = [
            Transcriber(
                channel,
                settings.speech,
                language=language,
                next_job_id=lambda: next(jobs),
                next_utterance_id=lambda: f"u{next(utterances)}",
            )
            for channel in range(len(channels))
        ]
        self._owners: dict[int, int] = {}
        self._asr = asr
        self._recogniser = settings.recogniser
        self._free = [0.0] * settings.recogniser.workers
        self._queue: list[tuple[int, float, int, DecodeJob]] = []
        self._answers: list[tuple[float, int, Decoded]] = []
        self._now = 0.0
        self._shown: dict[str, Heard] = {}
        self.run = Run()

    def play(self) -> Run:
        for number, frame in enumerate(self._frames):
            self._advance((number + 1) * FRAME_MS / 1000)
            self._score(self._timeline.receive(frame))
        self._score(self._timeline.finish())
        self.run.audio_s = self._timeline.position_ms / 1000
        for channel in self._channels:
            self._perform(channel.flush(self._now))
        while not all(channel.is_idle for channel in self._channels):
            self._advance(self._now + 0.05)
        return self.run

    def _score(self, fresh: int) -> None:
        if not fresh:
            return
        first = self._timeline.windows - fresh
        for channel, stream in enumerate(self._streams):
            started = time.process_time()
            scores, levels = stream.score(self._timeline.window_samples(channel, first, fresh))
            self.run.vad_cpu_s += time.process_time() - started
            scored = SpeechScored(channel=channel, first_window=first, scores=scores, levels_db=levels)
            self._perform(self._channels[channel].scored(scored, self._now))

    def _perform(self, effects: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Decode):
                job = effect.job
                self._owners[job.job_id] = job.channel
                heapq.heappush(self._queue, (PRIORITY[job.kind], self._now, job.job_id, job))
            elif isinstance(effect, CancelDecode):
                self._queue = [entry for entry in self._queue if entry[2] != effect.job_id]
                heapq.heapify(self._queue)
            elif isinstance(effect, Heard):
                self._hear(effect)
        self._serve()

    def _hear(self, heard: Heard) -> None:
        if heard.is_final:
            shown = self._shown.get(heard.utterance_id)
            if shown and not heard.text.startswith(shown.text[: shown.committed]):
                self.run.broken_promises += 1
            self.run.finals.append(Final(heard.channel, heard.start_ms, heard.end_ms, heard.text, self._now))
            return
        self.run.interims += 1
        if heard.utterance_id not in self._shown:
            self.run.first_interim_s.append(self._now - heard.start_ms / 1000)
        self._shown[heard.utterance_id] = heard

    def _advance(self, until: float) -> None:
        """Deliver the answers that are ready before ``until``."""
        while self._answers and self._answers[0][0] <= until:
            self._now, job_id, decoded = heapq.heappop(self._answers)
            self._perform(self._channels[self._owners[job_id]].decoded(decoded, self._now))
        self._now = until
        for channel in self._channels:
            if (due := channel.next_deadline()) is not None and due <= until:
                self._perform(channel.tick(until))
        self._serve()

    def _serve(self) -> None:
        """Give waiting jobs to workers that are free by now; one call has too few to batch."""
        while self._queue and min(self._free) <= self._now:
            *_, job = heapq.heappop(self._queue)
            samples = self._timeline.samples(job.channel, job.start_ms, job.end_ms)
            request = AsrRequest(samples=samples, language=job.language, prompt=job.prompt, kind=job.kind)
            started = time.process_time()
            (hypothesis,) = self._asr.transcribe([request])
            cost = time.process_time() - started
            self.run.cpu_s += cost
            self.run.decodes[job.kind] = self.run.decodes.get(job.kind, 0) + 1
            worker = self._free.index(min(self._free))
            self._free[worker] = self._now + cost
            decoded = Decoded(job_id=job.job_id, hypothesis=at_media_time(hypothesis, job.start_ms))
            heapq.heappush(self._answers, (self._now + cost, job.job_id, decoded))


# --- scoring --------------------------------------------------------------------------------------------------

_ENGLISH = EnglishTextNormalizer()
_DIGITS = "零一二三四五六七八九"


def spoken_number(digits: str) -> str:
    """1500 -> 一千五百, as it is said."""
    number = int(digits)
    if number >= 10_000:
        rest = number % 10_000
        zero = "零" if 0 < rest < 1_000 else ""
        return spoken_number(str(number // 10_000)) + "万" + (zero + spoken_number(str(rest)) if rest else "")
    text, zero = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            text += ("零" if zero and text else "") + _DIGITS[digit] + name
            zero = False
        else:
            zero = True
    return re.sub("^一十", "十", text) or "零"


def mandarin(text: str) -> str:
    """Simplified, numbers as spoken, no punctuation, lower case."""
    text = simplified(text).lower()
    text = re.sub(r"(?<=\d)[,，](?=\d{3})", "", text)
    text = re.sub(r"(\d+)%", lambda match: "百分之" + spoken_number(match[1]), text)
    text = re.sub(r"\d+", lambda match: spoken_number(match[0]), text)
    return "".join(character for character in text if character.isalnum())


def units(text: str, language: str) -> list[str]:
    return list(mandarin(text)) if language == "zh" else _ENGLISH(text).split()


def errors(reference: list[str], hypothesis: list[str]) -> dict[str, int]:
    if not reference:
        return {"words": 0, "sub": 0, "del": 0, "ins": len(hypothesis)}
    if not hypothesis:
        return {"words": len(reference), "sub": 0, "del": len(reference), "ins": 0}
    out = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    return {"words": len(reference), "sub": out.substitutions, "del": out.deletions, "ins": out.insertions}


def add(total: dict[str, int], more: dict[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def rate(total: dict[str, int]) -> float:
    return (total["sub"] + total["del"] + total["ins"]) / max(total["words"], 1)


def quantile(values: list[float], q: float) -> float | None:
    return round(float(np.quantile(values, q)), 3) if values else None


# --- corpora --------------------------------------------------------------------------------------------------


class Item(msgspec.Struct):
    """One recording with what was said on each channel; ``ends`` are the true ends of utterances in seconds."""

    path: Path
    group: str
    language: str
    texts: dict[int, str] = {}
    ends: list[tuple[int, float]] = []


def items(data: Path, groups: set[str]) -> Iterator[Item]:
    for truth_file in sorted((data / "calls").glob("*.json")):
        truth = json.loads(truth_file.read_text())
        group = f"calls-{truth['lang']}"
        if group not in groups:
            continue
        texts: dict[int, str] = {}
        ends = []
        for said in truth["utterances"]:
            channel = SPEAKERS[said["speaker"]]
            texts[channel] = texts.get(channel, "") + " " + said["text"]
            if not said.get("backchannel"):
                ends.append((channel, said["end"]))
        yield Item(truth_file.with_suffix(".flac"), group, truth["lang"], texts, ends)
    manifest = json.loads((data / "recordings" / "manifest.json").read_text())
    for entry in sorted(manifest, key=lambda entry: entry["file"]):
        path = data / "recordings" / entry["file"]
        if entry["cat"] in {"en", "zh"} and entry["ref"] and entry["cat"] in groups:
            yield Item(path, entry["cat"], entry["cat"], {0: entry["ref"]})
        if entry["cat"] == "noise" and "noise" in groups:
            yield Item(path, "noise", "auto", {0: "", 1: ""})


def latencies(item: Item, run: Run) -> list[float]:
    """Seconds from the true end of each utterance to the final that covers it; infinite when none does."""
    found = []
    for channel, end in item.ends:
        covering = [
            final.at
            for final in run.finals
            if final.channel == channel and final.end_ms >= end * 1000 - END_SLACK_MS and final.start_ms < end * 1000
        ]
        found.append(min(covering) - end if covering else float("inf"))
    return found


def offline(item: Item, asr: WhisperModel, beam: int) -> tuple[dict[int, str], float]:
    """faster-whisper over each whole channel: the bound for this model."""
    recording = open_recording(item.path)
    timeline = Timeline(
        MediaFormat(sample_rate_hz=recording.sample_rate_hz, channels=("rep", "customer")[: recording.channels]),
        retain_ms=14_400_000,
    )
    for frame in recording.frames:
        timeline.receive(frame)
    timeline.finish()
    texts = {}
    started = time.process_time()
    for channel in range(recording.channels):
        samples = timeline.samples(channel, 0, timeline.position_ms)
        segments, _ = asr.transcribe(samples, language=item.language, beam_size=beam, vad_filter=True)
        texts[channel] = " ".join(segment.text for segment in segments)
    return texts, time.process_time() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder holding calls/ and recordings/")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--groups", default="calls-en,calls-zh,en,zh,noise")
    parser.add_argument("--only", default="", help="substring of file names")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--language", default="", help="override: what the call says its language is")
    parser.add_argument("--offline", type=int, default=0, metavar="BEAM", help="also decode whole channels offline")
    parser.add_argument("--show", action="store_true", help="print reference and hypothesis")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    settings = load_settings(args.config)
    vad = Silero.load(args.models / "silero-vad" / "silero_vad.onnx")
    asr = Whisper.load(args.models / settings.recogniser.model, settings.recogniser)
    if args.offline:
        args.whole = WhisperModel(str(args.models / settings.recogniser.model), compute_type="int8", cpu_threads=1)
    groups: dict[str, dict[str, Any]] = {}
    for item in items(args.data, set(args.groups.split(","))):
        if args.only in item.path.name:
            measure(item, settings, vad, asr, args, groups.setdefault(item.group, {"files": 0}))
    report = {name: summary(group) for name, group in groups.items()}
    if args.json:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        show(report)
    return 0


def measure(
    item: Item, settings: Settings, vad: Silero, asr: Whisper, args: argparse.Namespace, group: dict[str, Any]
) -> None:
    run = Live(item.path, settings, vad, asr, args.language or item.language).play()
    texts: dict[int, str] = {}
    for final in sorted(run.finals, key=lambda final: final.start_ms):
        texts[final.channel] = texts.get(final.channel, "") + " " + final.text
    late = latencies(item, run)
    score(item, texts, group, "")
    group["files"] += 1
    group.setdefault("latency", []).extend(late)
    group.setdefault("first_interim", []).extend(run.first_interim_s)
    for name in ("cpu_s", "vad_cpu_s", "audio_s", "interims", "broken_promises"):
        group[name] = group.get(name, 0) + getattr(run, name)
    group["finals"] = group.get("finals", 0) + len(run.finals)
    add(group.setdefault("decodes", {}), run.decodes)
    if item.group == "noise":
        group.setdefault("heard", []).extend(f"{item.path.name}: {final.text}" for final in run.finals)
        group["interims_on_noise"] = group.get("interims_on_noise", 0) + run.interims
    if args.offline and item.texts and item.group != "noise":
        whole, cpu_s = offline(item, args.whole, args.offline)
        score(item, whole, group, "offline_")
        group["offline_cpu_s"] = group.get("offline_cpu_s", 0) + cpu_s
    if args.show:
        for channel, text in item.texts.items():
            print(f"{item.path.name} [{channel}]\n  ref {text}\n  hyp {texts.get(channel, '')}", file=sys.stderr)
        if late:
            print(item.path.name, "latency", [round(value, 2) for value in late], file=sys.stderr)


def score(item: Item, texts: dict[int, str], group: dict[str, Any], prefix: str) -> None:
    for channel, reference in item.texts.items():
        hypothesis = texts.get(channel, "")
        language = "zh" if item.language == "zh" else "en"
        add(
            group.setdefault(prefix + "errors", {}),
            errors(units(reference, language), units(hypothesis, language)),
        )
        if language == "zh":
            pinyin = [lazy_pinyin(mandarin(text)) for text in (reference, hypothesis)]
            add(group.setdefault(prefix + "pinyin", {}), errors(*pinyin))


def summary(group: dict[str, Any]) -> dict[str, Any]:
    late = group["latency"]
    out: dict[str, Any] = {"files": group["files"], "audio_s": round(group["audio_s"], 1), "finals": group["finals"]}
    for prefix in ("", "offline_"):
        for name, label in (("errors", "error_rate"), ("pinyin", "pinyin_error_rate")):
            if prefix + name in group:
                out[prefix + label] = round(rate(group[prefix + name]), 4)
    out["errors"] = group.get("errors")
    out |= {
        "final_p50_s": quantile(late, 0.5),
        "final_p95_s": quantile([value for value in late if value < 1e9], 0.95),
        "uncovered": sum(value == float("inf") for value in late),
        "first_interim_p50_s": round(median(group["first_interim"]), 3) if group["first_interim"] else None,
        "cpu_s_per_audio_s": round(group["cpu_s"] / group["audio_s"], 3),
        "vad_cpu_s_per_audio_s": round(group["vad_cpu_s"] / group["audio_s"], 4),
        "decodes": group["decodes"],
        "broken_promises": group["broken_promises"],
    }
    if "offline_cpu_s" in group:
        out["offline_cpu_s_per_audio_s"] = round(group["offline_cpu_s"] / group["audio_s"], 3)
    for name in ("heard", "interims_on_noise"):
        if name in group:
            out[name] = group[name]
    return out


def show(report: dict[str, dict[str, Any]]) -> None:
    table = Table("figure", *report)
    for name in dict.fromkeys(name for group in report.values() for name in group):
        table.add_row(name, *(str(group.get(name, "")) for group in report.values()))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
