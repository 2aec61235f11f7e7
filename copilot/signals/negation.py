"""Words that take a match back: negation and quotation scope.

A negator takes back what follows it only when nothing but *transparent* words stands between the two: "not (really)
too expensive", "I'm not saying that it's too expensive", 我不是说贵, 没什么好投诉的. Any other word ends its reach:
"I'm not buying, it's too expensive" and "no way I can afford it" stay objections. After the match, "... doesn't
exist" or 是不可能的 takes it back as well. So does putting it in the other party's mouth: "you said it was expensive".
"""

from __future__ import annotations

import re
from functools import lru_cache

from copilot.events import Speaker
from copilot.language.normalise import Normal, Token

_DEGREE = (
    "really|very|that|so|too|at|all|a|an|the|any|be|been|being|exactly|actually|even|particularly|quite|have|having"
    "|had|got|find|found|finding|it|as|to|for|feel|feeling|seem|here|much|of|real|more|such|ever|going"
)
_CLAIM = (
    "saying|say|said|thinking|think|thought|claiming|claim|claimed|suggesting|suggest|suggested|implying|imply|mean"
    "|meaning|calling|call|called|telling|tell|told|promise|promising|promised|guarantee|guaranteeing|guaranteed|offer"
    "|offering|believe|complaining|worried|concerned|afraid|trying|allowed|able"
)
_ABOUT = "i|am|is|are|was|were|it|that|this|you|your|we|they|he|she|to|us|me|anyone|would|will|there|has|not"
_NEGATOR = r"(?:not|never|without|hardly|nobody|no one|none of us|no company)"
_EN_BEFORE = re.compile(
    rf"(?:^| )(?:{_NEGATOR}(?: (?:can|could|will|would|should|does|do|is|are))?"
    rf"(?: (?:{_DEGREE}))*(?: (?:{_CLAIM})(?: (?:{_DEGREE}|{_ABOUT}|{_CLAIM}))*)?"
    rf"|no(?: (?:real|more|such|particular|specific|major|big|such thing as))?)$"
)
_EN_NOT_NEGATED = re.compile(r"^(?:too|way|so|it|that|this|i|we|you|not|do|can|there|thank|thanks|my)\b")
"""What follows a "no" that only answers: "no (,) too expensive"."""
_EN_IDIOM = re.compile(
    r"not (?:going to )?(?:lie|only|just|to mention)|(?:do|does|did) not (?:know|like|love|get me wrong|understand|see)"
    r"|can not (?:believe|help)|why not|not sure|no (?:wonder|way|doubt|offence|offense)"
)
_EN_AFTER = re.compile(
    r"^(?: \S+){0,2}? (?:(?:does|do|did) not (?:really )?(?:exist|bother|matter)|is not (?:possible|true|something)"
    r"|is impossible|are not (?:possible|something|guaranteed)|is not (?:a|the|an) (?:problem|issue|concern))"
)
_EN_QUOTED = re.compile(
    r"(?:^| )(?:if )?you (?:just |also |already |have )*(?:said|told me|mentioned|mention|say)\b.{0,30}$"
)
_EN_OTHERS = re.compile(
    r"(?:^| )(?:anyone|anybody|companies|(?:some |other |many |most |a lot of |lots of )?(?:people|customers|clients))"
    r"(?: \w+){0,2} (?:say|said|tell|told|think|thought|feel|promise|promises|claim|ask|worry)\b.{0,30}$"
)

