"""The recordings that recognition is measured on, with what was said in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from copilot.engines.media import open_recording
from copilot.events import SAMPLE_RATE_HZ

from .truth import Truth, load_truth

GROUPS = ("calls-en", "calls-zh", "en", "zh", "noise")


class Item(msgspec.Struct, frozen=True):
    """One recording. ``texts``: what was said, by speaker. ``truth``: when, if that is known."""

    path: Path
    group: str
    language: str
    texts: dict[str, str]
    truth: Truth | None = None


def items(data: Path, groups: set[str]) -> Iterator[Item]:
    """Of a folder that holds ``calls/`` (with truth files) and ``recordings/`` (with a manifest)."""
    for file in sorted((data / "calls").glob("*.json")):
        truth = load_truth(file)
        group = f"calls-{truth.lang}"
        if group in groups:
            texts = {speaker: truth.said_by(speaker) for speaker in ("rep", "customer")}
            yield Item(file.with_suffix(".flac"), group, truth.lang, texts, truth)
    manifest = json.loads((data / "recordings" / "manifest.json").read_text(encoding="utf-8"))
    for entry in sorted(manifest, key=lambda entry: entry["file"]):
        group, path = entry["cat"], data / "recordings" / entry["file"]
        if group in {"en", "zh"} & groups and entry["ref"]:
            yield Item(path, group, group, {"customer": entry["ref"]})
        elif group == "noise" and group in groups:
            yield Item(path, group, "auto", {})


def speakers(channels: int) -> tuple[str, ...]:
    """Who is on which channel of a recording."""
    return ("rep", "customer") if channels == 2 else ("customer",)


def waves(path: Path) -> dict[str, NDArray[np.float32]]:
    """Each speaker's channel at 16 kHz, -1..1."""
    recording = open_recording(path)
    pcm = np.frombuffer(b"".join(recording.frames), "<i2").reshape(-1, recording.channels)
    return {
        speaker: soxr.resample(pcm[:, channel].astype(np.float32) / 32_768, recording.sample_rate_hz, SAMPLE_RATE_HZ)
        for channel, speaker in enumerate(speakers(recording.channels))
    }
