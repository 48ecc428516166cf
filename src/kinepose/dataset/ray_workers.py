"""Work on Ray: on the cluster that the variable RAY_ADDRESS names, else on this machine alone.

A cluster's machines have kinepose, and find the same files at the same places; nothing is sent to
them but what the work is told.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from kinepose.io.errors import BadInputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_ray(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """What a function says of each item, a core an item, as the results come.

    `workers` is how many items are worked on at once; 0 means as many as there are cores. Where the
    iteration is broken off, what still runs is killed: to cancel it in good order, Ray 2.60 can
    die of itself if just then a result comes.

    Raises:
        BadInputError: if Ray is missing, its cluster cannot be had, or workers die.
    """
    ray = _started(workers)
    work, waiting, here = ray.remote(_work), iter(items), Path.cwd()
    try:
        running = [work.remote(function, item, here) for item in islice(waiting, workers or None)]
        while running:
            (finished,), running = ray.wait(running)
            yield ray.get(finished)
            running += [work.remote(function, item, here) for item in islice(waiting, 1)]
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", error)
        if not isinstance(cause, ray.exceptions.RayError):
            raise cause from error  # the function's own
        raise BadInputError(f"a worker of Ray failed: {str(cause).splitlines()[0]}") from error
    finally:
        ray.shutdown()


def _started(workers: int) -> Any:
    """Ray, joined or started; a cluster beside this machine has its own number of cores."""
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"  # else `uv run` uploads the folder it is in
    try:
        import ray.exceptions
    except ImportError as error:
        raise BadInputError("--ray needs Ray: pip install 'kinepose[ray]'") from error
    address = os.environ.get("RAY_ADDRESS") or "local"
    try:
        host, colon, port = address.rpartition(":")
        if colon and "/" not in host:  # where nobody is, Ray would ask for a quarter of an hour
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(
            address,
            num_cpus=workers or None if address == "local" else None,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        first = str(error).strip().splitlines()[0]
        raise BadInputError(f"no Ray at RAY_ADDRESS={address}: {first}") from error
    return ray


def _work(function: Callable[[Item], Result], item: Item, folder: Path) -> Result:
    """Where the caller stands, so that relative paths mean the same."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise BadInputError(f"a worker of Ray does not find the folder {folder}") from error
    return function(item)