_ZH_NEGATOR = "(?:不会是|不是|不会|没有|没|并不|并非|不|别|未|无|甭|谁都不|谁也不)"
_ZH_TRANSPARENT = (
    "(?:是|有|说过|说|觉得|认为|嫌|想说|想|打算|要|怎么|什么|啥|太|很|那么|这么|特别|多么|算|好|可|再|担心|怕|怀疑"
    "|你们|你|我们|我|它|这个|那个|这|那|会|能|敢|可以|可能|保证|承诺|答应|允许|意思|的|了|任何|觉着|价格|东西|产品)"
)
_ZH_BEFORE = re.compile(rf"{_ZH_NEGATOR}{_ZH_TRANSPARENT}*$")
_ZH_IDIOM = re.compile(
    "不得不|不仅|不但|不光|不只|说不定|不好意思|不知道|不瞒|不如|不过|不管|不然|不行|不了|不用了|没想到|没办法|没错|没用|没事"
    "|差不多|要不是|要不|别说|特别|个别|别的|别人|分别|级别|对不起|了不起|受不了|未来|无论|无非|不就是|是不是|有没有|能不能|会不会"
)
_ZH_RHETORICAL = re.compile("(?:不是|不就是|没有).*(?:吗|嘛|么)$|(?:不会是|不会|别是).*(?:吗|吧|嘛|么)$")
_ZH_AFTER = re.compile("^.{0,3}(?:是不可能的|不可能|不存在|是没有的|都是骗人的|那是不允许|我不敢|不敢说|不敢保证)")
_ZH_QUOTED = re.compile("你们?(?:刚才|之前|刚刚|上次|不是)?(?:也)?(?:说过|说|提到|讲).{0,8}$")
_ZH_OTHERS = re.compile(
    "(?:有的|有些|很多|不少|其他|别的)(?:人|客户|朋友|顾客|公司)[^，。]{0,3}(?:说|觉得|问|担心|承诺)[^，。]{0,8}$"
)
_QUOTES = re.compile('“[^”]*”|「[^」]*」|"[^"]*"')


def is_taken_back(normal: Normal, start: int, end: int, speaker: Speaker) -> bool:
    """Whether the words ``start``..``end`` (offsets into the text) are negated or quoted rather than meant."""
    if _in_quotes(normal.text, start, end):
        return True
    clause = {token.clause for token in normal.tokens if token.start < end and token.end > start}
    inside = [token for token in normal.tokens if token.clause in clause]
    before = [token.text for token in inside if token.end <= start]
    after = [token.text for token in inside if token.start >= end]
    match = [token.text for token in inside if token.end > start and token.start < end]
    if _en_taken_back(" ".join(before), " ".join(match), " ".join(after), speaker):
        return True
    return not normal.text.isascii() and _zh_taken_back("".join(before), "".join(after), speaker)


def _en_taken_back(before: str, match: str, after: str, speaker: Speaker) -> bool:
    if _EN_QUOTED.search(before) or (speaker == "rep" and _EN_OTHERS.search(before)):
        return True
    if _EN_AFTER.search(f" {after}"):
        return True
    found = _EN_BEFORE.search(_EN_IDIOM.sub("#", before))
    if found is None:
        return False
    answers = found.group().strip() == "no" and _EN_NOT_NEGATED.match(match)
    return not answers


def _zh_taken_back(before: str, after: str, speaker: Speaker) -> bool:
    if _ZH_QUOTED.search(before) or (speaker == "rep" and _ZH_OTHERS.search(before)):
        return True
    if _ZH_AFTER.search(after):
        return True
    plain = _ZH_IDIOM.sub("#", before)
    found = _ZH_BEFORE.search(plain)
    return bool(found) and not _ZH_RHETORICAL.search(found.group() + "#" + after if found else "")


def _in_quotes(text: str, start: int, end: int) -> bool:
    """Inside quotation marks that hold only a part of the text."""
    return any(
        match.start() < start and end < match.end() and match.end() - match.start() < len(text.strip())
        for match in _QUOTES.finditer(text)
    )


def negations(normal: Normal) -> int:
    """How many negators a text holds: two sentences alike but for one of them mean opposite things."""
    words = " ".join(normal.words)
    han = "".join(normal.words)
    en = len(re.findall(r"\b(?:not|never|no|without|nobody|hardly)\b", _EN_IDIOM.sub("#", words)))
    return en + len(re.findall("[不没别无未甭]", _ZH_IDIOM.sub("#", han)))


