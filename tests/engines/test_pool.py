"""The recogniser's workers: what goes first, what is dropped, and that every job is answered."""

from __future__ import annotations

import threading

import msgspec
import numpy as np
import pytest

from copilot.clock import FakeClock
from copilot.config import RecogniserSettings
from copilot.engines.pool import BatchDone, Pool
from copilot.errors import LocalProtocolError, ModelError
from copilot.events import Decoded, DecodeJob
from tests.fakes import FakeAsr

ONE_WORKER = RecogniserSettings(workers=1, max_batch=1)


class Desk:
    """A pool, its fake model, and the answers as they come."""

    def __init__(self, settings: RecogniserSettings = ONE_WORKER) -> None:
        self.told: list[BatchDone] = []
        self.model = FakeAsr()
        self.clock = FakeClock()
        self.pool = Pool(self.model, settings, self.clock, self.told.append)
        self.answers: dict[tuple[str, int], Decoded] = {}
        self._arrived = threading.Semaphore(0)

    def submit(
        self,
        job_id: int,
        kind: str = "final",
        *,
        owner: str = "",
        seconds: float = 1.0,
        said: str = "",
        due: float | None = None,
    ) -> None:
        job = DecodeJob(
            job_id=job_id,
            channel=0,
            utterance_id=said or f"u{job_id}",
            kind=kind,
            start_ms=10_000,
            end_ms=10_000 + round(seconds * 1000),
            due=0.0,
        )

        def done(decoded: Decoded) -> None:
            self.answers[owner, decoded.job_id] = decoded
            self._arrived.release()

        self.pool.submit(job, np.zeros(round(seconds * 16_000), np.float32), done, owner, due)

    def busy(self) -> None:
        """Occupy the only worker with job 0 until ``finish``."""
        self.model.hold()
        self.submit(0)
        assert self.model.entered.acquire(timeout=5)

    def finish(self, count: int) -> list[Decoded]:
        self.model.release()
        for _ in range(count):
            assert self._arrived.acquire(timeout=5)
        self.pool.close()
        return list(self.answers.values())

    @property
    def order(self) -> list[str]:
        return [request.kind for batch in self.model.batches for request in batch]


def test_words_are_placed_on_the_timeline_of_the_call():
    desk = Desk()
    desk.submit(7)
    (decoded,) = desk.finish(1)
    assert decoded.job_id == 7
    assert decoded.hypothesis is not None
    assert [(word.text, word.start_ms) for word in decoded.hypothesis.words] == [("w0", 10_000), ("w1", 10_500)]


def test_what_becomes_final_goes_before_interims_in_the_order_it_is_due():
    desk = Desk()
    desk.busy()
    for job_id, kind in enumerate(["interim", "speculative", "final", "interim", "speculative", "final"], start=1):
        desk.submit(job_id, kind)
    desk.finish(7)
    assert desk.order == ["final", "speculative", "final", "speculative", "final", "interim", "interim"]
    assert [job_id for _, job_id in desk.answers] == [0, 2, 3, 5, 6, 1, 4]


