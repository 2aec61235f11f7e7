"""Text -> tokens that can be compared, each knowing where in the text it came from.

An English word is a token, a Chinese character is a token, a number is a token. Contractions are taken apart
(``can't`` and ``cannot`` are both ``can not``), numbers become digits, fillers (um, 嗯) and stutters disappear. What
is left of the original is the offsets, so that a quote is always an exact piece of what was said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import groupby

import snowballstemmer
from pypinyin import lazy_pinyin
from pypinyin.seg.mmseg import seg

from copilot.events import Frozen, Language
from copilot.language.numbers import EN_NUMBER_WORDS, ZH_NUMBER, en_number, zh_number

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_PIECE = re.compile(
    rf"(?P<number>\d+(?:[.,]\d+)*)|(?P<percent>%|percent\b|per cent\b)"
    rf"|(?P<word>[^\W\d_{_HAN}]+(?:'[^\W\d_{_HAN}]+)*)|(?P<han>[{_HAN}])"
    r"|(?P<stop>[.?!。？！…\n]+)|(?P<pause>[,;:，；：—]+|\s+-+\s+)"
)
_HAN_SPACE = re.compile(rf"(?<=[{_HAN}])\s+(?=[{_HAN}])")
_SAME_LENGTH = str.maketrans({"’": "'", "‘": "'", "＇": "'", "`": "'", "％": "%"})

_CONTRACTIONS = {
    "can't": "can not", "cannot": "can not", "won't": "will not", "shan't": "shall not", "ain't": "is not",
    "gonna": "going to", "wanna": "want to", "gotta": "got to", "let's": "let us", "'cause": "because",
    "cos": "because", "cuz": "because", "im": "i am", "ive": "i have", "its": "it is", "thats": "that is",
    "whats": "what is", "theres": "there is", "youre": "you are", "theyre": "they are", "cant": "can not",
    "dont": "do not", "doesnt": "does not", "didnt": "did not", "isnt": "is not", "wasnt": "was not",
    "arent": "are not", "wont": "will not", "couldnt": "could not", "wouldnt": "would not",
    "shouldnt": "should not", "havent": "have not", "hasnt": "has not", "ok": "okay", "yeah": "yes", "yep": "yes",
    "yup": "yes", "nope": "no", "nah": "no",
}  # fmt: skip
_ENDINGS = (("n't", "not"), ("'re", "are"), ("'ve", "have"), ("'ll", "will"), ("'d", "would"), ("'m", "am"))
_IS = frozenset("it that what who where how there here he she when why this everything something".split())  # noqa: SIM905

_FILLERS = frozenset("um uh uhm umm erm er hmm hm mm mmm ah eh 嗯 呃 啊 呀 哎 诶 唉 噢 喔 哦".split())  # noqa: SIM905
_STUTTERS = frozenset("我你他这那就是")
LONGEST_NUMBER = 12
"""Most words of one English number: "nine hundred and ninety nine thousand nine hundred and ninety nine"."""
_SMALL = dict(zip("0123456789", "零一两三四五六七八九", strict=True))


class Token(Frozen, frozen=True, kw_only=True):
    """One comparable word: ``text`` in lower case; ``start``/``end`` are offsets into the original."""

    text: str
    start: int
    end: int
    clause: int = 0
    sentence: int = 0


class Normal:
    """A text taken apart. Stems and syllables are worked out when first asked for."""

    def __init__(self, text: str, tokens: tuple[Token, ...]) -> None:
        self.text = text
        self.tokens = tokens

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The tokens' texts."""
        return tuple(token.text for token in self.tokens)

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """English stems; everything else as it is."""
        return tuple(_stem(word) for word in self.words)

    @cached_property
    def syllables(self) -> tuple[str, ...]:
        """Toneless pinyin of Chinese characters, read in context and with near sounds made equal; else the word."""
        return tuple(_syllables(self.tokens))

    @cached_property
    def clauses(self) -> tuple[tuple[int, int], ...]:
        """Offsets of the stretches between punctuation marks, first token to last."""
        spans: dict[int, tuple[int, int]] = {}
        for token in self.tokens:
            start, _ = spans.get(token.clause, (token.start, 0))
            spans[token.clause] = (start, token.end)
        return tuple(spans.values())


@lru_cache(maxsize=256)
def normalise(text: str, language: Language = "auto") -> Normal:
    """Take ``text`` apart; ``language`` en or zh says how to read what both write alike (a lone ``3``).

    Texts of late are remembered: rules, examples and the classifier all look at the same ones.
    """
    plain = lower(text).translate(_SAME_LENGTH)
    tokens = _merge_en_numbers(_merge_zh_numbers(list(_tokens(plain))))
    if language == "zh" or (language == "auto" and is_chinese(text)):
        tokens = [_with_text(token, _SMALL.get(token.text, token.text)) for token in tokens]
    return Normal(text, tuple(_fluent(tokens)))


