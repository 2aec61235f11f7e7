"""What Prometheus reads: every number is there, is right, and is explained."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from copilot.access.policy import Actor
from copilot.engines.pool import BatchDone
from copilot.engines.suite import Suite
from copilot.events import HungUp
from copilot.server.service import Service
from tests.call.rig import talk
from tests.server.node import Blank, Ears, Parrot, settings
from tests.server.test_overload import START

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "prometheus.md"


def samples(service: Service) -> dict[str, float]:
    families = text_string_to_metric_families(service.metrics.text().decode())
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


async def test_every_number_is_explained_and_no_other(tmp_path):
    async with Service.open(settings(tmp_path, max_calls=1), Suite(Ears(), Parrot(), Blank())) as service:
        families = {family.name for family in service.metrics.registry.collect()}
        explained = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
        assert explained == families
        assert len(families) > 20


async def test_a_batch_is_counted_by_kind(tmp_path):
    async with Service.open(settings(tmp_path, max_calls=1), Suite(Ears(), Parrot(), Blank())) as service:
        batch = BatchDone(kinds=("final", "speculative"), waits_ms=(100, 300), decode_ms=500, audio_ms=4_000)
        service.metrics.took(batch)
        found = samples(service)
        assert found["copilot_decode_wait_seconds_sum{final}"] == 0.1
        assert found["copilot_decode_wait_seconds_sum{speculative}"] == 0.3
        assert found["copilot_decode_seconds_count{final}"] == 1
        assert found["copilot_decode_wait_seconds_count{interim}"] == 0
        assert found["copilot_decode_batch_size_sum"] == 2
        assert found["copilot_decode_rtf_sum"] == 0.125


async def test_a_call_leaves_its_lags_and_the_loop_its_own(tmp_path):
    async with Service.open(settings(tmp_path, max_calls=1), Suite(Ears(), Parrot(), Blank())) as service:
        live = await service.calls.start(START, Actor("admin"))
        assert samples(service)["copilot_calls"] == 1
        for _, event in talk([(0.5, None), (1.5, 1), (1.0, None)], 100):
            if not isinstance(event, HungUp):
                await live.deliver(event)
        async with asyncio.timeout(20):
            while not samples(service)["copilot_final_lag_seconds_count"]:  # noqa: ASYNC110  # read as Prometheus does
                await asyncio.sleep(0)
            while not samples(service)["copilot_event_loop_lag_seconds_count"]:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await live.deliver(HungUp())
        await live.driver.finished.wait()
        found = samples(service)
        assert found["copilot_card_lag_seconds_count"] == 1
        assert found["copilot_calls_limit"] == 1
        assert found["process_resident_memory_bytes"] > 10_000_000
        assert found["copilot_decodes_total"] >= 1
