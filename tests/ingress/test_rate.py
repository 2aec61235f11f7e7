from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from copilot.ingress.rate import Bucket


def test_a_burst_then_so_many_a_second():
    bucket = Bucket(per_s=2, burst=3)
    assert [bucket.take(10.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert [bucket.take(10.5), bucket.take(10.5)] == [0, 0.5]


@given(st.lists(st.floats(0, 2), max_size=100), st.floats(0.1, 50), st.integers(1, 50))
def test_no_more_than_the_burst_and_the_rate_get_through(gaps, per_s, burst):
    bucket, now, taken = Bucket(per_s, burst), 0.0, 0
    for gap in gaps:
        now += gap
        wait = bucket.take(now)
        taken += not wait
        assert wait <= 1 / per_s
    assert taken <= burst + now * per_s + 1e-6
