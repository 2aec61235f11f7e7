"""Backchannels: the small sounds of listening, which take no turn."""

from __future__ import annotations

import re

MAX_BACKCHANNEL_MS = 800
"""Longer sounds are turns, whatever their words."""

_EN = (
    r"(?:mm+|m+hm+|mhm|uh ?huh|hm+|ah+|oh+|okay|ok|yes|yeah|yep|yup|right|sure|i see|got it|of course|alright"
    r"|all right|really|exactly|indeed|true|fine|good|great)"
)
_ZH = r"(?:嗯+|恩|啊|哦+|噢|喔|唔|对+|是+|是的|对的|好+|好的|行|行的|没错|明白|知道|可以|这样|是吗|是吧|哎|诶|呃|嗨)"
_ONLY = re.compile(rf"(?:{_EN}|{_ZH})+(?:(?:{_EN}|{_ZH}|[啊呀吧哈了]))*")


def is_backchannel(text: str, duration_ms: int) -> bool:
    """Whether ``text`` is nothing but listening sounds (嗯, 对, uh-huh) and shorter than 800 ms."""
    if duration_ms >= MAX_BACKCHANNEL_MS:
        return False
    bare = " ".join(re.findall(r"[^\W_]+", text.lower()))
    return bool(bare) and all(_ONLY.fullmatch(part) for part in _split(bare))


def _split(bare: str) -> list[str]:
    """Word by word, except where a backchannel is two words long."""
    pairs = re.sub(r"\b(uh) (huh)\b|\b(i) (see)\b|\b(got) (it)\b|\b(of) (course)\b|\b(all) (right)\b", _glue, bare)
    return [part.replace("\x00", " ") for part in pairs.split(" ")]


def _glue(match: re.Match[str]) -> str:
    return match.group().replace(" ", "\x00")
