"""Work that overlaps: threads that run while what they call lets go of Python's lock.

FFmpeg, OpenCV, torch and ONNX Runtime all do. Nothing is made that does not have its turn soon, so
that memory stays what it is, and errors come out where the results would have.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import cv2

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def images_in_one_thread() -> Generator[None]:
    """OpenCV without threads of its own, which would take the cores from ours, an image each."""
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        yield
    finally:
        cv2.setNumThreads(before)


_networks = Lock()
_threads_before: list[int] = []
"""Of torch, before networks_in_one_thread, once for each who is in it."""


@contextmanager
def networks_in_one_thread() -> Generator[int]:
    """PyTorch with one thread in each of ours; gives how many of ours there may be, one a core.

    Cores that share a batch wait for each other. Torch's number is that of the whole process: the
    last of several who are here at once sets it back.
    """
    import torch

    with _networks:
        cores = _threads_before[0] if _threads_before else torch.get_num_threads()
        _threads_before.append(cores)
        torch.set_num_threads(1)
    try:
        yield cores
    finally:
        with _networks:
            _threads_before.pop()
            if not _threads_before:
                torch.set_num_threads(cores)


def ahead(items: Generator[Item], depth: int) -> Iterator[Item]:
    """What a generator gives, made in a thread of its own, up to `depth` items in advance.

    The thread ends with the iteration, and the generator is closed, when that is broken off too.
    """
    end: Any = object()
    turn = Lock()

    def make() -> Item:
        with turn:
            return next(items, end)

    with ThreadPoolExecutor(1) as thread:
        try:
            waiting = deque(thread.submit(make) for _ in range(depth))
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(make))
                yield item
        finally:
            thread.shutdown(cancel_futures=True)
            with turn:  # Ctrl-C may have come while the thread began, which is not waited for then
                items.close()


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, depth: int = 1
) -> Iterator[Result]:
    """The function of each item, worked out by several threads, in the order of the items.

    No more than `depth` items wait beside those that are worked on.
    """
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= workers + depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
