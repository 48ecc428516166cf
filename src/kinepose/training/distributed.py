"""One training by several processes, as torchrun starts them: each takes its share of a batch.

All draw the same batches, so that the number of processes changes no result but by rounding, and
but for batch norm that learns: an E_P with heatmaps has some, whose statistics are those of a
process's share. Each loss trains other parameters, hence gradients are averaged once they are
there: nothing needs to know which will come.
"""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, distributed

Batch = TypeVar("Batch")
_PATIENCE = timedelta(days=7)
"""The first process may render for hours while the others wait; torchrun ends all when one dies."""


@contextmanager
def joined(device: torch.device) -> Generator[torch.device]:
    """Meet the other processes, if torchrun says that there are some; gives this one's device.

    They meet by NCCL on GPUs, a GPU each, and else by gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    protocol = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(protocol, timeout=_PATIENCE)
    try:
        yield device
    finally:
        distributed.destroy_process_group()


def number() -> int:
    """How many processes train."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is; 0 speaks and writes for all."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def wait() -> None:
    """Until all are here."""
    if number() > 1:
        distributed.barrier()


@contextmanager
def first_alone() -> Generator[None]:
    """The first process does something, then all others at once: they find what it has left."""
    if rank():
        wait()
    yield
    if not rank():
        wait()


def share(batch: Batch) -> Batch:
    """This process's part of a dataclass of tensors whose rows are a batch."""
    if number() == 1:
        return batch
    parts = {k: v if v is None else v.chunk(number())[rank()] for k, v in vars(batch).items()}
    return type(batch)(**parts)


def average(tensors: Sequence[Float[Tensor, "..."]]) -> None:
    """Make each the mean of what all processes have, in place and in one exchange."""
    if number() == 1 or not tensors:
        return
    numbers = torch.cat([tensor.detach().flatten() for tensor in tensors])
    distributed.all_reduce(numbers)
    means = (numbers / number()).split([tensor.numel() for tensor in tensors])
    for tensor, mean in zip(tensors, means, strict=True):
        tensor.detach().copy_(mean.view_as(tensor))
