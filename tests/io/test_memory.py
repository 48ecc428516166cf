import subprocess
import sys

import pytest

SCRIPT = """
from kinepose.io.memory import give_back_free_memory

def anonymous():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous")) / 1024

large, small = [], []
for _ in range(1000):
    large.append(bytearray(b"x" * 100_000))
    small.append(bytearray(b"x" * 1000))
large.clear()
before = anonymous()
give_back_free_memory()
print(before, anonymous(), len(small))
"""
"""Anonymous lies in no file [MB]. Arrays of 100 kB glibc takes from its heaps; in a
process that has worked the small ones may lie elsewhere, hence one of its own."""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is done")
def test_what_lies_free_between_what_is_kept_is_given_back() -> None:
    told = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    before, after, kept = map(float, told.stdout.split())
    assert before - after > 50 and kept == 1000
