"""A report on its way to the reader: one language, everything escaped, every moment a link."""

from __future__ import annotations

import re
from html import escape
from urllib.parse import urlsplit

from copilot.errors import UsageError
from copilot.events import Evidence, Speaker
from copilot.review.model import Report, Text
from copilot.review.wording import clock, word

AUDIO_SCHEMES = ("", "http", "https", "blob")
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]*")


def checked_audio(url: str) -> str:
    """The URL, if a page may link to it. Raises UsageError ``report.audio_url`` for the likes of ``javascript:``.

    The host goes into the page's security policy, so nothing that could end a directive may stand in it.
    """
    parts = urlsplit(url)
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if not is_plain or parts.scheme.lower() not in AUDIO_SCHEMES or not _HOST.fullmatch(parts.netloc):
        raise UsageError(
            "report.audio_url",
            "the audio of a report must be at an http, https, blob or relative URL",
            hint="Percent-encode the address, or leave it out.",
        )
    return url


class View:
    """Small HTML parts that every section uses. ``e`` escapes, ``w`` looks a heading up."""

    def __init__(self, report: Report, language: str, audio_url: str = "") -> None:
        self.report = report
        self.language = language
        self.audio_url = checked_audio(audio_url)
        self._speakers: dict[str, Speaker] = {line.utterance_id: line.speaker for line in report.transcript}

    def e(self, text: object) -> str:
        return escape(str(text), quote=True)

    def w(self, key: str, **values: object) -> str:
        return self.e(word(key, self.language, **values))

    def text(self, text: Text) -> str:
        return self.e(text.in_language(self.language))

    def at(self, ms: int) -> str:
        """A moment; with audio it plays from there (a media fragment, no script)."""
        shown = f'<span class="t">{clock(ms)}</span>'
        if not self.audio_url:
            return shown
        bare = self.audio_url.partition("#")[0]
        href = self.e(f"{bare}#t={ms / 1000:.1f}")
        return f'<a class="t" href="{href}" target="_blank" rel="noopener">▶&#8239;{clock(ms)}</a>'

    def speaker(self, speaker: Speaker) -> str:
        return f'<span class="sp {"rep" if speaker == "rep" else "cus"}">{self.w(speaker)}</span>'

    def quote(self, evidence: Evidence) -> str:
        """Who said what when; the words lead to their line in the transcript."""
        speaker = self._speakers[evidence.utterance_id]
        words = f'<a href="#{self.anchor(evidence.utterance_id)}">“{self.e(evidence.quote)}”</a>'
        return f"<blockquote>{self.at(evidence.start_ms)}<p>{self.speaker(speaker)} {words}</p></blockquote>"

    def anchor(self, utterance_id: str) -> str:
        return self.e(f"line-{utterance_id}")

    def chip(self, key: str, tone: str = "") -> str:
        return f'<span class="chip {tone}">{self.w(key)}</span>'

    def section(self, key: str, body: str) -> str:
        return f'<section id="{key}"><h2>{self.w(key)}</h2>{body}</section>'
