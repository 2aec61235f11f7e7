"""A sentence encoder of random weights over a tiny vocabulary, and the same network in plain numpy."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

SPECIAL = ("<unk>", "<s>", "</s>")
NORMAL = ("▁", "e", "h", "l", "o", "▁hello", "你", "好", "你好", "▁bonjour", "é", "été", "▁привет")
KEPT = 14
"""How many rows are special, of one character, or in English or Chinese; the last two words are neither."""


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def sentencepiece() -> bytes:
    """A ModelProto: pieces, then a normaliser without a table."""
    model = b""
    for row, text in enumerate(SPECIAL + NORMAL):
        score = 0.0 if text in SPECIAL else -1.0 - row / 10 - 5 * (len(text) == 1)
        entry = field(1, text.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score)
        if text in SPECIAL:
            entry += varint(3 << 3) + varint(2 if text == "<unk>" else 3)
        model += field(1, entry)
    return model + field(2, b"") + field(3, field(1, b"identity"))


def random_weights(seed: int = 7) -> dict[str, Any]:
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> Any:
        return (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)

    weights: dict[str, Any] = {f"q{i + 1}": rng.integers(0, 256, (1, 512), dtype=np.uint8) for i in range(17)}
    weights |= {"scale": np.full(17, 0.01, np.float32), "lo": some(17) - 1.2, "eps": np.float64(1e-6)}
    for n in (2, 3, 5):
        weights |= {
            f"proj{n}": some(512, 256),
            f"proj_b{n}": some(256),
            f"ln_g{n}": 1 + some(256),
            f"ln_b{n}": some(256),
        }
        for layer in (1, 2):
            weights |= {f"w{layer}_{n}": some(n * 256, 256), f"b{layer}_{n}": some(256)}
    weights |= {"ln_g": 1 + some(1280), "ln_b": some(1280), "cnn_W": some(1280, 512), "cnn_b": some(512)}
    shapes = {
        "d0": (512, 320),
        "d1": (320, 320),
        "p1": (512, 320),
        "d2": (320, 512),
        "p3": (320, 512),
        "d3": (512, 512),
    }
    return weights | {name: some(*shape) for name, shape in shapes.items()}


def write_sources(folder: Path) -> tuple[Path, Path]:
    """``sp.model`` and ``weights.npz`` as the package has them."""
    folder.mkdir(exist_ok=True)
    (folder / "sp.model").write_bytes(sentencepiece())
    np.savez(folder / "weights.npz", **random_weights())
    return folder / "sp.model", folder / "weights.npz"


def reference(weights: dict[str, Any], rows: list[int]) -> Any:
    """One sentence through the network, token by token."""

    table = np.stack([weights[f"q{row % 17 + 1}"][row // 17] for row in rows]).astype(np.float64)
    shard = np.array(rows) % 17
    words = table * weights["scale"][shard, None] + weights["lo"][shard, None]
    joined = words @ np.concatenate([weights[f"proj{n}"] for n in (2, 3, 5)], 1)
    joined += np.concatenate([weights[f"proj_b{n}"] for n in (2, 3, 5)])
    # one normalisation over all three branches
    joined = _normalise(joined, weights, ("2", "3", "5"))
    features = [words]
    for branch, (n, left) in enumerate(((2, 0), (3, 1), (5, 2))):
        x = joined[:, branch * 256 : branch * 256 + 256]
        for layer in (1, 2):
            padded = np.concatenate([np.zeros((left, 256)), x, np.zeros((n - 1 - left, 256))])
            heard = np.stack([padded[t : t + n].reshape(-1) for t in range(len(rows))])
            x = x + np.maximum(heard @ weights[f"w{layer}_{n}"] + weights[f"b{layer}_{n}"], 0)
        features.append(x)
    total = _normalise(np.concatenate(features, 1), weights, ("",)).sum(0)
    mean = (total @ weights["cnn_W"] + len(rows) * weights["cnn_b"]) / np.sqrt(len(rows))
    first = np.maximum(mean @ weights["d0"], 0)
    middle = np.maximum(mean @ weights["p1"] + first @ weights["d1"], 0)
    last = np.tanh(middle @ weights["p3"] + np.maximum(middle @ weights["d2"], 0) @ weights["d3"])
    return last / np.linalg.norm(last)


def _normalise(x: Any, weights: dict[str, Any], suffixes: tuple[str, ...]) -> Any:
    gain, shift = (np.concatenate([weights[kind + suffix] for suffix in suffixes]) for kind in ("ln_g", "ln_b"))
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + weights["eps"]) * gain + shift
