"""Whisper on short utterances: short windows, greedy, drafted, guarded against endless loops.

Whisper was trained on 30 s windows and every server pads to that. The encoder accepts less, and a window of
``max(window_floor_ms, speech + 1 s)`` costs a quarter and reads almost as well. What it costs is stability: now
and then the decoder loops. Hence a cap on tokens by duration and a second attempt, for that segment only, in a full
window with temperature fallback.

An utterance is read several times while it grows. Each reading is the draft of the next (see ``drafting``), and the
silence that fills an interim's window is listened to once for all (see ``listening``). That is for processors and
models that were made ready for it; all else is read by CTranslate2, several utterances together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import ctranslate2
import msgspec
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from copilot.config import RecogniserSettings
from copilot.engines.drafting import DraftDecoder, Drafts, heard_at
from copilot.engines.listening import POSITION_FRAMES, Listener
from copilot.engines.loudness import normalise
from copilot.engines.pool import AsrRequest
from copilot.engines.second_pass import read_at_leisure
from copilot.engines.speed import hum
from copilot.engines.spelling import compression_ratio, simplified, spell, starts_of
from copilot.errors import ModelError
from copilot.events import SAMPLE_RATE_HZ, Hypothesis, Word

Float32 = NDArray[np.float32]

FULL_WINDOW_MS: Final = 30_000
WINDOW_MARGIN_MS: Final = 1_000
"""Silence after the speech, so that the model sees it end."""
WINDOW_STEP_MS: Final = 500
LISTENED_MARGIN_MS: Final = 500
"""So much of the silence after the speech is listened to, where the rest is remembered."""
LISTENED_STEP_MS: Final = 100
SOUND_S: Final = 0.4
"""What silence is like is learnt after a sound of this length."""
FRAME_SAMPLES: Final = SAMPLE_RATE_HZ // 100
LANGUAGES: Final = ("en", "zh")
TOKENS_PER_SECOND: Final = {"en": 9, "zh": 12}
TOKENS_SPARE: Final = 12
PROMPT_TOKENS: Final = 100
"""Context longer than this costs more time than it gains words."""
MANDARIN_PROMPT: Final = "以下是普通话的句子，使用简体中文。"
"""Whisper writes Chinese in either script and without punctuation unless shown what is wanted."""
MANDARIN_MARKS: Final = "，。？！,?!"
"""Context without any of these teaches it to leave them out for the rest of the call."""
TEMPERATURES: Final = (0.0, 0.2, 0.4, 0.6, 0.8)
LOOP_RATIO: Final = 2.2
"""Text that compresses better than this repeats itself (Whisper's own limit is 2.4, over 30 s)."""
ECHO_TOKENS: Final = 6


class _Reading(msgspec.Struct, frozen=True):
    """What the decoder wrote for one request."""

    tokens: list[int]
    language: str
    avg_logprob: float
    no_speech_prob: float
    is_complete: bool


class Short(msgspec.Struct, frozen=True):
    """What reads short utterances on a processor."""

    listener: Listener
    decoder: DraftDecoder


class Whisper:
    """A Whisper model in CTranslate2's format; ``transcribe`` may be called from several threads."""

    def __init__(self, model: WhisperModel, settings: RecogniserSettings, short: Short | None = None) -> None:
        self._whisper = model
        self._short = short
        self._drafts = Drafts()
        self._model: Any = model.model
        self._settings = settings
        self._tokenizers = {
            language: Tokenizer(model.hf_tokenizer, model.model.is_multilingual, "transcribe", language)
            for language in LANGUAGES
        }
        if short:
            sound, length = hum(SOUND_S), settings.window_floor_ms * SAMPLE_RATE_HZ // 1000
            short.listener.remember(self._features(sound, length))

    @classmethod
    def load(cls, folder_or_name: Path | str, settings: RecogniserSettings) -> Whisper:
        """Load a local folder, or a name faster-whisper can download. Raises ModelError (``model.unreadable``)."""
        try:
            model = WhisperModel(
                str(folder_or_name),
                device=settings.device,
                device_index=list(settings.device_index),
                compute_type=settings.compute_type,
                cpu_threads=settings.threads,
                num_workers=settings.parallel,
            )
        except Exception as error:  # CTranslate2, the hub and the tokenizer each raise their own
            raise ModelError(
                "model.unreadable",
                f"cannot load the speech model {folder_or_name}",
                hint="Run `copilot models verify`, or set recogniser.model to a folder that holds model.bin.",
            ) from error
        return cls(model, settings, load_short(Path(folder_or_name), model))

    def transcribe(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        """One hypothesis per request. All but interims carry word times, aligned to the audio."""
        if any(request.kind == "revision" for request in requests):
            return [self._revise(each) if each.kind == "revision" else self.transcribe([each])[0] for each in requests]
        if self._short:
            return [self._transcribe_short(self._short, request) for request in requests]
        audio = [normalise(request.samples) for request in requests]
        encoded = self._encode(audio, self._window_ms(max(map(len, audio))))
        languages = self._languages(requests, encoded)
        readings = self._read(requests, audio, encoded, languages)
        readings = [self._guarded(*each) for each in zip(requests, audio, readings, strict=True)]
        return [
            self._hypothesis(reading, words)
            for reading, words in zip(readings, self._align(requests, readings, audio, encoded), strict=True)
        ]

    def _transcribe_short(self, short: Short, request: AsrRequest) -> Hypothesis:
        """One request, beginning with what its utterance's last reading said."""
        audio = normalise(request.samples)
        length = self._listened(short.listener, len(audio))
        if request.kind != "interim":  # to be as exact as can be
            length = self._window_ms(len(audio)) * SAMPLE_RATE_HZ // 1000
        heard = short.listener.listen(self._features(audio, length))
        encoded = ctranslate2.StorageView.from_array(heard.encoded)
        (language,) = self._languages([request], encoded)
        context = self._context(request, language)
        written = short.decoder.read(
            heard.crossed,
            self._prompt(context, language),
            self._drafts.get(request.utterance),
            sot=len(context) + 1 if context else 0,
            cap=_token_cap(len(audio), language),
        )
        first = _Reading(written.tokens, language, written.avg_logprob, written.no_speech_prob, written.is_complete)
        reading = self._guarded(request, audio, first)
        self._drafts.put(request.utterance, [] if self._is_loop(reading) else self._text_tokens(reading))
        if request.kind == "interim" or reading is not first:
            return self._hypothesis(reading, self._align([request], [reading], [audio], encoded)[0])
        starts = heard_at(written.attention, len(audio) // FRAME_SAMPLES // POSITION_FRAMES)
        words = spell(self._tokenizers[language], written.tokens, starts, written.probabilities)
        return self._hypothesis(reading, words if written.tokens else ())

    def _guarded(self, request: AsrRequest, audio: Float32, reading: _Reading) -> _Reading:
        """Read again what looks like a loop; an interim is soon read anew anyway."""
        if request.kind != "interim" and (self._is_loop(reading) or _echoes(reading.tokens)):
            return self._read_again(audio, reading)
        return reading

    def _revise(self, request: AsrRequest) -> Hypothesis:
        """Half a minute at leisure, see ``second_pass``."""
        audio = [normalise(request.samples)]
        encoded = self._encode(audio, FULL_WINDOW_MS)
        (language,) = self._languages([request], encoded)
        prompt = self._prompt(self._context(request, language), language)[:-1]  # timestamps keep long text in order
        cap = _token_cap(len(audio[0]), language)

        def is_loop(result: Any) -> bool:
            return self._is_loop(_reading(result, language, cap))

        reading = _reading(read_at_leisure(self._model, encoded, prompt, cap, is_loop), language, cap)
        return self._hypothesis(reading, self._align([request], [reading], audio, encoded)[0])

    # --- encoder --------------------------------------------------------------------------------------------

    def _window_ms(self, samples: int) -> int:
        speech_ms = samples * 1000 // SAMPLE_RATE_HZ + WINDOW_MARGIN_MS
        window_ms = max(self._settings.window_floor_ms, speech_ms)
        return min(-(-window_ms // WINDOW_STEP_MS) * WINDOW_STEP_MS, FULL_WINDOW_MS)

    def _encode(self, audio: Sequence[Float32], window_ms: int) -> Any:
        """Encoder output [requests, window_ms / 20, d_model]."""
        length = window_ms * SAMPLE_RATE_HZ // 1000
        batch = np.stack([self._features(samples, length) for samples in audio])
        # With several GPUs the next step may run on another card than this one.
        to_cpu = len(self._settings.device_index) > 1
        return self._model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(batch)), to_cpu=to_cpu)

    def _listened(self, listener: Listener, samples: int) -> int:
        """Samples to listen to: the speech and a little after it, or all of a window longer than what is remembered."""
        speech_ms = samples * 1000 // SAMPLE_RATE_HZ
        own_ms = -(-(speech_ms + LISTENED_MARGIN_MS) // LISTENED_STEP_MS) * LISTENED_STEP_MS
        window_ms = self._window_ms(samples)
        fits = window_ms <= listener.positions * POSITION_FRAMES * 10
        return (own_ms if fits else window_ms) * SAMPLE_RATE_HZ // 1000

    def _features(self, samples: Float32, length: int) -> Float32:
        padded = np.zeros(length, np.float32)
        padded[: min(len(samples), length)] = samples[:length]
        features: Float32 = self._whisper.feature_extractor(padded, padding=0)
        return np.ascontiguousarray(features[:, : length // FRAME_SAMPLES], np.float32)

    # --- decoder --------------------------------------------------------------------------------------------

    def _languages(self, requests: Sequence[AsrRequest], encoded: Any) -> list[str]:
        if all(request.language != "auto" for request in requests):
            return [request.language for request in requests]
        chosen = []
        for request, ranking in zip(requests, self._model.detect_language(encoded), strict=True):
            odds = {token.strip("<|>"): probability for token, probability in ranking}
            detected = max(LANGUAGES, key=lambda language: odds.get(language, 0.0))
            chosen.append(detected if request.language == "auto" else request.language)
        return chosen

    def _read(
        self, requests: Sequence[AsrRequest], audio: Sequence[Float32], encoded: Any, languages: Sequence[str]
    ) -> list[_Reading]:
        contexts = [self._context(request, language) for request, language in zip(requests, languages, strict=True)]
        shared = min(map(len, contexts))  # CTranslate2 wants prompts of one length in a batch
        prompts = [
            self._prompt(context[len(context) - shared :], language)
            for context, language in zip(contexts, languages, strict=True)
        ]
        caps = [_token_cap(len(samples), language) for samples, language in zip(audio, languages, strict=True)]
        results = self._model.generate(
            encoded,
            prompts,
            beam_size=1,
            max_length=len(prompts[0]) + max(caps),
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [_reading(result, language, cap) for result, language, cap in zip(results, languages, caps, strict=True)]

    def _read_again(self, audio: Float32, looping: _Reading) -> _Reading:
        """The way Whisper was trained: a full window, no context, hotter until the text makes sense."""
        encoded = self._encode([audio], FULL_WINDOW_MS)
        language = looping.language
        prompt = self._prompt(self._context(AsrRequest(samples=audio), language), language)
        cap = _token_cap(len(audio), language)
        readings = []
        for temperature in TEMPERATURES:
            (result,) = self._model.generate(
                encoded,
                [prompt],
                beam_size=1,
                sampling_topk=1 if temperature == 0 else 0,
                sampling_temperature=max(temperature, 0.01),
                max_length=len(prompt) + cap,
                return_scores=True,
                return_no_speech_prob=True,
            )
            readings.append(_reading(result, language, cap))
            if not self._is_loop(readings[-1]):
                return readings[-1]
        return max([looping, *readings], key=lambda reading: (not self._is_loop(reading), reading.avg_logprob))

    def _context(self, request: AsrRequest, language: str) -> list[int]:
        """Hotwords and what the speaker said before, newest kept."""
        words = [text for text in (request.hotwords, request.prompt) if text]
        if language == "zh" and not any(mark in request.prompt for mark in MANDARIN_MARKS):
            words.append(MANDARIN_PROMPT)
        return self._tokenizers[language].encode(" " + " ".join(words))[-PROMPT_TOKENS:] if words else []

    def _prompt(self, context: list[int], language: str) -> list[int]:
        tokenizer = self._tokenizers[language]
        before = [tokenizer.sot_prev, *context] if context else []
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]

    # --- judgement ------------------------------------------------------------------------------------------

    def _is_loop(self, reading: _Reading) -> bool:
        return not reading.is_complete or compression_ratio(self._text(reading)) > LOOP_RATIO

    def _text_tokens(self, reading: _Reading) -> list[int]:
        eot: int = self._tokenizers[reading.language].eot
        return [token for token in reading.tokens if token < eot]

    def _text(self, reading: _Reading) -> str:
        text: str = self._tokenizers[reading.language].decode(reading.tokens).strip()
        return simplified(text) if reading.language == "zh" else text

    def _hypothesis(self, reading: _Reading, words: tuple[Word, ...]) -> Hypothesis:
        text = self._text(reading)
        return Hypothesis(
            text=text,
            language=reading.language,
            words=words,
            avg_logprob=round(reading.avg_logprob, 3),
            no_speech_prob=round(reading.no_speech_prob, 3),
            compression_ratio=round(compression_ratio(text), 2),
        )

    # --- word times -----------------------------------------------------------------------------------------

    def _align(
        self, requests: Sequence[AsrRequest], readings: Sequence[_Reading], audio: Sequence[Float32], encoded: Any
    ) -> list[tuple[Word, ...]]:
        """Measured word times for everything that may become a final; nothing for interims."""
        words: list[tuple[Word, ...]] = [()] * len(requests)
        if requests[0].kind == "interim":
            return words
        frames = [len(samples) * 100 // SAMPLE_RATE_HZ for samples in audio]
        for language in LANGUAGES:
            tokenizer = self._tokenizers[language]
            texts = [self._text_tokens(reading) if reading.language == language else [] for reading in readings]
            if not any(texts):
                continue
            results = self._model.align(encoded, tokenizer.sot_sequence, texts, frames)
            for index, (text, result) in enumerate(zip(texts, results, strict=True)):
                if text and result.alignments:
                    words[index] = spell(tokenizer, text, starts_of(result.alignments), result.text_token_probs)
        return words


def load_short(folder: Path, model: WhisperModel) -> Short | None:
    """What reads short utterances with this model; None on other devices, and where nobody built it: it saves time."""
    if model.model.device != "cpu" or not (folder / "decoder.onnx").is_file():
        return None
    blank = json.loads((folder / "config.json").read_text(encoding="utf-8"))["suppress_ids_begin"]
    tokenizer = Tokenizer(model.hf_tokenizer, model.model.is_multilingual, "transcribe", "en")
    decoder = DraftDecoder.load(folder, end=tokenizer.eot, blank=blank, no_speech=tokenizer.no_speech)
    return Short(Listener.load(folder), decoder)


def _reading(result: Any, language: str, cap: int) -> _Reading:
    tokens = result.sequences_ids[0]
    length = len(tokens)
    # CTranslate2 normalises by the length without the end token; Whisper counts it.
    return _Reading(tokens, language, result.scores[0] * length / (length + 1), result.no_speech_prob, length < cap)


def _echoes(tokens: Sequence[int]) -> bool:
    """Whether a phrase comes twice: people do that, but a decoder that begins to loop does it first."""
    phrases = [tuple(tokens[start : start + ECHO_TOKENS]) for start in range(len(tokens) - ECHO_TOKENS + 1)]
    return len(set(phrases)) < len(phrases)


def _token_cap(samples: int, language: str) -> int:
    return samples * TOKENS_PER_SECOND[language] // SAMPLE_RATE_HZ + TOKENS_SPARE
