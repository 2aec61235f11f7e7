"""Greedy decoding that starts from a draft: what one by one would write, near ties aside, for a fraction of the time.

Most of what an utterance's next reading will say, its previous reading said. The decoder checks such a draft in one
pass: every token it would have written itself stands, the first that it would not is replaced, and what follows is
checked again. After Leviathan et al. 2022, "Fast Inference from Transformers via Speculative Decoding",
https://arxiv.org/abs/2211.17192, with the previous reading in place of a small model.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime

from copilot.engines.sessions import open_session
from copilot.errors import ModelError

Floats = npt.NDArray[np.float32]
MASKED: Final = np.float32(-1e9)
RESYNC_TOKENS: Final = 4
"""How far ahead in the draft the token that was written instead is looked for."""


DRAFTS: Final = 512
"""Utterances whose last reading is remembered; more cannot be under way at once on one machine."""
DRAFT_TOKENS: Final = 3
"""A shorter draft saves nothing."""


class Drafts:
    """The tokens of each utterance's last reading, the newest ``DRAFTS`` of them. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: OrderedDict[str, list[int]] = OrderedDict()

    def get(self, utterance: str) -> list[int]:
        """Empty when there is none or it is too short."""
        with self._lock:
            tokens = self._tokens.get(utterance, [])
        return tokens if len(tokens) >= DRAFT_TOKENS else []

    def put(self, utterance: str, tokens: list[int]) -> None:
        """The newest reading; the oldest utterance is forgotten when there are too many."""
        if not utterance:
            return
        with self._lock:
            self._tokens[utterance] = tokens
            self._tokens.move_to_end(utterance)
            if len(self._tokens) > DRAFTS:
                self._tokens.popitem(last=False)


class Written(msgspec.Struct, frozen=True):
    """One reading. ``attention`` [alignment heads, tokens + 1, positions]: where each token and the end were heard.

    ``probabilities``: of each token; ``avg_logprob`` is over tokens and end, as Whisper counts; ``passes`` counts
    runs of the decoder.
    """

    tokens: list[int]
    probabilities: list[float]
    avg_logprob: float
    no_speech_prob: float
    is_complete: bool
    attention: Floats
    passes: int


class _State(msgspec.Struct, frozen=True):
    """The decoder's memory of the tokens it was fed: keys and values [1, heads, seen, depth] by name."""

    caches: dict[str, Floats]
    seen: int

    def cut(self, seen: int) -> _State:
        """As it was after ``seen`` tokens."""
        if seen == self.seen:
            return self
        return _State({name: np.ascontiguousarray(cache[:, :, :seen]) for name, cache in self.caches.items()}, seen)


class _Answer(msgspec.Struct, frozen=True):
    """What follows each token from ``first`` on."""

    tokens: list[int]
    logprobs: Floats
    attention: Floats
    logits: Floats


class DraftDecoder:
    """``decoder.onnx`` of one model (see ``build_decoder``). Several threads may read at once."""

    def __init__(
        self,
        decoder: onnxruntime.InferenceSession,
        *,
        end: int,
        blank: Sequence[int],
        no_speech: int,
    ) -> None:
        self._decoder = decoder
        self._names = [output.name for output in decoder.get_outputs()]
        self._end = end
        self._blank = list(blank)
        self._no_speech = no_speech
        caches = [given for given in decoder.get_inputs() if given.name[0] in "kv"]
        self._nothing = _State(
            {given.name: np.zeros((1, given.shape[1], 0, given.shape[3]), np.float32) for given in caches}, 0
        )

    @classmethod
    def load(cls, folder: Path, *, end: int, blank: Sequence[int], no_speech: int) -> DraftDecoder:
        """``end``: the end of the text; ``blank``: what may not come first; ``no_speech``: the token that means it.

        Raises ModelError (``model.unreadable``).
        """
        try:
            decoder = open_session(folder / "decoder.onnx")
        except Exception as error:  # onnxruntime raises a family of its own, without a common base
            raise ModelError(
                "model.unreadable", f"cannot load the decoder in {folder}", hint="Run `copilot models fetch`."
            ) from error
        return cls(decoder, end=end, blank=blank, no_speech=no_speech)

    def read(
        self, crossed: dict[str, Floats], prompt: Sequence[int], draft: Sequence[int], *, sot: int, cap: int
    ) -> Written:
        """Decode what was listened to after ``prompt``, whose start-of-transcript is at index ``sot``.

        Writes at most ``cap`` tokens. ``draft`` changes how long it takes, and what is written
        only where two tokens are as good as equally likely (sums are rounded in another order).
        """
        lead, guess, first = list(prompt), list(draft[:cap]), sot
        before = len(lead) - 1 - first
        answer, state = self._run(crossed, self._nothing, lead + guess, first, look=[0, before])
        no_speech_prob = float(_softmax(answer.logits[0])[self._no_speech])
        answer.tokens[before] = self._not_blank(answer.tokens[before], answer.logits[1])
        tokens: list[int] = []
        logprobs: list[Floats] = []
        attention: list[Floats] = []
        passes = 1
        while True:
            agreed = _agreed(guess, answer.tokens[before:])
            logprobs.append(answer.logprobs[before : before + agreed + 1])
            attention.append(answer.attention[:, before : before + agreed + 1])
            tokens += guess[:agreed]
            following = answer.tokens[before + agreed]
            if following == self._end or len(tokens) >= cap:
                break
            state = state.cut(state.seen - len(guess) + agreed)
            tokens.append(following)
            guess = _resynchronised(guess[agreed:], following)[: cap - len(tokens)]
            answer, state = self._run(crossed, state, [following, *guess], 0)
            before = 0
            passes += 1
        odds = np.concatenate(logprobs)
        return Written(
            tokens,
            np.exp(odds[: len(tokens)]).tolist(),
            float(odds.mean()),
            no_speech_prob,
            following == self._end,
            np.concatenate(attention, axis=1),
            passes,
        )

    def _run(
        self, crossed: dict[str, Floats], state: _State, tokens: list[int], first: int, look: Sequence[int] = ()
    ) -> tuple[_Answer, _State]:
        count = len(tokens)
        places = np.arange(state.seen, state.seen + count)
        future = np.arange(state.seen + count) > places[:, np.newaxis]
        feeds = {
            "tokens": np.array([tokens], np.int64),
            "positions": places[np.newaxis].astype(np.int64),
            "mask": np.where(future, MASKED, np.float32(0))[np.newaxis, np.newaxis],
            "first": np.array([first], np.int64),
            "look": np.array(look, np.int64),
        }
        results = dict(zip(self._names, self._decoder.run(None, {**feeds, **crossed, **state.caches}), strict=True))
        caches = {name: results[f"{name}_seen"] for name in state.caches}
        answer = _Answer(
            results["next"][0].tolist(), results["logprob"][0], results["attention"][0], results["logits"][0]
        )
        return answer, _State(caches, state.seen + count)

    def _not_blank(self, token: int, logits: Floats) -> int:
        """The first token of a text, which may be neither its end nor a space."""
        if token not in self._blank:
            return token
        allowed = logits.copy()
        allowed[self._blank] = MASKED
        return int(allowed.argmax())


