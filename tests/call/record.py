"""Record the golden call anew: the shipped call through the real models, without its audio.

.venv/bin/python -m tests.call.record
"""

from __future__ import annotations

from pathlib import Path

from copilot.backtest.virtual import AudioScript, VirtualRun
from copilot.call.call import Call
from copilot.clock import SystemClock
from copilot.config import Settings
from copilot.engines.media import open_recording
from copilot.engines.pool import AsrRequest, at_media_time
from copilot.engines.suite import load_suite
from copilot.events import DecodeJob, Hypothesis
from copilot.store.recording import RecordingHeader, write_recording
from tests.call.rig import PLAYBOOK, info, setup

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDING = GOLDEN / "solar.recording.gz"
CALL = Path(__file__).parents[1] / "data" / "en_dev_03_solar.flac"


def main() -> None:
    suite = load_suite(Settings())
    audio = open_recording(CALL)

    def transcribe(job: DecodeJob, samples) -> Hypothesis:
        request = AsrRequest(
            samples=samples, language=job.language, prompt=job.prompt, hotwords=job.hotwords, kind=job.kind
        )
        return at_media_time(suite.asr.transcribe([request])[0], job.start_ms)

    run = VirtualRun(
        Call(info(call_id="solar"), setup()),
        scorers=suite.scorers(2),
        transcribe=transcribe,
        encode=None,
        clock=SystemClock(),
    )
    messages = list(run.play(AudioScript(audio.frames, 4, audio.sample_rate_hz)))
    write_recording(RECORDING, RecordingHeader(call=info(call_id="solar"), playbook=PLAYBOOK), run.entries)
    print(f"{len(run.entries)} events, {len(messages)} messages, {RECORDING.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
