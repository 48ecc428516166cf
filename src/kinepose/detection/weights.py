"""The detector's weights as a file, and as it comes with the package."""

import hashlib
from pathlib import Path

import torch

from kinepose.artifacts.run_folder import WEIGHTS
from kinepose.detection.network import PersonDetector
from kinepose.io.errors import BadInputError
from kinepose.io.tensor_files import check_tensors, read_tensors

RESULT = "detector.safetensors"
SHIPPED_DETECTOR = WEIGHTS / RESULT


def load_detector(path: Path = SHIPPED_DETECTOR) -> PersonDetector:
    """The detector, ready to find people on the processor. Nothing is unpickled, nothing fetched.

    Raises:
        BadInputError: if the file is missing or not a detector's.
    """
    detector = PersonDetector()
    tensors, _ = read_tensors(path)
    check_tensors(path, tensors, detector.state_dict())
    detector.load_state_dict(tensors)  # half precision becomes single
    detector = detector.eval()
    return detector.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]


def detector_sha256() -> str:
    """Which detector the package has: the hash of its file.

    Raises:
        BadInputError: if it has none.
    """
    if not SHIPPED_DETECTOR.is_file():
        raise BadInputError("no person detector came with this kinepose: --detector motion")
    with SHIPPED_DETECTOR.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
