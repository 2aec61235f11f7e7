"""The node's numbers for Prometheus. ``docs/reference/prometheus.md`` explains each; a test keeps it complete."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from copilot.engines.llm import RESULTS as ASKED
from copilot.engines.pool import BatchDone, PoolStats
from copilot.events import LOAD_STAGES
from copilot.wire.messages import CallMessage, CardRaised, TranscriptFinal

if TYPE_CHECKING:
    from copilot.server.service import Service

KINDS: Final = ("final", "speculative", "interim")
REFUSALS: Final = ("limit", "late", "busy", "draining")
SECONDS: Final = (0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 0.9, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
LOOP_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
RATIOS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0)
SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16)
LOOK_S: Final = 0.1


class Metrics:
    """What happened is counted as it happens; what is, is read when it is asked for."""

    def __init__(self, service: Service) -> None:
        self._registry = registry = CollectorRegistry()
        registry.register(_Present(service))
        ProcessCollector(registry=registry)
        self._waits = Histogram(
            "copilot_decode_wait_seconds",
            "Time decode jobs spent in the queue",
            ["kind"],
            buckets=SECONDS,
            registry=registry,
        )
        self._decodes = Histogram(
            "copilot_decode_seconds", "Time the batch of a job took", ["kind"], buckets=SECONDS, registry=registry
        )
        self._batches = Histogram("copilot_decode_batch_size", "Jobs per batch", buckets=SIZES, registry=registry)
        self._rtf = Histogram(
            "copilot_decode_rtf", "Seconds of work per second of audio, by batch", buckets=RATIOS, registry=registry
        )
        self._finals = Histogram(
            "copilot_final_lag_seconds",
            "From the last sample of an utterance to its final text",
            buckets=SECONDS,
            registry=registry,
        )
        self._cards = Histogram(
            "copilot_card_lag_seconds",
            "From the last sample of the phrase to the card",
            buckets=SECONDS,
            registry=registry,
        )
        self._loop = Histogram(
            "copilot_event_loop_lag_seconds",
            "How late the event loop wakes up",
            buckets=LOOP_SECONDS,
            registry=registry,
        )
        self._refused = Counter("copilot_calls_refused", "New calls not taken", ["reason"], registry=registry)
        self._asked = Counter("copilot_llm_questions", "Questions to the language model", ["result"], registry=registry)
        for result in ASKED:
            self._asked.labels(result)
        for kind in KINDS:
            self._waits.labels(kind)
            self._decodes.labels(kind)
        for reason in REFUSALS:
            self._refused.labels(reason)

    @property
    def registry(self) -> CollectorRegistry:
        """All families of this node."""
        return self._registry

    def text(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._registry)

    def took(self, batch: BatchDone) -> None:
        """The recogniser did a batch."""
        for kind, wait_ms in zip(batch.kinds, batch.waits_ms, strict=True):
            self._waits.labels(kind).observe(wait_ms / 1000)
            self._decodes.labels(kind).observe(batch.decode_ms / 1000)
        self._batches.observe(len(batch.kinds))
        if batch.audio_ms:
            self._rtf.observe(batch.decode_ms / batch.audio_ms)

    def saw(self, message: CallMessage) -> None:
        """A call said something."""
        if isinstance(message, TranscriptFinal):
            self._finals.observe(message.lag_ms / 1000)
        elif isinstance(message, CardRaised) and message.caused_by:
            self._cards.observe(max(0, message.ledger.sent - message.ledger.phrase_end) / 1000)

    def asked(self, result: str) -> None:
        """A question to the language model came to its end."""
        self._asked.labels(result).inc()

    def refused(self, reason: str) -> None:
        """A new call was not taken."""
        self._refused.labels(reason).inc()

    async def watch_loop(self) -> None:
        """Measure again and again how much later than asked the event loop wakes up."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOK_S
            await asyncio.sleep(LOOK_S)
            self._loop.observe(max(0.0, loop.time() - due))


class _Present:
    """Reads the node's present when it is asked for; nothing is counted twice."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        """Nothing: the families are known once they are collected."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """One family per number."""
        service = self._service
        yield GaugeMetricFamily("copilot_calls", "Live calls", len(service.calls))
        yield GaugeMetricFamily("copilot_calls_limit", "Most live calls this node takes", service.overload.limit)
        yield GaugeMetricFamily("copilot_viewers", "Sockets that watch a call here", service.viewers)
        yield GaugeMetricFamily("copilot_overload_stage", "0: none, 5: record only", service.overload.stage)
        affected = GaugeMetricFamily("copilot_calls_without", "Live calls that do without this", labels=["stage"])
        for stage in LOAD_STAGES:
            affected.add_metric([stage], sum(stage in live.without for live in service.calls))
        yield affected
        yield from _recogniser(service.pool.stats())


def _recogniser(stats: PoolStats) -> Iterable[Metric]:
    yield GaugeMetricFamily("copilot_decodes_queued", "Decode jobs waiting", stats.queued)
    yield GaugeMetricFamily("copilot_decodes_running", "Decode jobs running", stats.running)
    oldest_s = stats.oldest_wait_ms / 1000
    yield GaugeMetricFamily("copilot_decode_oldest_wait_seconds", "Age of the final that waits longest", oldest_s)
    yield CounterMetricFamily("copilot_decodes", "Decode jobs done", stats.decoded)
    yield CounterMetricFamily("copilot_decodes_failed", "Decode jobs failed", stats.failed)
    yield CounterMetricFamily("copilot_decodes_shed", "Interim jobs shed", stats.shed)
    yield CounterMetricFamily("copilot_decodes_cancelled", "Decode jobs no longer wanted", stats.cancelled)
    yield CounterMetricFamily("copilot_decode_audio_seconds", "Audio decoded", stats.audio_ms / 1000)
    yield CounterMetricFamily("copilot_decode_busy_seconds", "Time recognisers were busy", stats.busy_ms / 1000)
