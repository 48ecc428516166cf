"""The detector's weights as a file, and as it comes with the package."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from kinepose.detection.network import PersonDetector
from kinepose.errors import BadInputError
from kinepose.files import replacing

RESULT = "detector.safetensors"
SHIPPED_DETECTOR = Path(__file__).parent.parent / "weights" / RESULT


def detector_sha256() -> str:
    """Which detector the package has: the hash of its file.

    Raises:
        BadInputError: if it has none.
    """
    if not SHIPPED_DETECTOR.is_file():
        raise BadInputError("no person detector came with this kinepose: --detector motion")
    with SHIPPED_DETECTOR.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_tensors(
    tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, whole or not at all.

    Raises:
        BadInputError: if it cannot be written; a full disk, for one.
    """
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(save(contiguous, metadata))
    except OSError as error:
        raise BadInputError(f"cannot write {path}: {error}") from error


def load_detector(path: Path = SHIPPED_DETECTOR) -> PersonDetector:
    """The detector, ready to find people on the processor. Nothing is unpickled, nothing fetched.

    Raises:
        BadInputError: if the file is missing or not a detector's.
    """
    if not path.is_file():
        raise BadInputError(f"no weights of a person detector at {path}")
    try:
        detector = PersonDetector()
        detector.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise BadInputError(f"{path} does not hold a person detector's weights: {first}") from error
    detector = detector.eval()
    return detector.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]
