"""Audio that the server does not have safe on disk yet."""

from __future__ import annotations


class Ring:
    """Samples ``start`` to ``end`` of a call, addressed by offset. One sample of all channels is ``block_bytes``."""

    def __init__(self, block_bytes: int) -> None:
        self.start = 0
        self._block_bytes = block_bytes
        self._data = bytearray()

    @property
    def end(self) -> int:
        """The offset the next sample will have."""
        return self.start + len(self)

    def __len__(self) -> int:
        return len(self._data) // self._block_bytes

    def append(self, audio: bytes) -> None:
        """Take whole samples."""
        if len(audio) % self._block_bytes:
            raise ValueError(f"{len(audio)} bytes are not a whole number of {self._block_bytes}-byte samples")
        self._data += audio

    def read(self, offset: int, samples: int) -> bytes:
        """Up to ``samples`` from ``offset``, which must be held."""
        if not self.start <= offset <= self.end:
            raise ValueError(f"sample {offset} is not held, {self.start} to {self.end} are")
        first = (offset - self.start) * self._block_bytes
        return bytes(self._data[first : first + samples * self._block_bytes])

    def release(self, offset: int) -> None:
        """Forget what lies before ``offset``."""
        samples = min(max(0, offset - self.start), len(self))
        del self._data[: samples * self._block_bytes]
        self.start += samples
