"""Settings: one frozen struct per room, from a TOML file and ``COPILOT_*`` variables. Unknown keys are errors."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.inspect import StrType

from copilot.complaint.explain import explain
from copilot.complaint.kinds import inner, kind_at
from copilot.errors import ConfigError

Probability = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[int, Meta(ge=1)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
WORKERS_PER_GPU = 2
"""One prepares its batch while the other's is computed."""
BATCH_ELSEWHERE = 4


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of one table in the configuration file."""


class VadSettings(Section, frozen=True, kw_only=True):
    """Voice-activity detection, names and meaning as in Silero VAD.

    How much silence ends an utterance depends on its words: ``sure_silence_ms`` after a finished sentence,
    ``max_silence_ms`` where it must go on (a conjunction, a number being dictated), else ``min_silence_ms``.
    """

    threshold: Probability = 0.35
    neg_threshold: Probability = 0.2
    min_speech_ms: Positive = 160
    min_silence_ms: Positive = 384
    sure_silence_ms: Positive = 288
    max_silence_ms: Positive = 704
    speculate_after_ms: Positive = 96
    speech_pad_ms: Annotated[int, Meta(ge=0)] = 200
    max_speech_ms: Positive = 14_000


class SpeechSettings(Section, frozen=True, kw_only=True):
    """When to decode what.

    ``second_pass``: finals are read again, half a minute of a speaker at a time, by beam search; an answer is waited
    for ``revision_timeout_s``, and ``revision_wait_s`` at most once the call has been hung up.
    """

    vad: VadSettings = VadSettings()
    interim_interval_ms: Positive = 600
    first_interim_ms: Positive = 288
    min_voiced_ms: Positive = 250
    context_finals: Annotated[int, Meta(ge=0, le=8)] = 2
    final_timeout_s: float = 10.0
    second_pass: Literal["off", "on"] = "on"  # noqa: S105  # not a password
    revision_timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    revision_wait_s: Annotated[float, Meta(ge=0)] = 10.0


class RecogniserSettings(Section, frozen=True, kw_only=True):
    """The speech model. ``model`` is a name in the manifest, a folder, or a name faster-whisper can download.

    ``backend`` says where it runs: ``whisper`` in this process; ``openai`` and ``funasr`` on a server at ``url`` (which
    calls the model ``model``); ``ray`` in a pool of replicas (``url`` is the cluster, empty the one on this machine).
    ``api_key`` goes to that server as a bearer token. An answer that takes longer than ``timeout_s`` is an error;
    at most ``connections`` requests are open at once. ``device_index`` lists the GPUs of one process; the pool keeps
    between ``replicas_min`` and ``replicas_max`` processes. ``docs/how-to/recognisers.md`` has examples.
    ``workers`` decode at the same time, each on ``threads`` cores; 0 is one per core, or two per GPU. Each reads up to
    ``max_batch`` utterances together; 0 is one on a processor, which gains nothing by more, and four elsewhere.
    """

    backend: Literal["whisper", "openai", "funasr", "ray"] = "whisper"
    url: str = ""
    api_key: str = ""
    timeout_s: Annotated[float, Meta(gt=0)] = 8.0
    connections: Positive = 8
    replicas_min: Positive = 1
    replicas_max: Positive = 2
    model: str = "whisper-base"
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    device_index: tuple[int, ...] = (0,)
    compute_type: str = "int8"
    threads: Positive = 1
    workers: Annotated[int, Meta(ge=0)] = 0
    max_batch: Annotated[int, Meta(ge=0)] = 0
    window_floor_ms: Positive = 8_000
    queue_limit: Positive = 256

    @property
    def parallel(self) -> int:
        """How many batches are decoded at once. By default one per core: a decode gains little from a second one."""
        if self.workers:
            return self.workers
        return WORKERS_PER_GPU * len(self.device_index) if self.device == "cuda" else _cores()

    @property
    def batch(self) -> int:
        """How many utterances a worker reads together at most."""
        on_processor = self.backend == "whisper" and self.device == "cpu"
        return self.max_batch or (1 if on_processor else BATCH_ELSEWHERE)


class LoadSettings(Section, frozen=True, kw_only=True):
    """What happens when recognition cannot keep up, stage by stage; ``docs/how-to/overload.md`` explains them.

    Finals that come later than ``late_ms`` for ``sustained_s`` take the first stage, later ones the next; ``calm_s``
    without strain gives one back. From stage ``refuse_at`` on new calls are refused; so are those for which finals
    would take more than ``busy_share`` of the recognisers' time: beyond two thirds they wait for each other.
    """

    late_ms: Positive = 1_200
    sustained_s: Annotated[float, Meta(gt=0)] = 2.0
    calm_s: Annotated[float, Meta(gt=0)] = 10.0
    busy_share: Annotated[float, Meta(gt=0, le=1)] = 0.65
    refuse_at: Annotated[int, Meta(ge=1, le=5)] = 3


class ServerSettings(Section, frozen=True, kw_only=True):
    """Where the service listens and what it accepts.

    ``max_calls`` 0 means as many as the recogniser is fast enough for, measured at start-up. Of one client's commands
    (marks, answers to cards) ``command_burst`` are taken at once and ``commands_per_s`` from then on.
    """

    host: str = "127.0.0.1"
    port: Port = 8750
    max_calls: Annotated[int, Meta(ge=0, le=10_000)] = 0
    commands_per_s: Annotated[float, Meta(gt=0)] = 20.0
    command_burst: Positive = 40
    max_frame_bytes: Positive = 262_144
    max_call_s: Positive = 14_400
    idle_timeout_s: float = 60.0
    resume_window_s: float = 60.0
    viewer_queue: Positive = 512
    viewer_send_timeout_s: float = 5.0
    metrics_interval_ms: Positive = 2_000


class StoreSettings(Section, frozen=True, kw_only=True):
    """Where sessions are kept. ``database`` empty means SQLite in the data directory.

    ``keep_tracks``: after a call, and giving way to others, what its first backtest would have to make is made.
    """

    data_dir: str = ""
    database: str = ""
    sync_interval_ms: Positive = 500
    commit_interval_ms: Positive = 20
    min_free_mb: Annotated[int, Meta(ge=0)] = 512
    journal_backlog_kb: Positive = 8_192
    keep_tracks: bool = True


class BusSettings(Section, frozen=True, kw_only=True):
    """Fan-out between nodes. ``url`` empty means in-process."""

    url: str = ""
    stream_length: Positive = 20_000
    command_timeout_s: float = 1.0


class Token(Section, frozen=True, kw_only=True):
    """One bearer token: either the secret itself or (``sha256:<hex>``) its digest."""

    token: str
    role: Literal["rep", "supervisor", "ingest", "admin"]
    subject: str = ""


class AccessSettings(Section, frozen=True, kw_only=True):
    """Who may come in. Without tokens the server listens on loopback only."""

    tokens: tuple[Token, ...] = ()
    allowed_origins: tuple[str, ...] = ()


class PlaybookSettings(Section, frozen=True, kw_only=True):
    """Which playbooks calls use. ``folder`` is searched before the shipped packs.

    A call that names none gets the default of the language it says it is in; one that says ``auto`` gets
    ``default_auto``, whatever is spoken then.
    ``knowledge`` is a folder of folders of documents, each named as the playbook (its ``id``) that may answer from it.
    """

    folder: str = ""
    knowledge: str = ""
    default_en: str = "outbound-en"
    default_zh: str = "outbound-zh"
    default_auto: str = "outbound-en"


class LlmSettings(Section, frozen=True, kw_only=True):
    """A language model behind ``POST <url>/chat/completions``, for ``llm`` triggers; off unless ``enabled``.

    ``url`` is the server's base (``https://llm.example/v1``), which gets ``api_key`` as a bearer token. An answer that
    takes longer than ``timeout_s`` counts as none. A call asks at most ``max_per_call`` times; at most ``connections``
    requests are open at once. ``suggestions`` also asks how the rep could say what a card advises. What leaves
    the machine is redacted first; ``docs/how-to/language-model.md`` says what that means.
    """

    enabled: bool = False
    url: str = ""
    model: str = ""
    api_key: str = ""
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 2.5
    max_per_call: Annotated[int, Meta(ge=0, le=1_000)] = 20
    connections: Positive = 4
    suggestions: bool = False


class ModelSettings(Section, frozen=True, kw_only=True):
    """Where model files live (``COPILOT_MODELS_DIR``) and a folder to fetch them from (``COPILOT_MODELS_SOURCE``)."""

    dir: str = ""
    source: str = ""


class Settings(Section, frozen=True, kw_only=True):
    """Everything that can be configured."""

    server: ServerSettings = ServerSettings()
    load: LoadSettings = LoadSettings()
    access: AccessSettings = AccessSettings()
    speech: SpeechSettings = SpeechSettings()
    recogniser: RecogniserSettings = RecogniserSettings()
    playbooks: PlaybookSettings = PlaybookSettings()
    llm: LlmSettings = LlmSettings()
    models: ModelSettings = ModelSettings()
    store: StoreSettings = StoreSettings()
    bus: BusSettings = BusSettings()
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def _cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


PREFIX = "COPILOT_"
REFERENCE = "`docs/reference/settings.md` lists every setting."
SECRET = ("token", "api_key", "database", "url")
"""Settings that may hold a password: what is wrong with them is said without repeating them."""
SHORT = {
    "COPILOT_MODELS_DIR": ("models", "dir"),
    "COPILOT_MODELS_SOURCE": ("models", "source"),
    "COPILOT_DATA_DIR": ("store", "data_dir"),
}


def load_settings(file: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read ``file`` (TOML), then let ``COPILOT_<SECTION>__<KEY>`` variables override it.

    Raises ConfigError (``config.unreadable``, ``config.syntax``, ``config.invalid``).
    """
    tree = _read(file) if file else {}
    variables: dict[str, str] = {}
    for name, value in environ.items():
        path = _variable_path(name)
        if path:
            place = ".".join(("$", *path))
            _place(tree, path, _parse(value, kind_at(Settings, place)), name)
            variables[place] = name
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        found = explain(str(error), tree, Settings, secret=SECRET)
        source = _blamed(found.path, variables) or (str(file) if file else "environment")
        raise ConfigError("config.invalid", f"{source}: {found}", hint=f"{found.hint} {REFERENCE}".lstrip()) from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("config.unreadable", f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("config.syntax", f"{file}: {error}") from error


def _variable_path(name: str) -> tuple[str, ...]:
    if name in SHORT:
        return SHORT[name]
    if name.startswith(PREFIX) and "__" in name:
        return tuple(part.lower() for part in name[len(PREFIX) :].split("__"))
    return ("log_level",) if name == "COPILOT_LOG_LEVEL" else ()


def _blamed(path: str, variables: Mapping[str, str]) -> str:
    """The variable that put what is wrong at ``path``, if one did."""
    for place, name in variables.items():
        if f"{place}.".startswith(f"{path}.") or path.startswith((f"{place}.", f"{place}[")):
            return f"environment ({name})"
    return ""


def _parse(value: str, kind: Any) -> Any:
    """A variable's value as TOML would read it, or the bare string: also for digits where text belongs."""
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value
    return value if isinstance(inner(kind), StrType) and not isinstance(parsed, str) else parsed


def _place(tree: dict[str, Any], path: tuple[str, ...], value: Any, name: str) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise ConfigError(
                "config.invalid", f"environment ({name}): {key!r} is one setting, not a table of them", hint=REFERENCE
            )
    tree[path[-1]] = value