_EN_LEAD = r"^(?:(?:well|but|and|no|so|oh|look|listen|honestly|actually|i mean|to be fair|please|yes|okay) )*"
_EN_DENIED = re.compile(
    _EN_LEAD + r"(?:i am not (?:really |exactly |even )?(?:saying|suggesting|claiming|accusing|implying|complaining)"
    r"|it is not (?:so much )?(?:that|because) (?:it|i|we|you|the|they|my|our|your|this|he|she)\b"
    r"|(?:it|this|that|now) is not (?:such )?(?:a |an )?(?:bad|problem|issue|concern|bother|trouble)\b"
    r"|(?:i am|we are) not asking for|you are not (?:catching|disturbing|bothering)"
    r"|not that (?:it|i|we|you|they|the|my|our)\b|i (?:never|did not) (?:say|said|mean to say)\b"
    r"|(?:i am|we are) not (?:too |that |really |particularly )?(?:busy|worried|bothered|fussed)(?: \w+)?$)"
)
_EN_REPORTED = re.compile(
    r"\b(?:neighbou?r|friend|mate|cousin|uncle|aunt|colleague|co worker|coworker|brother in law|sister in law"
    r"|bloke next door|lady next door|guy at work|lad at work)s? (?:\w+ ){0,2}?"
    r"(?:said|says|reckons|reckoned|thought|thinks|felt|told me) (?!.*\b(?:you|your|i|we|me)\b)"
)
_ZH_DENIED = re.compile(
    "(?:^|我|我们|也|倒|又|这|可|但|并)(?:不是(?:说|嫌|觉得|不|没|因为|怕|怀疑|信不过|担心|想)|没说|没有说|又没说|也没说|没嫌|不嫌)"
    "|^(?:不|并不|一点都?不|一点也不)(?:贵|忙|麻烦|着急|介意)(?:不(?:贵|忙|麻烦|着急))?(?:的|了|啊|呢|吧)?$"
)
_ZH_REPORTED = re.compile(
    "(?:邻居|朋友|同事|亲戚|表[哥姐弟妹]|堂[哥姐弟妹]|舅舅|叔叔|阿姨|隔壁\\w{0,3}|老[张王李赵刘陈]|对门\\w{0,2})[^我你咱]{0,4}"
    "(?:说|讲|嫌|觉得|抱怨)[^我你咱]*$"
)
_HEADER = re.compile(r"(?:said|says|told me|reckons|说|讲|觉得|抱怨)$")
"""What ends a clause whose next one is the other person's words."""


def is_disowned(normal: Normal, start: int, end: int, speaker: Speaker) -> bool:
    """Whether what ``start``..``end`` says as a whole is denied by its speaker, or told of somebody else.

    Only what is certain: 我不是不相信你, "it's not that it's expensive", "my neighbour said it's too dear". A stretch
    of several clauses is disowned when any of them is: the others speak for themselves.
    """
    disowned = _disowned_clauses(normal, speaker)
    return any(token.clause in disowned for token in normal.tokens if token.start < end and token.end > start)


@lru_cache(maxsize=64)
def _disowned_clauses(normal: Normal, speaker: Speaker) -> frozenset[int]:
    """Remembered for the utterances of late: each match in one asks again, and so does what it means."""
    clauses: dict[int, list[Token]] = {}
    for token in normal.tokens:
        clauses.setdefault(token.clause, []).append(token)
    disowned: set[int] = set()
    told = False
    for clause, tokens in clauses.items():
        en = " ".join(token.text for token in tokens)
        zh = "" if normal.text.isascii() else "".join(token.text for token in tokens)
        told = told or _in_quotes(normal.text, tokens[0].start, tokens[-1].end)
        reported = speaker == "customer" and bool(_EN_REPORTED.search(f"{en} ") or _ZH_REPORTED.search(zh))
        denied = _EN_DENIED.search(en) or (_ZH_DENIED.search(zh) and not _ZH_RHETORICAL.search(zh))
        if told or reported or denied:
            disowned.add(clause)
        told = reported and bool(_HEADER.search(en))
    return frozenset(disowned)