def test_jobs_that_wait_together_share_a_batch_with_their_like():
    desk = Desk(msgspec.structs.replace(ONE_WORKER, max_batch=3))
    desk.busy()
    for job_id, (kind, seconds) in enumerate(
        [("final", 2), ("final", 3), ("final", 9), ("speculative", 1), ("speculative", 1), ("interim", 2)], start=1
    ):
        desk.submit(job_id, kind, seconds=seconds)
    desk.finish(7)
    sizes = [sorted(len(request.samples) // 16_000 for request in batch) for batch in desk.model.batches]
    assert sizes == [[1], [1, 2, 3], [9], [1], [2]]


def test_interims_leave_one_worker_to_finals():
    desk = Desk(RecogniserSettings(workers=2, max_batch=1))
    desk.model.hold()
    desk.submit(1, "interim", said="u1")
    assert desk.model.entered.acquire(timeout=5)
    desk.submit(2, "interim", said="u2")
    desk.submit(3, "final")
    assert desk.model.entered.acquire(timeout=5)
    assert desk.order == ["interim", "final"]
    desk.finish(3)
    assert desk.order == ["interim", "final", "interim"]


def test_a_newer_interim_of_the_same_utterance_takes_the_place_of_the_older():
    desk = Desk()
    desk.busy()
    desk.submit(1, "interim", said="u1")
    desk.submit(2, "interim", said="u2")
    desk.submit(3, "interim", said="u1")
    desk.submit(4, "interim", said="u1", owner="another call")
    answers = desk.finish(5)
    assert [decoded.job_id for decoded in answers if decoded.error == "shed"] == [1]
    assert desk.pool.stats().shed == 1


def test_interims_are_shed_when_too_many_wait_but_finals_never():
    desk = Desk(msgspec.structs.replace(ONE_WORKER, queue_limit=2))
    desk.busy()
    for job_id, kind in enumerate(["final", "speculative", "interim", "final", "speculative"], start=1):
        desk.submit(job_id, kind)
    assert desk.pool.stats().queued == 4
    desk.finish(6)
    assert {job_id: decoded.error for (_, job_id), decoded in desk.answers.items() if decoded.error} == {3: "shed"}


def test_a_cancelled_job_is_not_answered():
    desk = Desk()
    desk.busy()
    desk.submit(1)
    desk.submit(1, owner="another call")
    desk.submit(2)
    assert desk.pool.cancel(1)
    assert not desk.pool.cancel(1)
    assert not desk.pool.cancel(0)  # running
    desk.finish(3)
    assert set(desk.answers) == {("", 0), ("another call", 1), ("", 2)}
    assert desk.pool.stats().cancelled == 1


@pytest.mark.parametrize(
    ("failure", "code"), [(RuntimeError("secret words"), "asr.failed"), (ModelError("model.gone", "x"), "model.gone")]
)
def test_a_model_that_fails_is_an_answer_and_the_workers_live_on(failure, code, capsys):
    desk = Desk()
    desk.model.failure = failure
    desk.submit(1)
    assert desk._arrived.acquire(timeout=5)
    desk.model.failure = None
    desk.submit(2)
    desk.finish(1)
    assert (desk.answers["", 1].error, desk.answers["", 1].hypothesis) == (code, None)
    assert desk.answers["", 2].error == ""
    assert "secret" not in "".join(capsys.readouterr())
    assert (desk.pool.stats().failed, desk.pool.stats().decoded) == (1, 1)


def test_waiting_and_decoding_are_timed():
    desk = Desk()
    desk.busy()
    desk.submit(1)
    desk.clock.advance(0.25)
    desk.finish(2)
    assert (desk.answers["", 0].queue_ms, desk.answers["", 0].decode_ms) == (0, 250)
    assert (desk.answers["", 1].queue_ms, desk.answers["", 1].decode_ms) == (250, 0)
    stats = desk.pool.stats()
    assert (stats.decoded, stats.running, stats.queued, stats.audio_ms, stats.busy_ms) == (2, 0, 0, 2_000, 250)


def test_closing_answers_what_waits_and_takes_no_more():
    desk = Desk()
    desk.busy()
    desk.submit(1)
    closing = threading.Thread(target=desk.pool.close)
    closing.start()
    assert desk._arrived.acquire(timeout=5)
    assert desk.answers["", 1].error == "closed"
    desk.model.release()
    closing.join(timeout=5)
    assert desk.answers["", 0].error == ""
    with pytest.raises(LocalProtocolError) as caught:
        desk.submit(2)
    assert caught.value.code == "pool.closed"


def test_every_job_of_many_threads_is_answered_once():
    desk = Desk(RecogniserSettings(workers=3, max_batch=4))
    threads = [
        threading.Thread(target=lambda n=n: [desk.submit(n * 100 + i, "final") for i in range(50)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(desk.finish(200)) == 200
    assert all(len(batch) <= 4 for batch in desk.model.batches)


def test_every_batch_is_told_with_what_it_waited_for_and_took():
    desk = Desk(msgspec.structs.replace(ONE_WORKER, max_batch=2))
    desk.busy()
    desk.submit(1, "speculative")
    desk.submit(2, "interim")
    desk.clock.advance(0.5)
    desk.submit(3, "final", seconds=2)
    desk.clock.advance(0.25)
    assert desk.pool.stats().oldest_wait_ms == 750
    desk.finish(4)
    assert [batch.kinds for batch in desk.told] == [("final",), ("speculative", "final"), ("interim",)]
    assert desk.told[1].waits_ms == (750, 250)
    assert (desk.told[0].decode_ms, desk.told[1].audio_ms) == (750, 3000)
    assert desk.pool.stats().oldest_wait_ms == 0


def test_what_is_due_first_goes_first_whoever_asked():
    desk = Desk()
    desk.busy()
    for job_id, due in enumerate([3.0, 1.0, 2.0], start=1):
        desk.submit(job_id, "speculative", owner=f"call{job_id}", seconds=job_id * 10.0, due=due)
    desk.finish(4)
    lengths = [len(batch[0].samples) // 160_000 for batch in desk.model.batches[1:]]
    assert lengths == [2, 3, 1]


def test_a_batch_is_no_more_than_a_workers_share():
    desk = Desk(RecogniserSettings(workers=2, max_batch=4))
    desk.model.hold()
    for job_id in (0, 1):
        desk.submit(job_id, seconds=20.0)
        assert desk.model.entered.acquire(timeout=5)
    for job_id in range(2, 8):
        desk.submit(job_id)
    desk.finish(8)
    assert max(map(len, desk.model.batches[2:])) == 3


def test_revisions_come_last_and_alone():
    desk = Desk(msgspec.structs.replace(ONE_WORKER, max_batch=4))
    desk.busy()
    for job_id, kind in enumerate(["revision", "interim", "revision", "final"], start=1):
        desk.submit(job_id, kind)
    desk.finish(5)
    assert desk.order == ["final", "final", "interim", "revision", "revision"]
    assert [len(batch) for batch in desk.model.batches] == [1, 1, 1, 1, 1]


def test_one_revision_runs_at_a_time_and_leaves_a_worker_for_what_is_live():
    desk = Desk(RecogniserSettings(workers=2, max_batch=1))
    desk.model.hold()
    desk.submit(1, "revision")
    desk.submit(2, "revision")
    assert desk.model.entered.acquire(timeout=5)
    desk.submit(3, "final")
    assert desk.model.entered.acquire(timeout=5)
    assert desk.order == ["revision", "final"]
    assert desk.pool.stats().queued == 1
    desk.finish(3)
    assert desk.order == ["revision", "final", "revision"]


def test_revisions_are_shed_when_live_work_has_to_wait():
    desk = Desk()
    desk.busy()
    desk.submit(1, "final")
    desk.submit(2, "revision")
    desk.clock.advance(1.5)
    desk.submit(3, "revision")
    assert desk.answers["", 2].error == desk.answers["", 3].error == "shed"
    desk.finish(4)
    assert desk.order == ["final", "final"]
    assert desk.pool.stats().shed == 2


def test_revisions_do_not_give_way_to_each_other():
    desk = Desk()
    desk.busy()
    desk.submit(1, "revision")
    desk.clock.advance(60)
    desk.submit(2, "revision")
    desk.finish(3)
    assert desk.order == ["final", "revision", "revision"]


def test_revisions_are_for_idle_workers():
    desk = Desk()
    desk.model.hold()
    desk.submit(1)
    assert desk.model.entered.acquire(timeout=5)
    desk.clock.advance(4.0)
    desk.model.release()
    assert desk._arrived.acquire(timeout=5)
    desk.submit(2, "revision")
    assert desk._arrived.acquire(timeout=5)
    assert desk.answers["", 2].error == "shed"
    desk.clock.advance(20.0)
    desk.submit(3, "revision")
    assert desk._arrived.acquire(timeout=5)
    assert desk.answers["", 3].error == ""
    desk.pool.close()
