"""One contract for every recogniser behind ``AsrModel``, whoever runs the model, and what bad servers lead to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import jiwer
import numpy as np
import pytest
from starlette.responses import PlainTextResponse

from copilot.clock import SystemClock
from copilot.config import RecogniserSettings, Settings, load_settings
from copilot.engines.funasr import FunAsr
from copilot.engines.media import open_recording
from copilot.engines.openai_api import OpenAiApi
from copilot.engines.pool import AsrModel, AsrRequest, Pool
from copilot.engines.suite import load_recogniser
from copilot.engines.whisper import Whisper
from copilot.errors import ConfigError, RecogniserError
from copilot.events import Decoded, DecodeJob
from tests.engines.servers import (
    KEY,
    FunAsrServer,
    Transcriptions,
    http_server,
    tcp_server,
    websocket_server,
)
from tests.engines.speech import CHANNELS, MODELS, call, needs_models

pytestmark = [pytest.mark.models, needs_models]

TOKEN = "0123456789abcdef" * 4
ray_marks = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]  # Ray and what it imports have many
RAY_VARIABLES = ("RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_AUTH_TOKEN")
SOON_S = 3.0
"""More than any time-out in these tests and what closing takes."""


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper.load(MODELS / "whisper-base", RecogniserSettings(workers=2))


def said(first: int, last: int, **fields: object) -> list[AsrRequest]:
    """Requests for some true utterances of the shipped call."""
    return [
        AsrRequest(
            samples=call().samples(CHANNELS[line["speaker"]], line["start"] - 0.2, line["end"] + 0.2),
            **({"language": "en"} | fields),
        )
        for line in call().truth["utterances"][first:last]
    ]


# --- the contract ---------------------------------------------------------------------------------------------


@contextmanager
def openai(model: AsrModel, *formats: str) -> Iterator[AsrModel]:
    with http_server(Transcriptions(model, formats).app) as url:
        backend = load_recogniser(Settings(recogniser=RecogniserSettings(backend="openai", url=url, api_key=KEY)))
        yield backend
        backend.close()


@contextmanager
def funasr(model: AsrModel, kind: str) -> Iterator[AsrModel]:
    with websocket_server(FunAsrServer(model, kind).handle) as url:
        backend = load_recogniser(Settings(recogniser=RecogniserSettings(backend="funasr", url=url)))
        yield backend
        backend.close()


@pytest.fixture(scope="module")
def ray_pool() -> Iterator[AsrModel]:
    """Two replicas, started by the command that operators use."""
    if not find_spec("ray") and not os.environ.get("CI"):
        pytest.skip("the extra `ray` is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"127.0.0.1:{free.getsockname()[1]}"
    given = {"BACKEND": "ray", "URL": url, "API_KEY": TOKEN, "WORKERS": "1", "REPLICAS_MIN": "2", "TIMEOUT_S": "30"}
    environment = os.environ | {f"COPILOT_RECOGNISER__{name}": value for name, value in given.items()}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # Ray starts nine processes, each with thousands of modules
    command = [sys.executable, "-m", "copilot.engines.ray_pool"]
    with (
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server,
    ):
        try:
            for name in RAY_VARIABLES:
                patch.setenv(name, "")  # restores what connecting changes
            lines = list(iter_until(server.stderr, "is ready"))
            assert "is ready" in lines[-1], "".join(lines)
            backend = load_recogniser(load_settings(None, environment))
            yield backend
            backend.close()
        finally:
            server.terminate()
            server.communicate()


def iter_until(lines: Iterable[str], last: str) -> Iterator[str]:
    for line in lines:
        yield line
        if last in line:
            return


BACKENDS = {
    "openai": lambda model: openai(model, "verbose_json", "json"),
    "openai-json": lambda model: openai(model, "json"),
    "funasr-cpp": lambda model: funasr(model, "cpp"),
    "funasr-2pass": lambda model: funasr(model, "2pass"),
    "funasr-python": lambda model: funasr(model, "python"),
    "funasr-silent": lambda model: funasr(model, "silent"),
}
TIMELESS = {"openai-json"}
"""What cannot tell when a word was said."""


@pytest.fixture(params=["whisper", *BACKENDS, pytest.param("ray", marks=ray_marks)])
def backend(request, whisper) -> Iterator[AsrModel]:
    if request.param not in BACKENDS:
        yield request.getfixturevalue({"ray": "ray_pool"}.get(request.param, request.param))
        return
    with BACKENDS[request.param](whisper) as model:
        yield model


def test_reads_like_whisper_in_this_process_and_in_order(backend, whisper):
    requests = said(0, 3)
    alone = [whisper.transcribe([request])[0].text for request in requests]
    answers = backend.transcribe(requests)
    assert {answer.language for answer in answers} == {"en"}
    assert jiwer.cer(alone, [answer.text for answer in answers]) < 0.05


def test_nothing_asked_nothing_answered(backend):
    assert backend.transcribe([]) == []


def test_words_are_inside_the_audio_and_spell_the_text(request, backend):
    for asked in said(1, 3):
        (answer,) = backend.transcribe([asked])
        times = [moment for word in answer.words for moment in (word.start_ms, word.end_ms)]
        if any(name in request.node.name for name in TIMELESS):
            assert not times
            continue
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= len(asked.samples) // 16
        assert [word.text for word in answer.words] == answer.text.split()


def test_interims_have_no_word_times(backend):
    (answer,) = backend.transcribe(said(1, 2, kind="interim"))
    assert answer.text
    assert answer.words == ()


def test_many_threads_at_once(backend):
    requests = said(1, 3)
    expected = [answer.text for answer in backend.transcribe(requests)]
    answers: dict[int, list[str]] = {}

    def ask(number: int) -> None:
        answers[number] = [backend.transcribe([request])[0].text for request in requests]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 2
    for texts in answers.values():
        assert jiwer.cer(expected, texts) < 0.1


def test_almost_nothing_can_be_asked(backend):
    (answer,) = backend.transcribe([AsrRequest(samples=np.zeros(1, np.float32), language="en")])
    assert len(answer.text) < 60


@pytest.mark.skipif("COPILOT_TEST_MANDARIN" not in os.environ, reason="COPILOT_TEST_MANDARIN names no recording")
def test_mandarin_is_simplified_and_timed_by_character(request, backend, whisper):
    recording = open_recording(Path(os.environ["COPILOT_TEST_MANDARIN"]))
    assert (recording.sample_rate_hz, recording.channels) == (16_000, 1)
    pcm = b"".join(recording.frames)
    asked = AsrRequest(samples=np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768, language="zh")
    (answer,) = backend.transcribe([asked])
    assert answer.language == "zh"
    assert jiwer.cer(whisper.transcribe([asked])[0].text, answer.text) < 0.2
    if not any(name in request.node.name for name in TIMELESS):
        assert "".join(word.text for word in answer.words) == answer.text


# --- Ray ------------------------------------------------------------------------------------------------------


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_the_pool_survives_the_death_of_a_replica(ray_pool, whisper):
    requests = said(0, 2)
    expected = [whisper.transcribe([request])[0].text for request in requests]
    assert [ray_pool.transcribe([request])[0].text for request in requests] == expected
    replicas: set[int] = set()
    while len(replicas) < 2:
        replicas |= ray_pool.replicas()
    victim = replicas.pop()
    os.kill(victim, signal.SIGKILL)
    for _ in range(3):
        assert [ray_pool.transcribe([request])[0].text for request in requests] == expected
    assert victim not in ray_pool.replicas()


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_a_replica_reads_together_what_is_alike(ray_pool):
    from copilot.engines.ray_serve import alike  # Ray reads its environment when it is imported: after the fixture

    kinds = [("interim", 1), ("final", 12), ("speculative", 2), ("interim", 3), ("final", 1)]
    requests = [AsrRequest(samples=np.zeros(16_000 * seconds, np.float32), kind=kind) for kind, seconds in kinds]
    assert alike(requests) == [[2, 4], [1], [0, 3]]
    assert alike([]) == []


# --- OpenAI's protocol ----------------------------------------------------------------------------------------


def quick(backend: str, url: str, **fields: object) -> RecogniserSettings:
    return RecogniserSettings(backend=backend, url=url, **({"timeout_s": 1.0} | fields))


@contextmanager
def transcriptions(server: Transcriptions, **fields: object) -> Iterator[OpenAiApi]:
    with http_server(server.app) as url:
        model = OpenAiApi.connect(quick("openai", url, **({"api_key": KEY} | fields)))
        yield model
        model.close()


def fails(model: AsrModel) -> RecogniserError:
    """The error of one request; it comes soon."""
    clock = SystemClock()
    began = clock.now()
    with pytest.raises(RecogniserError) as caught:
        model.transcribe(said(0, 1))
    assert clock.now() - began < SOON_S
    assert KEY not in str(caught.value)
    return caught.value


def test_hotwords_and_what_was_said_before_are_the_prompt(whisper):
    server = Transcriptions(whisper)
    with transcriptions(server, timeout_s=8.0) as model:
        model.transcribe(said(0, 1, hotwords="SunRoof, inverter", prompt="Hello."))
    assert server.prompts == ["SunRoof, inverter Hello."]


def test_a_form_the_server_does_not_have_is_asked_for_once(whisper):
    server = Transcriptions(whisper, ("json",))
    with transcriptions(server, timeout_s=8.0) as model:
        for request in said(0, 2):
            model.transcribe([request])
    assert len(server.prompts) == 3 + 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda: PlainTextResponse("hello"), "asr.invalid_answer"),
        (lambda: PlainTextResponse('{"text": 3}'), "asr.invalid_answer"),
        (lambda: PlainTextResponse(b"\xff" * 100), "asr.invalid_answer"),
        (lambda: PlainTextResponse(b" " * (5 << 20)), "asr.invalid_answer"),
        (lambda: PlainTextResponse("busy", 503), "asr.refused"),
        (lambda: PlainTextResponse("what?", 400), "asr.refused"),
        (lambda: PlainTextResponse("there", 302, {"location": "/"}), "asr.refused"),
    ],
)
def test_bad_answers_over_http(whisper, fault, code):
    server = Transcriptions(whisper)
    server.fault = fault
    with transcriptions(server) as model:
        assert fails(model).code == code


def test_a_wrong_key_is_refused(whisper):
    with transcriptions(Transcriptions(whisper), api_key="sk-wrong") as model:
        assert fails(model).code == "asr.refused"


def test_an_address_that_is_none_is_a_matter_of_configuration():
    for backend, url in [("openai", ""), ("openai", "ws://127.0.0.1"), ("funasr", "127.0.0.1:10095")]:
        with pytest.raises(ConfigError) as caught:
            load_recogniser(Settings(recogniser=quick(backend, url)))
        assert caught.value.code == "config.recogniser"


# --- FunASR's protocol ----------------------------------------------------------------------------------------


@contextmanager
def funasr_at(url: str, **fields: object) -> Iterator[FunAsr]:
    model = FunAsr.connect(quick("funasr", url, **fields))
    yield model
    model.close()


def test_connections_are_kept_but_not_for_other_hotwords(whisper):
    server = FunAsrServer(whisper, "cpp")
    with websocket_server(server.handle) as url, funasr_at(url, timeout_s=8.0) as model:
        for hotwords in ("solar, 光伏", "solar, 光伏", "roof"):
            model.transcribe(said(0, 1, hotwords=hotwords))
    assert server.connections == 2
    assert [opening["hotwords"] for opening in server.openings] == [
        '{"solar": 20, "光伏": 20}',
        '{"solar": 20, "光伏": 20}',
        '{"roof": 20}',
    ]


def test_a_kept_connection_that_is_gone_is_no_error(whisper):
    server = FunAsrServer(whisper, "cpp")
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        url = first.enter_context(websocket_server(server.handle))
        model = stack.enter_context(funasr_at(url, timeout_s=8.0))
        model.transcribe(said(0, 1))
        model._idle[0].socket.socket.shutdown(socket.SHUT_RDWR)
        assert model.transcribe(said(0, 1))[0].text


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("hello", "asr.invalid_answer"),
        ("[]", "asr.invalid_answer"),
        ("{}", "asr.invalid_answer"),
        (b"\xff\xfe", "asr.invalid_answer"),
        ('{"text": "x", "is_final": false, "mode": "offline", "timestamp": "[[1"}', "asr.invalid_answer"),
        ('{"is_end": true, "error": "no model"}', "asr.refused"),
    ],
)
def test_bad_answers_over_a_websocket(whisper, message, code):
    server = FunAsrServer(whisper, "cpp")
    server.fault = lambda line: line.send(message)
    with websocket_server(server.handle) as url, funasr_at(url) as model:
        assert fails(model).code == code


def test_a_refused_handshake(whisper):
    def refuse(line, request):
        return line.respond(403, "no")

    with websocket_server(FunAsrServer(whisper, "cpp").handle, process_request=refuse) as url, funasr_at(url) as model:
        assert fails(model).code == "asr.refused"


# --- servers of no protocol at all ----------------------------------------------------------------------------

CONNECT = {"openai": (OpenAiApi, "http"), "funasr": (FunAsr, "ws")}


def hang(connection: socket.socket) -> None:
    """Read, and say nothing, until the other side has enough."""
    connection.settimeout(5)
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionResetError:
        return


def die(connection: socket.socket) -> None:
    connection.recv(1)


def babble(connection: socket.socket) -> None:
    connection.sendall(b"220 mail ready\r\n" * 9)
    hang(connection)


@pytest.mark.parametrize("treat", [hang, die, babble])
@pytest.mark.parametrize("backend_name", CONNECT)
def test_a_server_that_hangs_dies_or_babbles_is_an_error_soon(backend_name, treat):
    kind, scheme = CONNECT[backend_name]
    with tcp_server(treat) as place:
        model = kind.connect(quick(backend_name, f"{scheme}://{place}"))
        assert fails(model).code == "asr.unreachable"
        model.close()


@pytest.mark.parametrize("backend_name", CONNECT)
def test_nobody_there(backend_name):
    kind, scheme = CONNECT[backend_name]
    with tcp_server(lambda _: None) as place:
        pass
    model = kind.connect(quick(backend_name, f"{scheme}://{place}"))
    assert fails(model).code == "asr.unreachable"
    model.close()


def test_the_pool_answers_with_the_error_and_lives_on(whisper):
    server = Transcriptions(whisper)
    server.fault = lambda: PlainTextResponse("hello")
    answers: list[Decoded] = []
    arrived = threading.Semaphore(0)

    def done(decoded: Decoded) -> None:
        answers.append(decoded)
        arrived.release()

    with transcriptions(server, timeout_s=8.0) as model:
        pool = Pool(model, RecogniserSettings(workers=1))
        for job_id in (1, 2):
            job = DecodeJob(
                job_id=job_id, channel=0, utterance_id="u", kind="final", start_ms=0, end_ms=1, due=0.0, language="en"
            )
            pool.submit(job, said(0, 1)[0].samples, done)
            assert arrived.acquire(timeout=20)
            server.fault = None
        pool.close()
    assert [(answer.job_id, answer.error) for answer in answers] == [(1, "asr.invalid_answer"), (2, "")]
    assert answers[1].hypothesis.text
