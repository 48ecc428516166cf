"""Numbers on the device that computes, without making it wait for the processor."""

import functools
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor


def constant(values: Any, like: Tensor) -> Shaped[Tensor, "..."]:
    """Numbers in (nested) tuples, as a tensor of the same kind, sent to its device only once."""
    return _held(values, like.dtype, like.device)


def index(numbers: tuple[int, ...], like: Tensor) -> Shaped[Tensor, " numbers"]:
    """Which entries of a tensor to take, on its device."""
    return _held(numbers, torch.int64, like.device)


def send(tensor: Shaped[Tensor, "*shape"], device: torch.device | str) -> Shaped[Tensor, "*shape"]:
    """A tensor on a device, which does not wait for it: what it is at work on comes first."""
    if torch.device(device).type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def fork(generator: torch.Generator, device: torch.device | str) -> torch.Generator:
    """A generator of the device's own, whose numbers the processor's generator decides."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.Generator(device).manual_seed(seed)


def _held(values: Any, dtype: torch.dtype, device: torch.device) -> Shaped[Tensor, "..."]:
    if torch.compiler.is_dynamo_compiling():  # which keeps them itself, and warns of caches
        return torch.tensor(values, dtype=dtype, device=device)
    return _constant(values, dtype, device)


@functools.cache
def _constant(values: Any, dtype: torch.dtype, device: torch.device) -> Shaped[Tensor, "..."]:
    with torch.inference_mode(False):  # or training could not use what a prediction was first to
        return torch.tensor(values, dtype=dtype, device=device)
