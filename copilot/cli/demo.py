"""``copilot demo``: a private server, a real call through its socket, and what comes of it in the terminal."""

from __future__ import annotations

import asyncio
import tempfile
import urllib.error
import urllib.request
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import click
import msgspec
from copilot_client import Call, CallEvent, CallStream, Media, Refused, connect
from copilot_client import messages as heard

from copilot.cli.doctor import check_pages, tell
from copilot.cli.main import settings_of
from copilot.cli.output import complain, emit, people
from copilot.cli.screen import Screen
from copilot.config import Settings
from copilot.engines.media import Recording, open_recording
from copilot.engines.suite import Suite, load_suite
from copilot.errors import CopilotError, MediaFileError, UsageError
from copilot.logs import configure_logs
from copilot.playbook.load import find_playbook
from copilot.review.model import Report
from copilot.review.report import summary
from copilot.server.node import bind, make_node
from copilot.wire import messages as wire

DEMO_CALL = "en_dev_03_solar.flac"
REPORT_WAIT_S = 60.0


@click.command()
@click.option("--call", "audio", type=click.Path(path_type=Path), help="A stereo recording (rep left); default: ours.")
@click.option("--playbook", default="", help="Playbook name or file; default: by language.")
@click.option("--language", type=click.Choice(["en", "zh", "auto"]), default="en", show_default=True)
@click.option("--speed", type=click.FloatRange(0.1, 20), default=1.0, show_default=True, help="Times real time.")
@click.option("--no-browser", is_flag=True, help="Do not open the rep panel, and stop when the call is over.")
@click.option("--json", "as_json", is_flag=True, help="One wire message per line, then one report.")
@click.pass_context
def demo(
    context: click.Context,
    audio: Path | None,
    playbook: str,
    language: str,
    speed: float,
    no_browser: bool,
    as_json: bool,
) -> None:
    """Play a call to a private server as a softphone would, and watch transcript and cards come while it is on."""
    recording = open_recording(audio or demo_call())
    if recording.channels != 2:
        raise MediaFileError("media.channels", "the demo needs two channels: rep left, customer right")
    settings, playbook = _with_file(settings_of(context), playbook)
    find_playbook(playbook, settings.playbooks.folder, language, settings.playbooks.knowledge)  # type: ignore[arg-type]
    configure_logs("error", pretty=True)  # of an overload the screen tells, in words
    people.print("loading the models …")
    suite = load_suite(settings)
    call = Call(external_id="demo", rep_id="demo", playbook=playbook, language=language)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory(prefix="copilot-demo-") as folder:
        player = Player(recording, call, speed, as_json=as_json, browser=not no_browser)
        asyncio.run(_run(_private(settings, folder), suite, player))
    if player.problem:
        context.exit(complain(player.problem))


def demo_call() -> Path:
    """The call that is shipped: beside the tests in a checkout, inside the package in a wheel."""
    for place in (Path(__file__).parents[2] / "tests" / "data", Path(str(resources.files("copilot"))) / "data"):
        if (place / DEMO_CALL).is_file():
            return place / DEMO_CALL
    raise UsageError("demo.no_call", "the demo call is not part of this installation", hint="Name one with --call.")


def _with_file(settings: Settings, playbook: str) -> tuple[Settings, str]:
    """A client names playbooks, never files: the folder of a file becomes that of the private server."""
    if Path(playbook).suffix not in (".yaml", ".yml"):
        return settings, playbook
    books = msgspec.structs.replace(settings.playbooks, folder=str(Path(playbook).resolve().parent))
    return msgspec.structs.replace(settings, playbooks=books), Path(playbook).stem


def _private(settings: Settings, folder: str) -> Settings:
    """The demo keeps its call to itself: a free port on loopback, its own data, no bus, no tokens."""
    defaults = Settings()
    return msgspec.structs.replace(
        settings,
        server=msgspec.structs.replace(settings.server, host="127.0.0.1", port=0),
        store=msgspec.structs.replace(defaults.store, data_dir=folder, min_free_mb=0, keep_tracks=False),
        bus=defaults.bus,
        access=defaults.access,
    )


