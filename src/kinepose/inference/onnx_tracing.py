"""A network of torch written as an ONNX file.

The exporter runs each operation several times with sizes that are symbols. For ReLU6, of which a
backbone has thirty, that took half of all time (torch 2.13: what it is decomposed into compares
these sizes again and again); so that while it is traced it is an operation of our own, whose
result is said to be of the size of its input, and which is written as the ONNX operator Clip.
Strides of plain tensors and weights without gradients are sooner told, too.
"""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kinepose.io.errors import BadInputError
from kinepose.method.blocks import fold_batch_norms


def trace(
    network: nn.Module,
    images: Tensor,
    path: Path,
    outputs: tuple[str, ...],
    sizes: dict[int, Any],
) -> None:
    """Write what a network in evaluation mode makes of `images`, its one input.

    `sizes` says which sizes of the images are free, as torch.export does.

    Raises:
        BadInputError: if onnxscript is missing.
    """
    opset = package("onnxscript").opset18

    def clip(features: Any) -> Any:
        low, high = (opset.Constant(value_float=value) for value in (0.0, 6.0))
        return opset.Clip(features, low, high)

    network = _with_short_relu6(copy.deepcopy(network)).requires_grad_(False)
    fold_batch_norms(network)
    network.to(memory_format=torch.contiguous_format)  # ty: ignore[no-matching-overload]
    network(images)  # constants that are kept must be numbers, not what the exporter traces with
    with silence():
        torch.onnx.export(
            network,
            (images,),
            path,
            input_names=["images"],
            output_names=outputs,
            dynamic_shapes=(sizes,),
            custom_translation_table={torch.ops.kinepose.relu6.default: clip},
            external_data=False,
            dynamo=True,
        )


@torch.library.custom_op("kinepose::relu6", mutates_args=())
def _relu6(features: Tensor) -> Tensor:
    return nn.functional.relu6(features)


@_relu6.register_fake
def _size_of_relu6(features: Tensor) -> Tensor:
    return torch.empty_like(features)


class _ShortReLU6(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return _relu6(features)


def _with_short_relu6(network: nn.Module) -> nn.Module:
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(parent, name, _ShortReLU6())
    return network


@contextlib.contextmanager
def silence() -> Generator[None]:
    """Exporters say much that is no news to users."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def package(name: str) -> Any:
    """One of kinepose[onnx].

    Raises:
        BadInputError: if it is missing.
    """
    try:
        return __import__(name)
    except ImportError as error:
        raise BadInputError(f"{name} is missing: pip install 'kinepose[onnx]'") from error
