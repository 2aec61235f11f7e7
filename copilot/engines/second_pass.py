"""The second pass: half a minute of one speaker at once, read with beam search in the window Whisper was trained on.

The live text is read utterance by utterance, greedily, in short windows. Once there is time, the same model reads the
same speech as it was trained to: up to 30 s together, with timestamps, five hypotheses in the running, and once more
at a higher temperature when the text repeats itself or is unlikely (Radford et al. 2022, section 4.5). One window is
read once: what it leaves out keeps its live text, which costs less than looking for it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

BEAM: Final = 5
HOTTER: Final = 0.4
"""The one attempt more; a window that is hopeless then keeps its live text."""
UNLIKELY_LOGPROB: Final = -1.0
"""Below this (mean per token) the library listens again too."""


def read_at_leisure(model: Any, encoded: Any, prompt: Sequence[int], cap: int, is_loop: Callable[[Any], bool]) -> Any:
    """CTranslate2's result for one encoded window. ``prompt`` ends where timestamps may begin; ``cap`` in tokens."""
    options = {"max_length": len(prompt) + cap, "return_scores": True, "return_no_speech_prob": True}
    (best,) = model.generate(encoded, [list(prompt)], beam_size=BEAM, **options)
    if not is_loop(best) and best.scores[0] >= UNLIKELY_LOGPROB:
        return best
    (hotter,) = model.generate(
        encoded, [list(prompt)], beam_size=1, sampling_topk=0, sampling_temperature=HOTTER, **options
    )
    return max(best, hotter, key=lambda result: (not is_loop(result), result.scores[0]))