async def _run(settings: Settings, suite: Suite, player: Player) -> None:
    async with serving(settings, suite) as url:
        try:
            await player.play(url)
        except Refused as error:
            raise CopilotError("demo.refused", f"the private server took no call: {error}") from error
        if player.browser:
            people.print(f"the call stays at [bold]{url}/calls/{player.call_id}[/]; Ctrl-C stops the demo")
            await asyncio.Event().wait()


@asynccontextmanager
async def serving(settings: Settings, suite: Suite) -> AsyncIterator[str]:
    """A node on a free port, for as long as the block lasts; yields its address."""
    ready = asyncio.Event()
    listener = bind(settings.server.host, settings.server.port)
    node = make_node(settings, suite, on_ready=ready.set)
    running = asyncio.create_task(node.serve(sockets=[listener]))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not ready.is_set():
        waiting.cancel()
        await running
        raise CopilotError("demo.no_server", "the private server did not start")
    host, port = listener.getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        node.should_exit = True
        await running


class Player:
    """A softphone that plays a recording, and a screen that shows what comes back."""

    def __init__(self, recording: Recording, call: Call, speed: float, *, as_json: bool, browser: bool) -> None:
        self.call_id = ""
        self.browser = browser
        self.problem: MediaFileError | None = None
        self._recording = recording
        self._call = call
        self._speed = speed
        self._as_json = as_json
        self._screen = Screen(people)

    async def play(self, url: str) -> None:
        """The whole call, then the report's summary."""
        media = Media(encoding="pcm_s16le", sample_rate=self._recording.sample_rate_hz)
        async with connect(url, media=media, call=self._call) as stream:
            self.call_id = stream.call_id
            self._show_panel(f"{url}/rep/{stream.call_id}")
            speaking = asyncio.create_task(self._speak(stream))
            try:
                async for event in stream:
                    self._show(event)
                    if isinstance(event, heard.CardRaised):
                        stream.card_rendered(event.card.id)
                await speaking
            finally:
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)
        self._sum_up(await _report(f"{url}/v1/calls/{self.call_id}/report"))

    def _show_panel(self, url: str) -> None:
        people.print(f"rep panel: [bold]{url}[/]\n")
        for pages in check_pages(Settings()):
            if pages.level != "ok":
                self.browser = False  # there is nothing to see
                tell(pages)
        if self.browser:
            webbrowser.open(url)

    async def _speak(self, stream: CallStream) -> None:
        """Frames at the pace of speech: each is sent when its last sample has been spoken."""
        loop = asyncio.get_running_loop()
        begin, sent = loop.time(), 0
        bytes_per_s = 4 * self._recording.sample_rate_hz
        try:
            for frame in self._recording.frames:
                sent += len(frame)
                await asyncio.sleep(max(0.0, begin + sent / bytes_per_s / self._speed - loop.time()))
                await stream.send_audio(frame)
        except MediaFileError as error:
            self.problem = error  # a recording that breaks off is played to where it breaks
        await stream.end()

    def _show(self, event: CallEvent) -> None:
        body = {"type": event.type, **asdict(event)}
        if self._as_json:
            emit(body)
        else:
            self._screen.show(msgspec.convert(body, wire.AnyCallMessage))

    def _sum_up(self, body: bytes) -> None:
        if self._as_json:
            emit({"type": "report", **msgspec.json.decode(body)})
            return
        report = msgspec.json.decode(body, type=Report)
        people.print()
        for label, value in summary(report, report.call.language):
            people.print(f"{label:>28}  {value}", markup=False)


async def _report(url: str) -> bytes:
    """The report is written within a second or two of hang-up."""
    try:
        async with asyncio.timeout(REPORT_WAIT_S):
            while (body := await asyncio.to_thread(_get, url)) is None:  # noqa: ASYNC110  # another process's file
                await asyncio.sleep(0.2)
            return body
    except TimeoutError as error:
        raise CopilotError("demo.no_report", f"no report came within {REPORT_WAIT_S:.0f} s") from error


def _get(url: str) -> bytes | None:
    """None while the report is not there."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # our own loopback address
            body: Any = answer.read()
            return bytes(body)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise
