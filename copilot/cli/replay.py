"""``copilot replay``: a recording through the engine, in real time or as fast as the machine can."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from copilot.backtest.virtual import AudioScript, VirtualRun
from copilot.call.call import Call, CallSetup
from copilot.call.outbox import rfc3339
from copilot.cli.main import settings_of
from copilot.cli.output import complain, emit, emit_raw, people
from copilot.cli.screen import Screen
from copilot.clock import SystemClock
from copilot.config import Settings
from copilot.engines.ears import Ears
from copilot.engines.media import Recording, open_recording
from copilot.engines.pool import AsrRequest, Pool, at_media_time
from copilot.engines.suite import Suite, load_suite
from copilot.errors import MediaFileError
from copilot.events import CallEvent, CallInfo, DecodeJob, Hypothesis, Language, MediaFormat, Publish, Speaker
from copilot.knowledge.index import index_of
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import find_playbook
from copilot.playbook.model import Playbook
from copilot.review.report import make_report, summary
from copilot.server.drive import Driver
from copilot.signals.listener import prepare
from copilot.wire.codec import decode_call_message
from copilot.wire.messages import AnyCallMessage

CHANNELS: dict[str, tuple[Speaker, ...]] = {
    "rep,customer": ("rep", "customer"),
    "customer,rep": ("customer", "rep"),
    "mono": ("customer",),
}


@click.command()
@click.argument("audio", type=click.Path(path_type=Path))
@click.option("--playbook", "playbook_name", default="", help="Playbook name or file; default: by language.")
@click.option("--channels", type=click.Choice(list(CHANNELS)), help="Who is on which channel; default: by the file.")
@click.option("--language", type=click.Choice(get_args(Language)), default="auto", show_default=True)
@click.option("--speed", type=click.Choice(["1", "max"]), default="max", show_default=True, help="1 is real time.")
@click.option("--json", "as_json", is_flag=True, help="One wire message per line, then one report.")
@click.pass_context
def replay(
    context: click.Context,
    audio: Path,
    playbook_name: str,
    channels: str | None,
    language: Language,
    speed: str,
    as_json: bool,
) -> None:
    """Run the recording AUDIO (WAV, FLAC, MP3, OGG/Opus; stereo or mono) through the same engine as a live call."""
    settings = settings_of(context)
    recording = open_recording(audio)
    speakers = _speakers(recording, channels)
    playbook = find_playbook(playbook_name, settings.playbooks.folder, language, settings.playbooks.knowledge)
    suite = load_suite(settings)
    plan = compile_playbook(playbook)
    setup = CallSetup(
        plan=plan,
        prepared=prepare(plan, suite.encoder.encode, suite.encoder.intents),
        index=index_of(playbook, suite.encoder.encode),
        speech=settings.speech,
    )
    info = CallInfo(
        call_id=audio.stem,
        started_at=rfc3339(SystemClock().utc()),
        kind="recording",
        media=MediaFormat(encoding="pcm_s16le", sample_rate_hz=recording.sample_rate_hz, channels=speakers),
        language=playbook.language if language == "auto" and playbook_name else language,
        playbook_id=playbook.id,
        playbook_version=playbook.version,
    )
    script = AudioScript(recording.frames, 2 * len(speakers), recording.sample_rate_hz)
    play = _play_at_speed if speed == "max" else _play_live
    messages = _show(play(Call(info, setup), script, suite, settings), as_json)
    _finish(info, playbook, messages, as_json)
    if script.problem:
        context.exit(complain(script.problem))


def _speakers(recording: Recording, channels: str | None) -> tuple[Speaker, ...]:
    speakers = CHANNELS[channels or ("mono" if recording.channels == 1 else "rep,customer")]
    if len(speakers) != recording.channels:
        raise MediaFileError(
            "media.channels",
            f"the file has {recording.channels} channels, --channels {channels} names {len(speakers)}",
            hint="Use --channels mono for one channel, rep,customer or customer,rep for two.",
        )
    return speakers


def _play_at_speed(
    call: Call, script: Iterable[tuple[float, CallEvent]], suite: Suite, settings: Settings
) -> Iterator[Publish]:
    def transcribe(job: DecodeJob, samples: Any) -> Hypothesis:
        request = AsrRequest(
            samples=samples,
            language=job.language,
            prompt=job.prompt,
            hotwords=job.hotwords,
            kind=job.kind,
            utterance=job.utterance_id,
        )
        return at_media_time(suite.asr.transcribe([request])[0], job.start_ms)

    run = VirtualRun(
        call,
        scorers=list(suite.scorers(len(call.info.media.channels))),
        transcribe=transcribe,
        encode=suite.encoder.encode_bytes,
        clock=SystemClock(),
        workers=settings.recogniser.parallel,
    )
    return run.play(script)


class _Collector:
    """Takes what a driver publishes; a replay is not stored."""

    def __init__(self, queue: asyncio.Queue[Publish | None]) -> None:
        self._queue = queue

    def record(self, _now: float, _event: CallEvent) -> None:
        """Nothing is kept."""

    def publish(self, effect: Publish, _pos_ms: int) -> None:
        """Hand on."""
        self._queue.put_nowait(effect)


def _play_live(
    call: Call, script: Iterable[tuple[float, CallEvent]], suite: Suite, settings: Settings
) -> Iterator[Publish]:
    """In real time, with the same driver and pool as the server."""
    pool = Pool(suite.asr, settings.recogniser)
    ears = Ears(suite.silero)
    with asyncio.Runner() as runner:
        queue: asyncio.Queue[Publish | None] = asyncio.Queue()
        task = runner.get_loop().create_task(_drive(call, script, suite, pool, ears, queue))
        while (effect := runner.run(queue.get())) is not None:
            yield effect
        runner.run(_joined(task))
    pool.close()
    ears.close()


async def _joined(task: asyncio.Task[None]) -> None:
    await task


async def _drive(
    call: Call,
    script: Iterable[tuple[float, CallEvent]],
    suite: Suite,
    pool: Pool,
    ears: Ears,
    queue: asyncio.Queue[Publish | None],
) -> None:
    clock = SystemClock()
    driver = Driver(
        call,
        clock=clock,
        origin=clock.now(),
        ears=[ears.ear() for _ in call.info.media.channels],
        recogniser=pool,
        encode=suite.encoder.encode_bytes,
        ledgers=_Collector(queue),
    )
    running = asyncio.create_task(driver.run())
    for at, event in script:
        await asyncio.sleep(max(0.0, at - driver.now))
        await driver.put(event)
    await running
    queue.put_nowait(None)


def _show(effects: Iterator[Publish], as_json: bool) -> list[AnyCallMessage]:
    screen = Screen(people)
    messages: list[AnyCallMessage] = []
    for effect in effects:
        if as_json:
            emit_raw(bytes(effect.message))
        message = decode_call_message(bytes(effect.message))
        if message is not None:
            messages.append(message)
            if not as_json:
                screen.show(message)
    return messages


def _finish(info: CallInfo, playbook: Playbook, messages: list[AnyCallMessage], as_json: bool) -> None:
    report = make_report(info, playbook, messages)
    if as_json:
        emit({"type": "report", **msgspec.to_builtins(report)})
        return
    people.print()
    for label, value in summary(report, report.call.language):
        people.print(f"{label:>24}  {value}", markup=False)
