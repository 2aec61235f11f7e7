"""What the bare form of a sentence tells, in English and Chinese: backchannel, question, refusal, length.

Rules of thumb over surface forms, all of them on this page, so that a reader can judge the numbers made from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

BACKCHANNEL_MAX_MS = 800

_BACKCHANNEL = re.compile(
    r"m+|mhm|mmhm|h+m+|uhhuh|a+h|o+h|ok|okay|yeah|yes|yep|yup|right|sure|really|isee|gotit|ofcourse|al?lright|oh(okay|yes)"
    r"|(yeah|okay){2}|[嗯恩]{1,3}|对{1,3}的?|是[的吗]?|[哦噢喔啊哎欸呃]{1,2}|好{1,2}的?|行{1,2}|没错|这样啊?"
)
_HAN = r"㐀-䶿一-鿿"
_UNIT_ZH = re.compile(rf"[{_HAN}]|[A-Za-z]+(?:['’][A-Za-z]+)*|\d+(?:[.,]\d+)*")
_UNIT_EN = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")
_NOT_WORD = re.compile(r"[\W_]+")
_SENTENCE = re.compile(r"[^.!?。！？;；\n]+[.!?。！？;；]*")

_OPEN_EN = re.compile(
    r"\b(what|how|why|which|who|whom|whose|when|where)\b|^\W*(tell me|describe|(walk|talk) me through)\b", re.IGNORECASE
)
_OPEN_ZH = re.compile(r"什么|啥|怎么|怎样|咋|为何|如何|哪|谁|多少|多久|多大|多长|几[个点位年月天岁号口辆套次]")
_TAG_ZH = re.compile(r"(?:吗|呢|么|没有|不)[吧呀啊]?$|([有是能要好行会可想对需])(?:不|没)\1|可不可以|方不方便|愿不愿意")
_NO_QUESTION_ZH = re.compile(r"不知道|不管|无论|不论|没什么|什么的|怎么也|什么都|哪里哪里|(?:这|那|要)么$|还没有$")

_REFUSAL_EN = re.compile(r"\b(no|nope|not|never|nothing|none|cannot|stop)\b|n['’]t\b", re.IGNORECASE)
_HARMLESS_EN = re.compile(
    r"\bno (problem|worries|doubt)\b|\bwhy not\b|\bnot (bad|at all)\b|\b(do|would)n['’]t mind\b",
    re.IGNORECASE,
)
_REFUSAL_ZH = re.compile(r"不|没|别|算了|再说|挂了")
_HARMLESS_ZH = re.compile(
    r"不错|没问题|没关系|不介意|不客气|要不|差不多|不好意思|特别|别人|别的|([有是能要好行会可想对需])(?:不|没)\1"
)


def bare(text: str) -> str:
    """Letters and digits only, lower case."""
    return _NOT_WORD.sub("", text).lower()


def is_backchannel(text: str, length_ms: int) -> bool:
    """A sign of listening rather than a turn: one of a closed list, shorter than 800 ms."""
    return length_ms < BACKCHANNEL_MAX_MS and _BACKCHANNEL.fullmatch(bare(text)) is not None


def is_chinese(text: str) -> bool:
    """More Chinese characters than Latin words."""
    han = len(re.findall(rf"[{_HAN}]", text))
    return han > len(re.findall(r"[A-Za-z]+", text))


def units(text: str, language: str) -> int:
    """Spoken length: words in English; in Chinese characters, where a Latin word or a number counts as one."""
    return len((_UNIT_ZH if language == "zh" else _UNIT_EN).findall(text))


def sentences(text: str) -> Iterator[str]:
    """The sentences of a line, with their closing punctuation."""
    for match in _SENTENCE.finditer(text):
        if bare(match.group()):
            yield match.group().strip()


def question(sentence: str) -> Literal["open", "closed"] | None:
    """Open: asks with a question word. Closed: yes/no or a choice. None: not a question.

    A question mark decides. Without one only Chinese is guessed at, because its recognisers often write none: a
    closing 吗 / 呢, the A-not-A form, or a question word outside of 不知道什么, 没什么 and the like.
    """
    marked = sentence.rstrip().endswith(("?", "？"))
    if not is_chinese(sentence):
        return ("open" if _OPEN_EN.search(sentence) else "closed") if marked else None
    plain = sentence.rstrip("?？。！!；;.， ,")
    asks_open = bool(_OPEN_ZH.search(plain))
    if not marked and (_NO_QUESTION_ZH.search(plain) or not (asks_open or _TAG_ZH.search(plain))):
        return None
    return "open" if asks_open else "closed"


def is_negative(text: str) -> bool:
    """The speaker says no to something, once 没问题, "no problem" and A-not-A questions are set aside."""
    if is_chinese(text):
        return bool(_REFUSAL_ZH.search(_HARMLESS_ZH.sub("", text)))
    return bool(_REFUSAL_EN.search(_HARMLESS_EN.sub("", text)))
