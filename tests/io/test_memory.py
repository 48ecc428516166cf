import sys

import pytest

from kinepose.io.memory import give_back_free_memory

PAGES = 1000
"""Of 100 kB, which glibc takes from its heaps."""


def anonymous() -> float:
    """Memory of this process that lies in no file [MB]."""
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous")) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is done")
def test_what_lies_free_between_what_is_kept_is_given_back() -> None:
    large, small = [], []
    for _ in range(PAGES):
        large.append(bytearray(100_000))
        small.append(bytearray(1000))
    large.clear()
    before = anonymous()
    give_back_free_memory()
    assert before - anonymous() > 0.5 * PAGES / 10
    assert len(small) == PAGES