def _agreed(guess: Sequence[int], answers: Sequence[int]) -> int:
    """How many tokens of the guess the decoder would have written."""
    count = 0
    for guessed, answered in zip(guess, answers, strict=False):
        if guessed != answered:
            break
        count += 1
    return count


def _resynchronised(rest: Sequence[int], written: int) -> list[int]:
    """What may follow ``written``, which stands where ``rest`` begins: words were left out, or one was replaced."""
    near = list(rest[:RESYNC_TOKENS])
    return list(rest[near.index(written) + 1 :] if written in near else rest[1:])


def _softmax(logits: Floats) -> Floats:
    odds = np.exp(logits - logits.max())
    share: Floats = odds / odds.sum()
    return share


# --- word times -----------------------------------------------------------------------------------------------

SMOOTHED_POSITIONS: Final = 7
"""Width of the median filter, as in Whisper."""


def heard_at(attention: Floats, positions: int) -> npt.NDArray[np.int64]:
    """Where each token begins: the encoder position [tokens + 1] (the last: where the text ends).

    Dynamic time warping of the alignment heads' attention [heads, tokens + 1, >= positions], as Whisper does it.
    """
    heard = attention[:, :, : max(positions, SMOOTHED_POSITIONS)]
    heard = heard / np.maximum(heard.sum(axis=-1, keepdims=True), 1e-9)
    spread = np.maximum(heard.std(axis=1, keepdims=True), 1e-9)
    heard = (heard - heard.mean(axis=1, keepdims=True)) / spread
    side = SMOOTHED_POSITIONS // 2
    padded = np.pad(heard, ((0, 0), (0, 0), (side, side)), mode="reflect")
    return _warp(-_smooth(padded).mean(axis=0))


def _smooth(padded: Floats) -> Floats:
    """The median of every ``SMOOTHED_POSITIONS`` neighbours along the last axis; numpy's own takes eight times as long.

    Sorts all windows at once by exchanging neighbours in turn (odd-even transposition sort, Knuth 5.3.4).
    """
    count = padded.shape[-1] - SMOOTHED_POSITIONS + 1
    places = [padded[..., place : place + count] for place in range(SMOOTHED_POSITIONS)]
    for turn in range(SMOOTHED_POSITIONS):
        for low in range(turn % 2, SMOOTHED_POSITIONS - 1, 2):
            one, other = places[low], places[low + 1]
            places[low], places[low + 1] = np.minimum(one, other), np.maximum(one, other)
    return places[SMOOTHED_POSITIONS // 2]


def _warp(cost: Floats) -> npt.NDArray[np.int64]:
    """The first column of each row on the cheapest path through ``cost`` [rows, columns]."""
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(2, rows + columns + 1):
        row = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        column = diagonal - row
        best = np.minimum(total[row - 1, column - 1], np.minimum(total[row - 1, column], total[row, column - 1]))
        total[row, column] = cost[row - 1, column - 1] + best
    starts = np.zeros(rows, np.int64)
    row, column = rows, columns
    while row > 0:
        starts[row - 1] = column - 1
        moves = (total[row - 1, column - 1], total[row - 1, column], total[row, column - 1])
        move = int(np.argmin(moves))
        row, column = row - (move < 2), column - (move != 1)
    return starts