def lower(text: str) -> str:
    """``text`` in lower case, character by character, so that offsets stay true."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


def is_chinese(text: str) -> bool:
    """Whether a text is to be read as Chinese: at least a third of its letters are Han characters."""
    if text.isascii():
        return False
    han = len(re.findall(rf"[{_HAN}]", text))
    return han * 3 >= len(re.findall(rf"[^\W\d_{_HAN}]", text)) + han and han > 0


def _tokens(plain: str) -> Iterator[Token]:
    clause = sentence = 0
    spaces = {match.start() for match in _HAN_SPACE.finditer(plain)}
    for match in _PIECE.finditer(plain):
        kind, piece = match.lastgroup, match.group()
        if kind in ("stop", "pause") or (spaces and _spaced(plain, match.start(), spaces)):
            clause += 1
            sentence += kind == "stop"
        if kind in ("stop", "pause"):
            continue
        for text in _parts(str(kind), piece):
            yield Token(text=text, start=match.start(), end=match.end(), clause=clause, sentence=sentence)


def _spaced(plain: str, start: int, spaces: set[int]) -> bool:
    """Whether a space between Chinese characters, the recogniser's comma, ends just before ``start``."""
    at = start
    while at and plain[at - 1].isspace():
        at -= 1
    return at in spaces


def _parts(kind: str, piece: str) -> Sequence[str]:
    if kind == "percent":
        return ("%",)
    if kind == "number":
        return (piece.replace(",", ""),)
    if kind == "han":
        return (piece,)
    return _word(piece)


@lru_cache(maxsize=8192)
def _word(word: str) -> tuple[str, ...]:
    if word in _CONTRACTIONS:
        return tuple(_CONTRACTIONS[word].split())
    for ending, full in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending):
            return (*_word(word.removesuffix(ending)), full)
    if word.endswith("'s"):
        base = word[:-2]
        return (base, "is") if base in _IS else (base,)
    return (word.replace("'", ""),)


def _merge_en_numbers(tokens: list[Token]) -> list[Token]:
    merged: list[Token] = []
    at = 0
    while at < len(tokens):
        found = None
        if tokens[at].text in EN_NUMBER_WORDS:
            following = (token for token in tokens[at : at + LONGEST_NUMBER] if token.clause == tokens[at].clause)
            found = en_number([token.text for token in following])
        if found:
            merged.append(_span(found[0], tokens[at], tokens[at + found[1] - 1]))
            at += found[1]
        else:
            merged.append(tokens[at])
            at += 1
    return merged


def _merge_zh_numbers(tokens: list[Token]) -> list[Token]:
    """Joined character by character, so one token is one character and positions agree."""
    if all(token.text.isascii() for token in tokens):
        return tokens
    joined = "".join(token.text if len(token.text) == 1 else "\ufffc" for token in tokens)
    merged: list[Token] = []
    at = 0
    for match in ZH_NUMBER.finditer(joined):
        texts = _zh_texts(match)
        if texts:
            merged += tokens[at : match.start()]
            merged += [_span(text, tokens[match.start()], tokens[match.end() - 1]) for text in texts]
            at = match.end()
    return merged + tokens[at:]


def _zh_texts(match: re.Match[str]) -> tuple[str, ...]:
    if match["all"]:
        return ("100", "%")
    digits = zh_number(match["percent"] or match["number"])
    if digits is None:
        return ()
    return (digits, "%") if match["percent"] else (digits,)


def _fluent(tokens: Sequence[Token]) -> Iterator[Token]:
    """Without fillers and without words said twice in a row."""
    last = ""
    for token in tokens:
        again = token.text == last and (token.text in _STUTTERS or (token.text.isascii() and token.text.isalpha()))
        if token.text not in _FILLERS and not again:
            yield token
            last = token.text


def _span(text: str, first: Token, last: Token) -> Token:
    return Token(text=text, start=first.start, end=last.end, clause=first.clause, sentence=first.sentence)


def _with_text(token: Token, text: str) -> Token:
    return token if text == token.text else _span(text, token, token)


_STEMMER = snowballstemmer.stemmer("english")


@lru_cache(maxsize=8192)
def _stem(word: str) -> str:
    return str(_STEMMER.stemWord(word)) if word.isascii() else word


_NEAR = ((re.compile("^([zcs])h"), r"\1"), (re.compile("(?<=[ie])ng$"), "n"))
"""Sounds that speakers and recognisers mix up: zh/z, ch/c, sh/s, ing/in, eng/en."""


@lru_cache(maxsize=4096)
def _near(syllable: str) -> str:
    for pattern, replacement in _NEAR:
        syllable = pattern.sub(replacement, syllable)
    return syllable


def _each(unknown: str) -> str:
    """What pypinyin is to return for characters it does not know: themselves, one by one (it accepts lists)."""
    return list(unknown)  # type: ignore[return-value]


def _syllables(tokens: Sequence[Token]) -> Iterator[str]:
    """Characters are read in the context of their clause, never across a pause."""
    for (is_han, _), group in groupby(tokens, key=lambda token: (_is_han(token.text), token.clause)):
        words = [token.text for token in group]
        yield from _read("".join(words)) if is_han else words


def _read(han: str) -> Iterator[str]:
    for word in seg.cut(han):
        yield from _sound(word)


@lru_cache(maxsize=8192)
def _sound(word: str) -> tuple[str, ...]:
    """Of one word of the dictionary that tells how a character is read in it; people use the same few thousand."""
    return tuple(_near(syllable) for syllable in lazy_pinyin([word], errors=_each))


def _is_han(word: str) -> bool:
    return len(word) == 1 and ("\u4e00" <= word <= "\u9fff" or "\u3400" <= word <= "\u4dbf")
