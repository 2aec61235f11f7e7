"""One channel from speech scores to words: what to decode, when, and which answers to believe."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from copilot.config import SpeechSettings
from copilot.events import (
    WINDOW_MS,
    CancelDecode,
    Decode,
    Decoded,
    DecodeJob,
    Heard,
    Hypothesis,
    Language,
    SpeechEnded,
    SpeechScored,
    SpeechStarted,
)
from copilot.speech.commit import Agreement
from copilot.speech.cut import quietest
from copilot.speech.effort import Effort
from copilot.speech.endpoint import patience_ms
from copilot.speech.finals import Closed, Finals, confidence, settle
from copilot.speech.guard import clean, objection
from copilot.speech.language import LanguageVote
from copilot.speech.vad import Vad, Voice

Finding = Decode | CancelDecode | SpeechStarted | SpeechEnded | Heard
INTERIMS_PER_LENGTH = 4
"""The next interim comes after a quarter more has been said, when that is longer than the usual interval."""
MAX_TRIES = 2
"""A final the engine failed is asked for once more."""


class _Open(msgspec.Struct, kw_only=True):
    """The utterance being spoken. ``window`` is where its voice began, ``begin_ms`` where its decoding begins."""

    utterance_id: str
    window: int
    begin_ms: int
    agreement: Agreement
    scores: list[float]
    levels_db: list[float]
    interim_job: int = 0
    interim_ms: int = 0
    shown: Heard | None = None
    guess_job: int = 0
    guess_ms: int = 0
    guess: Hypothesis | None = None


class Transcriber:
    """A state machine per channel: feed scores and answers, perform what it returns.

    While somebody speaks it asks for interims, one at a time. When the voice pauses it asks for the whole utterance
    at once, on the chance that this is the end; if it is, that answer is the final. Every stretch of speech is
    decoded into exactly one final, and finals come in the order they were spoken. ``effort`` may be set at any time:
    less of it means less of that, down to nothing.
    """

    def __init__(
        self,
        channel: int,
        settings: SpeechSettings,
        *,
        language: Language,
        next_job_id: Callable[[], int],
        next_utterance_id: Callable[[], str],
        prompt: str = "",
        hotwords: str = "",
    ) -> None:
        self._channel = channel
        self.effort = Effort()
        self._settings = settings
        self._next_job_id = next_job_id
        self._next_utterance_id = next_utterance_id
        self._prompt = prompt
        self._hotwords = hotwords
        self._language = LanguageVote(language)
        self._vad = Vad(settings.vad)
        self._window = 0  # the next one expected
        self._onset: list[tuple[float, float]] = []  # scores and levels of speech not yet believed
        self._open: _Open | None = None
        self._last_stop_ms = 0
        self._finals = Finals()
        self._said: deque[str] = deque(maxlen=settings.context_finals)

    @property
    def is_idle(self) -> bool:
        """Nobody is speaking and no final is outstanding."""
        return self._open is None and not self._finals

    @property
    def unsettled_ms(self) -> int | None:
        """Where the oldest words not yet final begin; None when everything said so far is."""
        if self._finals:
            return self._finals.oldest_ms
        return self._open.window * WINDOW_MS if self._open else None

    def next_deadline(self) -> float | None:
        """When ``tick`` is wanted."""
        return self._finals.next_deadline()

    # --- what happens ---------------------------------------------------------------------------------------

    def scored(self, event: SpeechScored, now: float) -> list[Finding]:
        """Windows were scored. Windows that were skipped (a pause of the call) end what was being said."""
        found = self.flush(now) if event.first_window != self._window else []
        self._window = event.first_window
        for score, level_db in zip(event.scores, event.levels_db, strict=True):
            found += self._observe(score, level_db, now)
        return found + self._interim(now)

    def decoded(self, event: Decoded, now: float) -> list[Finding]:
        """A recogniser answered. Answers nobody waits for any more change nothing."""
        if closed := self._finals.asked(event.job_id):
            return self._answered(closed, event.hypothesis, now)
        open_ = self._open
        if open_ and event.job_id == open_.interim_job:
            open_.interim_job = 0
            return [*self._show(open_, event.hypothesis, open_.interim_ms)]
        if open_ and event.job_id == open_.guess_job:
            open_.guess_job = 0
            open_.guess = event.hypothesis
            found = self._show(open_, event.hypothesis, open_.guess_ms)
            if found:
                self._vad.patience_ms = patience_ms(found[0].text, self._settings.vad)
            return [*found]
        return []

    def tick(self, now: float) -> list[Finding]:
        """Give up on finals that are overdue: what was shown last is then all there is."""
        found: list[Finding] = []
        for closed in self._finals.overdue(now):
            found.append(CancelDecode(job_id=closed.job_id))
            settle(closed, None, "")
        return found + self._tell()

    def wait_anew(self, now: float) -> None:
        """Give the finals that are outstanding all their time again."""
        self._finals.postpone(now + self._settings.final_timeout_s)

    def flush(self, now: float) -> list[Finding]:
        """No more will be said (hang-up, pause): what is open becomes final."""
        found: list[Finding] = []
        if self._open:
            stopped = self._window if self._vad.stopped is None else self._vad.stopped
            found = self._end(self._open, stopped, now)
        self._vad.reset()
        return found

    # --- windows --------------------------------------------------------------------------------------------

    def _observe(self, score: float, level_db: float, now: float) -> list[Finding]:
        window, self._window = self._window, self._window + 1
        change = self._vad.observe(window, score)
        if self._open is None:
            self._onset.append((score, level_db))
            return self._start() if change is Voice.STARTED else self._wait(window)
        self._open.scores.append(score)
        self._open.levels_db.append(level_db)
        if change is Voice.ENDED and self._vad.stopped is not None:
            return self._end(self._open, self._vad.stopped, now)
        if change is Voice.PAUSED:
            return self._guess(self._open, now)
        if change is Voice.RESUMED:
            return self._resume(self._open)
        if (self._window - self._open.window) * WINDOW_MS >= self._settings.vad.max_speech_ms:
            return self._cut(self._open, now)
        return []

    def _wait(self, window: int) -> list[Finding]:
        """Keep only what the voice that may be beginning has said so far."""
        if self._vad.started is None:
            self._onset.clear()
        elif self._vad.started == window:
            self._onset = self._onset[-1:]
        return []

    def _start(self) -> list[Finding]:
        first = self._vad.started or 0
        start_ms = first * WINDOW_MS
        self._open = _Open(
            utterance_id=self._next_utterance_id(),
            window=first,
            begin_ms=max(start_ms - self._settings.vad.speech_pad_ms, self._last_stop_ms),
            agreement=Agreement(),
            scores=[score for score, _ in self._onset],
            levels_db=[level for _, level in self._onset],
        )
        return [SpeechStarted(channel=self._channel, at_ms=start_ms)]

    def _end(self, open_: _Open, stopped: int, now: float) -> list[Finding]:
        """The voice stopped before window ``stopped``; after a cut in a pause there may be nothing left to close."""
        self._open = None
        ended = SpeechEnded(channel=self._channel, at_ms=stopped * WINDOW_MS)
        if stopped <= open_.window:
            return [ended]
        return [ended, *self._close(open_, stopped, self._padded_ms(stopped), now)]

    def _cut(self, open_: _Open, now: float) -> list[Finding]:
        """Speech for too long: end one utterance and begin the next, in the pause it is in or where it is quietest."""
        stopped = self._vad.stopped
        if stopped is not None and stopped > open_.window:
            cut, stop_ms = stopped, self._padded_ms(stopped)
        else:
            cut = open_.window + quietest(open_.scores, open_.levels_db)
            stop_ms = cut * WINDOW_MS
        at = cut - open_.window
        rest = _Open(
            utterance_id=self._next_utterance_id(),
            window=cut,
            begin_ms=stop_ms,
            agreement=Agreement(),
            scores=open_.scores[at:],
            levels_db=open_.levels_db[at:],
            interim_ms=self._window * WINDOW_MS,
        )
        open_.scores = open_.scores[:at]
        self._open = rest
        return self._close(open_, cut, stop_ms, now)

    def _padded_ms(self, stopped: int) -> int:
        """Where decoding ends: a little after the voice, never beyond what has been scored."""
        return min(stopped * WINDOW_MS + self._settings.vad.speech_pad_ms, self._window * WINDOW_MS)

    # --- asking ---------------------------------------------------------------------------------------------

    def _interim(self, now: float) -> list[Finding]:
        open_ = self._open
        if open_ is None or open_.interim_job or self._vad.stopped is not None or self.effort.interims == "off":
            return []
        position_ms = self._window * WINDOW_MS
        spoken_ms = position_ms - open_.window * WINDOW_MS
        # A longer utterance takes longer to read again, and less of it is new.
        usual_ms = max(self._settings.interim_interval_ms, spoken_ms // INTERIMS_PER_LENGTH)
        interval_ms = self.effort.interval_ms(usual_ms)
        due_ms = open_.window * WINDOW_MS + self.effort.interval_ms(self._settings.first_interim_ms)
        if open_.interim_ms:
            due_ms = max(due_ms, open_.interim_ms + interval_ms)
        if position_ms < due_ms:
            return []
        open_.interim_ms = position_ms
        due = now + interval_ms / 1000
        ask = self._ask("interim", open_.utterance_id, open_.begin_ms, position_ms, due)
        open_.interim_job = ask.job.job_id
        return [ask]

    def _guess(self, open_: _Open, now: float) -> list[Finding]:
        """Perhaps this is the end: ask for the final now, so that it is there when the silence has lasted."""
        if not self.effort.speculate:
            return []
        found = self._drop_interim(open_)
        vad = self._settings.vad
        stopped = self._vad.stopped or 0
        due = now + (vad.min_silence_ms - vad.speculate_after_ms) / 1000
        open_.guess = None
        open_.guess_ms = stopped * WINDOW_MS
        ask = self._ask("speculative", open_.utterance_id, open_.begin_ms, self._padded_ms(stopped), due)
        open_.guess_job = ask.job.job_id
        return [*found, ask]

    def _resume(self, open_: _Open) -> list[Finding]:
        found: list[Finding] = [CancelDecode(job_id=open_.guess_job)] if open_.guess_job else []
        open_.guess_job = 0
        open_.guess = None
        return found

    def _drop_interim(self, open_: _Open) -> list[Finding]:
        if not open_.interim_job:
            return []
        job_id, open_.interim_job = open_.interim_job, 0
        return [CancelDecode(job_id=job_id)]

    def _close(self, open_: _Open, stopped: int, stop_ms: int, now: float) -> list[Finding]:
        """The utterance is over: its speculative answer is the final, or will be, or a final is asked for."""
        self._last_stop_ms = stop_ms
        closed = Closed(
            utterance_id=open_.utterance_id,
            channel=self._channel,
            begin_ms=open_.begin_ms,
            stop_ms=stop_ms,
            start_ms=open_.window * WINDOW_MS,
            end_ms=stopped * WINDOW_MS,
            voiced_ms=self._voiced_ms(open_),
            shown=open_.shown,
            deadline=now + self._settings.final_timeout_s,
        )
        self._finals.push(closed)
        found = self._drop_interim(open_)
        if closed.end_ms == open_.guess_ms and open_.guess:
            return found + self._answered(closed, open_.guess, now)
        if closed.end_ms == open_.guess_ms and open_.guess_job:
            closed.job_id = open_.guess_job
            closed.tries = 1
            return found
        found += self._resume(open_)
        if self.effort.recognise:
            return [*found, self._ask_final(closed, now)]
        settle(closed, None, "")
        return found + self._tell()

    def _ask_final(self, closed: Closed, now: float) -> Decode:
        ask = self._ask("final", closed.utterance_id, closed.begin_ms, closed.stop_ms, now)
        closed.job_id = ask.job.job_id
        closed.tries += 1
        return ask

    def _ask(self, kind: str, utterance_id: str, begin_ms: int, end_ms: int, due: float) -> Decode:
        return Decode(
            job=DecodeJob(
                job_id=self._next_job_id(),
                channel=self._channel,
                utterance_id=utterance_id,
                kind=kind,  # type: ignore[arg-type]
                start_ms=begin_ms,
                end_ms=end_ms,
                due=due,
                language=self._language.current,
                prompt=(" ".join(self._said) if self.effort.context else "") or self._prompt,
                hotwords=self._hotwords,
            )
        )

    # --- believing ------------------------------------------------------------------------------------------

    def _answered(self, closed: Closed, hypothesis: Hypothesis | None, now: float) -> list[Finding]:
        if hypothesis is None and closed.tries < MAX_TRIES and self.effort.recognise:
            return [self._ask_final(closed, now)]
        text = self._believed(hypothesis, closed.voiced_ms)
        settle(closed, hypothesis, text)
        if text and hypothesis:
            self._said.append(text)
            self._language.observe(hypothesis.language, closed.voiced_ms, hypothesis.avg_logprob)
        return self._tell()

    def _tell(self) -> list[Finding]:
        return list(self._finals.pop_ready())

    def _show(self, open_: _Open, hypothesis: Hypothesis | None, end_ms: int) -> list[Heard]:
        """An interim, unless there is nothing to believe or nothing new."""
        text = self._believed(hypothesis, self._voiced_ms(open_))
        if not text or hypothesis is None:
            return []
        text, committed = open_.agreement.observe(text)
        open_.shown = Heard(
            utterance_id=open_.utterance_id,
            channel=self._channel,
            start_ms=open_.window * WINDOW_MS,
            end_ms=max(end_ms, open_.window * WINDOW_MS),
            text=text,
            is_final=False,
            language=hypothesis.language,
            committed=committed,
            confidence=confidence(hypothesis),
        )
        return [open_.shown]

    def _believed(self, hypothesis: Hypothesis | None, voiced_ms: int) -> str:
        """The text of a hypothesis worth telling, else nothing."""
        if hypothesis is None or objection(hypothesis, voiced_ms=voiced_ms, min_voiced_ms=self._settings.min_voiced_ms):
            return ""
        return clean(hypothesis.text)

    def _voiced_ms(self, open_: _Open) -> int:
        return sum(score >= self._settings.vad.threshold for score in open_.scores) * WINDOW_MS
