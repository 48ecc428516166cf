"""The person detector as an ONNX file beside that of a run, and ONNX Runtime in place of torch.

Images in 0 to 1, RGB, go in as `images` (batch, 3, height, width), height and width in 32s; what
PersonDetector says comes out as `logits` and `sides`.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.detection.finding import Answer
from kinepose.detection.weights import detector_sha256, load_detector
from kinepose.inference.onnx import made_of, open_session, write_onnx
from kinepose.inference.onnx_tracing import package, trace
from kinepose.io.errors import BadInputError


def people_path(path: Path) -> Path:
    """Where the detector lies, beside the file of a run."""
    return path.with_name(f"{path.stem}_people{path.suffix}")


def export_detector(path: Path) -> None:
    """Write the package's detector beside the file of a run.

    Raises:
        BadInputError: if the package has none, or a package is missing.
    """
    batch, rows, columns = (torch.export.Dim(name) for name in ("batch", "rows", "columns"))
    free = {0: batch, 2: 32 * rows, 3: 32 * columns}
    with TemporaryDirectory() as place:
        traced = Path(place) / "people.onnx"
        trace(load_detector(), torch.rand(2, 3, 96, 128), traced, ("logits", "sides"), free)
        network = package("onnx").load(traced)
    write_onnx(network, people_path(path), detector_sha256())


def onnx_answer(path: Path) -> Answer | None:
    """What the detector says, by ONNX Runtime; none where no file of it lies beside that of a run.

    Raises:
        BadInputError: if the file is none that can be used, or of another detector.
    """
    path = people_path(path)
    if not path.is_file():
        return None
    session = open_session(path)
    if made_of(path, session) != detector_sha256():
        raise BadInputError(f"{path} is of another version's detector: kinepose export-onnx again")

    def answer(images: Float[Tensor, "batch 3 height width"]) -> tuple[Tensor, Tensor]:
        said = session.run(None, {"images": np.ascontiguousarray(images.numpy())})
        logits, sides = (torch.from_numpy(numbers) for numbers in said)
        return logits, sides

    return answer
