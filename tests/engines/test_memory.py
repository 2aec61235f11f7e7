"""Memory that a load left behind goes back to the system."""

import subprocess
import sys

import pytest

PROGRAM = """
from copilot.engines.memory import give_back, spare
spare()
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096
pieces = [bytearray(100_000) for _ in range(2_000)]
last = bytearray(100_000)
del pieces
before = resident()
give_back()
print(before - resident())
"""

LARGE = """
from copilot.engines.memory import spare
spare()
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096
small = []
for _ in range(3):  # what was freed once is what glibc would keep the next time
    piece = bytearray(b"1") * 20_000_000
    small += [bytearray(100_000) for _ in range(5)]  # so that it is not the end of the heap
    before = resident()
    del piece
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_what_is_free_goes_back():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 100_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_what_is_large_goes_back_at_once():
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 15_000_000
