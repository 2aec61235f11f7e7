"""Phrases are found as words, not as strings."""

import pytest

from copilot.language.normalise import normalise
from copilot.playbook.model import Phrase
from copilot.signals.phrases import compiled


def found(text, language="en", **phrase):
    return [text[a:b] for a, b, _ in compiled(Phrase(**phrase), language).find(normalise(text, language))]


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("I'm not interested", {"any": ("interested",)}, ["interested"]),
        ("I'm uninterested", {"any": ("interested",)}, []),
        ("It’s too, um, expensive!", {"any": ("too expensive",)}, ["too, um, expensive"]),
        ("I can not afford it", {"any": ("can't afford",)}, ["can not afford"]),
        ("no way I can afford that", {"any": ("no way ... afford",)}, ["no way I can afford"]),
        ("no way in the world that I could afford", {"any": ("no way ... afford",), "gap": 3}, []),
        ("no way. I can afford it", {"any": ("no way ... afford",)}, []),
        ("they complained", {"any": ("complain",), "match": "stem"}, ["complained"]),
        ("they complained", {"any": ("complain",)}, []),
        ("price and quality", {"all": ("price", "quality")}, ["price"]),
        ("price only", {"all": ("price", "quality")}, []),
        ("the price, too expensive", {"any": ("too expensive",), "all": ("price",)}, ["too expensive"]),
        ("too expensive to save", {"any": ("too expensive",), "exclude": ("save",)}, []),
        ("anything", {"any": ("...",)}, []),
    ],
)
def test_english(text, phrase, expected):
    assert found(text, **phrase) == expected


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("这个太贵了", {"any": ("太贵",)}, ["太贵"]),
        ("这个太鬼乐", {"any": ("太贵了",), "match": "pinyin"}, ["太鬼乐"]),
        ("这个太鬼乐", {"any": ("太贵了",)}, []),
        ("这个太鬼", {"any": ("太贵",), "match": "pinyin"}, []),
        ("我要跟老婆商量", {"any": ("跟...商量",)}, ["跟老婆商量"]),
    ],
)
def test_chinese(text, phrase, expected):
    assert found(text, "zh", **phrase) == expected
