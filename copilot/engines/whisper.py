"""Whisper on CTranslate2, tuned for short utterances: short windows, greedy, guarded against endless loops.

Whisper was trained on 30 s windows and every server pads to that. The encoder accepts less, and a window of
``max(window_floor_ms, speech + 1 s)`` costs a quarter and reads almost as well. What it costs is stability: now
and then the decoder loops. Hence a cap on tokens by duration and a second attempt, for that segment only, in a full
window with temperature fallback.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import ctranslate2
import msgspec
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray
from opencc import OpenCC

from copilot.config import RecogniserSettings
from copilot.engines.loudness import normalise
from copilot.engines.pool import AsrRequest
from copilot.errors import ModelError
from copilot.events import SAMPLE_RATE_HZ, Hypothesis, Word

Float32 = NDArray[np.float32]

FULL_WINDOW_MS: Final = 30_000
WINDOW_MARGIN_MS: Final = 1_000
"""Silence after the speech, so that the model sees it end."""
WINDOW_STEP_MS: Final = 500
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
FRAMES_PER_SECOND: Final = 50
"""Encoder frames."""


class _Reading(msgspec.Struct, frozen=True):
    """What the decoder wrote for one request."""

    tokens: list[int]
    language: str
    avg_logprob: float
    no_speech_prob: float
    is_complete: bool
    words: tuple[Word, ...] = ()


class Whisper:
    """A Whisper model in CTranslate2's format; ``transcribe`` may be called from several threads."""

    def __init__(self, model: WhisperModel, settings: RecogniserSettings) -> None:
        self._whisper = model
        self._model: Any = model.model
        self._settings = settings
        self._tokenizers = {
            language: Tokenizer(model.hf_tokenizer, model.model.is_multilingual, "transcribe", language)
            for language in LANGUAGES
        }

    @classmethod
    def load(cls, folder_or_name: Path | str, settings: RecogniserSettings) -> Whisper:
        """Load a local folder, or a name faster-whisper can download. Raises ModelError (``model.unreadable``)."""
        try:
            model = WhisperModel(
                str(folder_or_name),
                device=settings.device,
                compute_type=settings.compute_type,
                cpu_threads=settings.threads,
                num_workers=settings.workers,
            )
        except Exception as error:  # CTranslate2, the hub and the tokenizer each raise their own
            raise ModelError(
                "model.unreadable",
                f"cannot load the speech model {folder_or_name}",
                hint="Run `copilot models verify`, or set recogniser.model to a folder that holds model.bin.",
            ) from error
        return cls(model, settings)

    def transcribe(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        """One hypothesis per request. Finals carry word times, aligned to the audio."""
        if not requests:
            return []
        audio = [normalise(request.samples) for request in requests]
        encoded = self._encode(audio, self._window_ms(max(map(len, audio))))
        languages = self._languages(requests, encoded)
        readings = self._read(requests, audio, encoded, languages)
        for index, reading in enumerate(readings):
            if requests[index].kind != "interim" and (self._is_loop(reading) or _echoes(reading.tokens)):
                readings[index] = self._read_again(audio[index], reading)
        return [
            self._hypothesis(reading, words)
            for reading, words in zip(readings, self._align(requests, readings, audio, encoded), strict=True)
        ]

    # --- encoder --------------------------------------------------------------------------------------------

    def _window_ms(self, samples: int) -> int:
        speech_ms = samples * 1000 // SAMPLE_RATE_HZ + WINDOW_MARGIN_MS
        window_ms = max(self._settings.window_floor_ms, speech_ms)
        return min(-(-window_ms // WINDOW_STEP_MS) * WINDOW_STEP_MS, FULL_WINDOW_MS)

    def _encode(self, audio: Sequence[Float32], window_ms: int) -> Any:
        """Encoder output [requests, window_ms / 20, d_model]."""
        length = window_ms * SAMPLE_RATE_HZ // 1000
        batch = np.stack([self._features(samples, length) for samples in audio])
        return self._model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(batch)), to_cpu=False)

    def _features(self, samples: Float32, length: int) -> Float32:
        padded = np.zeros(length, np.float32)
        padded[: min(len(samples), length)] = samples[:length]
        features: Float32 = self._whisper.feature_extractor(padded, padding=0)
        return features[:, : length // 160].astype(np.float32)

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
        wanted = requests[0].kind != "interim"
        for language in LANGUAGES if wanted else ():
            tokenizer = self._tokenizers[language]
            texts = [
                [token for token in reading.tokens if token < tokenizer.eot] if reading.language == language else []
                for reading in readings
            ]
            if not any(texts):
                continue
            frames = [len(samples) * 100 // SAMPLE_RATE_HZ for samples in audio]
            results = self._model.align(encoded, tokenizer.sot_sequence, texts, frames)
            for index, (text, result) in enumerate(zip(texts, results, strict=True)):
                if text:
                    words[index] = _words(tokenizer, text, result)
        return words


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


def _words(tokenizer: Tokenizer, text: list[int], result: Any) -> tuple[Word, ...]:
    """Words (Chinese: characters) with their times from the cross-attention alignment, as Whisper defines them.

    Punctuation belongs to the word before it and takes no time; so does what follows a word without a space.
    """
    if not result.alignments:
        return ()
    spelled, tokens = tokenizer.split_to_word_tokens([*text, tokenizer.eot])
    edges = np.cumsum([0, *map(len, tokens[:-1])])
    text_index, frame = np.array(result.alignments).T
    times_ms = frame[np.flatnonzero(np.diff(text_index, prepend=-1))] * 1000 // FRAMES_PER_SECOND
    is_spaced = tokenizer.language_code != "zh"
    words: list[Word] = []
    for spelling, first, last in zip(spelled[:-1], edges, edges[1:], strict=False):
        piece = Word(
            text=spelling.strip() if is_spaced else simplified(spelling.strip()),
            start_ms=int(times_ms[first]),
            end_ms=int(times_ms[last]),
            probability=round(float(np.mean(result.text_token_probs[first:last])), 3),
        )
        is_punctuation = not any(map(str.isalnum, piece.text))
        if words and (is_punctuation or (is_spaced and not spelling.startswith(" "))):
            words[-1] = _joined(words[-1], piece, is_punctuation)
        elif piece.text:
            words.append(piece)
    return tuple(words)


def _joined(word: Word, piece: Word, is_punctuation: bool) -> Word:
    end_ms = word.end_ms if is_punctuation else piece.end_ms
    return msgspec.structs.replace(word, text=word.text + piece.text, end_ms=end_ms)


def compression_ratio(text: str) -> float:
    """Bytes of the text over bytes of it compressed, as Whisper defines it; 0 for no text."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def simplified(text: str) -> str:
    """Chinese in simplified characters."""
    converted: str = _converter().convert(text)
    return converted


@cache
def _converter() -> OpenCC:
    return OpenCC("t2s")
