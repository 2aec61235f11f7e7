"""What a server says of itself on ``/metrics``, whatever it chooses to say: no name is expected here but one."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

LOOP_LAG = "loop_lag"
"""Part of the name of whatever tells how late the event loop is."""
Buckets = dict[float, float]


class Scrape(msgspec.Struct):
    """One reading. Labels are summed over; of histograms the cumulative buckets by upper bound are kept."""

    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}
    histograms: dict[str, Buckets] = {}


def scrape(address: str) -> Scrape:
    """Raises OSError when the server does not answer."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return read(answer.read().decode())


def read(text: str) -> Scrape:
    """Prometheus' text format."""
    out = Scrape()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if family.type == "histogram" and sample.name.endswith("_bucket"):
                buckets = out.histograms.setdefault(family.name, {})
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0) + sample.value
            elif family.type == "counter" and sample.name.endswith("_total"):
                out.counters[family.name] = out.counters.get(family.name, 0) + sample.value
            elif family.type == "gauge" and not family.name.endswith("_created"):
                out.gauges[family.name] = out.gauges.get(family.name, 0) + sample.value
    return out


def histogram_quantile(buckets: Mapping[float, float], q: float) -> float | None:
    """As Prometheus does it: linear within a bucket; the highest finite bound when it lies beyond that."""
    edges = sorted(buckets)
    if not edges or not (total := buckets[edges[-1]]):
        return None
    rank = q * total
    for low, high in pairwise([0.0, *edges]):
        below = buckets.get(low, 0.0)
        if buckets[high] >= rank and buckets[high] > below:
            return low if high == float("inf") else low + (high - low) * (rank - below) / (buckets[high] - below)
    return None


def summary(readings: Sequence[Scrape]) -> dict[str, Any]:
    """What was counted between the first reading and the last, the highest gauges, quantiles of the histograms."""
    if not readings:
        return {}
    first, last = readings[0], readings[-1]
    out: dict[str, Any] = {
        "counted": {name: round(value - first.counters.get(name, 0), 3) for name, value in last.counters.items()},
        "highest": {name: max(reading.gauges.get(name, 0) for reading in readings) for name in last.gauges},
        "quantiles": {},
    }
    for name, buckets in last.histograms.items():
        before = first.histograms.get(name, {})
        fresh = {bound: value - before.get(bound, 0) for bound, value in buckets.items()}
        out["quantiles"][name] = {f"p{round(q * 100)}": histogram_quantile(fresh, q) for q in (0.5, 0.95, 0.99)}
    return out


def loop_lag_p99_s(summed: Mapping[str, Any]) -> float | None:
    """How late the event loop was, if the server tells: from a histogram, else the highest value of a gauge."""
    for name, quantiles in summed.get("quantiles", {}).items():
        if LOOP_LAG in name and quantiles["p99"] is not None:
            return float(quantiles["p99"])
    lags = [value for name, value in summed.get("highest", {}).items() if LOOP_LAG in name]
    return max(lags) if lags else None
