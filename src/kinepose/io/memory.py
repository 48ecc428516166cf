"""Memory that is free, but that the C library would rather keep."""

import ctypes
import sys


def give_back_free_memory() -> None:
    """Return what lies free between what is kept: to be called now and then in long work.

    glibc takes arrays of up to 32 MB from its heaps, and these only shrink at their ends: where a
    network's arrays come and go between small ones that stay, they grow by 100 MB a minute of video
    though next to nothing is held. Elsewhere nothing is done.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)
