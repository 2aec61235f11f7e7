"""The guard: which hypotheses are not what anybody said. Looks at text and figures only, never at samples."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from copilot.events import WINDOW_MS, Hypothesis

NO_SPEECH: Final = 0.6
"""Above this probability of no speech (and below ``UNSURE_LOGPROB``) Whisper itself would stay silent."""
UNSURE_LOGPROB: Final = -0.8
HOPELESS_LOGPROB: Final = -1.5
"""Below this the words are noise, whatever else is said."""
CONFIDENT_LOGPROB: Final = -0.35
"""Above this even a phrase that recognisers like to invent was really said."""
LOOP_RATIO: Final = 2.4
"""Compression ratio of text that repeats itself (Whisper's own limit)."""
MAX_REPEATS: Final = 4
"""The same words this often in a row were not said."""
SPARE_CHARACTERS: Final = 12
CHARACTERS_PER_S: Final = {"en": 32.0, "zh": 13.0}
"""Nobody speaks faster; text beyond this was not in the audio."""

_TAG = re.compile(r"\[[^\]]*\]|\([^)]*\)|（[^）]*）|【[^】]*】|\*[^*]*\*|[♪♫]+")
_INVENTED: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^(thanks|thank you) (so much |very much )?for (watching|listening)\b",
        r"\b(subscribe|like and subscribe)\b.*\b(channel|video)",
        r"^(please )?(subscribe|like and subscribe)[.! ]*$",
        r"^(subtitles?|captions?|transcri\w+|translat\w+) by\b",
        r"\bamara\.org\b",
        r"^see you (in the )?next (time|video)[.! ]*$",
        r"(字幕|翻译|校对|听译|制作)[:：由 ]",
        r"字幕(志愿者|组|製作|制作)",
        r"(请不吝)?点赞.{0,4}(订阅|订閱|转发|打赏)",
        r"^(谢谢|感谢)(大家|您|你)?(的)?(观看|收看|收听)",
        r"(明镜|点点栏目)",
        r"^(以下是|普通话的句子|使用简体中文)",
        r"^(我们)?下(期|次|集)(节目)?(再见|见)",
    )
)
_FILLER: Final = re.compile(r"^(thank you|thanks|you|bye|bye[- ]bye|the end|oh|hmm|uh|um|ah|so)[.! ]*$", re.IGNORECASE)


def objection(hypothesis: Hypothesis, *, voiced_ms: int, min_voiced_ms: int) -> str:
    """Why this was not said, in one word, or ``""`` when there is nothing to object to."""
    if voiced_ms < min_voiced_ms:
        return "too_short"
    return next((name for name, objects in OBJECTIONS.items() if objects(hypothesis, voiced_ms)), "")


def clean(text: str) -> str:
    """The text without marks of non-speech such as ``[Music]``."""
    return " ".join(_TAG.sub(" ", text).split())


def _is_empty(hypothesis: Hypothesis, _: int) -> bool:
    return not any(character.isalnum() for character in clean(hypothesis.text))


def _is_noise(hypothesis: Hypothesis, _: int) -> bool:
    unsure = hypothesis.no_speech_prob > NO_SPEECH and hypothesis.avg_logprob < UNSURE_LOGPROB
    return unsure or hypothesis.avg_logprob < HOPELESS_LOGPROB


def _is_loop(hypothesis: Hypothesis, _: int) -> bool:
    return hypothesis.compression_ratio > LOOP_RATIO or repeats(hypothesis.text) > MAX_REPEATS


def _is_too_much(hypothesis: Hypothesis, voiced_ms: int) -> bool:
    """More text than anybody can say in that time."""
    per_s = CHARACTERS_PER_S["zh" if any(map(_is_han, hypothesis.text)) else "en"]
    return len(hypothesis.text) > SPARE_CHARACTERS + per_s * (voiced_ms + 4 * WINDOW_MS) / 1000


def _is_invented(hypothesis: Hypothesis, _: int) -> bool:
    """One of the phrases recognisers learnt from subtitles, and not a confident one."""
    text = clean(hypothesis.text)
    if hypothesis.avg_logprob < CONFIDENT_LOGPROB or hypothesis.no_speech_prob > NO_SPEECH:
        return any(pattern.search(text) for pattern in _INVENTED)
    return False


def _is_filler(hypothesis: Hypothesis, _: int) -> bool:
    """What recognisers say to a cough or a click; people say it too, but then it is heard clearly."""
    unsure = hypothesis.avg_logprob < UNSURE_LOGPROB or hypothesis.no_speech_prob > NO_SPEECH
    return unsure and bool(_FILLER.search(clean(hypothesis.text)))


OBJECTIONS: Final[dict[str, Callable[[Hypothesis, int], bool]]] = {
    "empty": _is_empty,
    "noise": _is_noise,
    "loop": _is_loop,
    "too_much": _is_too_much,
    "invented": _is_invented,
    "filler": _is_filler,
}


def repeats(text: str) -> int:
    """How often one to six words (Chinese: characters) follow themselves at most, anywhere in the text."""
    words = tokens(text)
    most = 1 if words else 0
    for period in range(1, 7):
        run = 0
        for index in range(period, len(words)):
            run = run + 1 if words[index] == words[index - period] else 0
            most = max(most, 1 + run // period)
    return most


def tokens(text: str) -> list[str]:
    """Lower-case words; each Chinese character is one."""
    spaced = "".join(
        f" {character} " if _is_han(character) else character if character.isalnum() or character == "'" else " "
        for character in text.casefold()
    )
    return spaced.split()


def _is_han(character: str) -> bool:
    return unicodedata.name(character, "").startswith("CJK UNIFIED")
