"""Times of works, in turn, so that all meet the same load."""

import contextlib
import io
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

import torch

Speed = tuple[float, float]
"""Frames a second, and milliseconds of processor time a frame."""


def in_turn(works: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
    """The median time of each [s], timed in turn."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(6):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in times.items()}


def best(
    timed: dict[tuple[str, str], Callable[[], Speed]], rounds: int
) -> dict[tuple[str, str], Speed]:
    """The fastest of some rounds, each of all works in turn."""
    taken = [{name: work() for name, work in timed.items()} for _ in range(rounds)]
    return {name: max(speeds[name] for speeds in taken) for name in timed}


def speed(work: Callable[[], object], frames: int) -> Speed:
    """Of a work that handles so many frames."""
    started, worked = time.perf_counter(), time.process_time()
    work()
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    return frames / seconds, 1000 * worked / frames


def output_of(*command: str) -> str:
    """What a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
