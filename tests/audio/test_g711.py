"""G.711 tables against the standard's own values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw

EVERY_BYTE = bytes(range(256))
EVERY_SAMPLE = np.arange(-32_768, 32_768).astype(np.int16)


@pytest.mark.parametrize(
    ("decode", "known"),
    [
        (decode_mulaw, {0x00: -32_124, 0x80: 32_124, 0x7F: 0, 0xFF: 0, 0xEF: 132, 0x6F: -132, 0x8F: 16_764}),
        (decode_alaw, {0xD5: 8, 0x55: -8, 0xAA: 32_256, 0x2A: -32_256, 0xC5: 264, 0x80: 5_504}),
    ],
)
def test_known_values(decode, known):
    assert {code: int(decode(bytes([code]))[0]) for code in known} == known


@pytest.mark.parametrize(("decode", "encode"), [(decode_mulaw, encode_mulaw), (decode_alaw, encode_alaw)])
def test_every_code_survives_a_round_trip(decode, encode):
    samples = decode(EVERY_BYTE)
    assert np.array_equal(decode(encode(samples)), samples)


@pytest.mark.parametrize(
    ("decode", "encode", "loudest"), [(decode_mulaw, encode_mulaw, 32_124), (decode_alaw, encode_alaw, 32_256)]
)
def test_quantisation_error_is_a_small_share_of_the_sample(decode, encode, loudest):
    heard = decode(encode(EVERY_SAMPLE)).astype(int)
    true = np.clip(EVERY_SAMPLE.astype(int), -loudest, loudest)
    assert np.all(np.abs(heard - true) <= np.maximum(np.abs(true) / 16, 16))


@given(st.lists(st.integers(-32_768, 32_767), max_size=50))
def test_one_byte_per_sample(samples):
    pcm = np.array(samples, np.int16)
    assert len(encode_mulaw(pcm)) == len(encode_alaw(pcm)) == len(pcm)
