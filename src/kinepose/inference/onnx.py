"""What finds poses as an ONNX file, and ONNX Runtime in place of torch.

The file holds E_P, T_fk and T_c: images in 0 to 1, RGB, go in as `images` (batch, 3, size, size);
`parameters`, `camera`, `joints3d`, `joints2d` come out, as model.Poses has them, and if E_P has
heatmaps their peaks, `seen2d` and `certainty`.
"""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinepose.artifacts.model_files import load_model
from kinepose.artifacts.run_folder import model_sha256
from kinepose.dataset.augmentation import Augmentation, draw_renders
from kinepose.dataset.render_stream import render_prior_set
from kinepose.inference.config import ExportOnnxConfig
from kinepose.inference.onnx_tracing import package, silence, trace
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_file, decoding, read_whole, replacing
from kinepose.method.model import Model, Poses
from kinepose.method.pose_encoder import Keypoints
from kinepose.synthetic.backgrounds import procedural_background

OUTPUTS = ("parameters", "camera", "joints3d", "joints2d")
SEEN_OUTPUTS = ("seen2d", "certainty")
_WEIGHTS = "kinepose.weights"
"""Under which the file says, by the hash of model.safetensors, what run it was made of."""
_CHECKSUM, _DIGITS = "kinepose.crc32", 8
_CALIBRATION_BATCHES, _CALIBRATION_BATCH = 8, 16
_CALIBRATION = Augmentation(rotation=0.3, crop_jitter=0.15)
"""The renders from which --int8 learns how large numbers get."""

Estimate = Callable[[Float[Tensor, "batch 3 size size"]], Poses]


def export_onnx(config: ExportOnnxConfig) -> None:
    """Write the file that `predict --onnx` reads.

    Raises:
        BadInputError: if the run cannot be read, the file cannot be written, or a package is
            missing.
    """
    check_file(config.output)
    model = load_model(config.run)
    onnx, size = package("onnx"), model.config.image_size
    outputs = OUTPUTS + (SEEN_OUTPUTS if model.config.heatmaps else ())
    free = {0: torch.export.Dim("batch")}
    with TemporaryDirectory() as place:
        path = Path(place) / "model.onnx"
        trace(_Estimator(model).eval(), torch.rand(2, 3, size, size), path, outputs, free)
        if config.int8:
            path = _quantise(path, size)
        network = onnx.load(path)
    write_onnx(network, config.output, model_sha256(config.run))


def onnx_poses(path: Path, run: Path, sha256: str | None = None) -> Estimate:
    """A function that finds poses by ONNX Runtime, in the one thread that calls it.

    `sha256` is what the run's weights were as they were read; unless told, they are hashed.

    Raises:
        BadInputError: if the file is missing, no ONNX, of another run, or a package is missing.
    """
    remedy = f"kinepose export-onnx --run {run} --output {path}"
    if not path.exists():
        raise BadInputError(f"no such file: {path}: {remedy}")
    session = open_session(path)
    inputs, outputs = (
        [node.name for node in nodes] for nodes in (session.get_inputs(), session.get_outputs())
    )
    if made_of(path, session) != (sha256 or model_sha256(run)):
        raise BadInputError(f"{path} was not made of the run {run}: {remedy}")
    if inputs != ["images"] or tuple(outputs) not in (OUTPUTS, OUTPUTS + SEEN_OUTPUTS):
        raise BadInputError(f"{path} has other inputs or outputs: {remedy}")

    def estimate(images: Float[Tensor, "batch 3 size size"]) -> Poses:
        with decoding(path, "ONNX file that can be used"):
            found = session.run(None, {"images": images.contiguous().numpy()})
            numbers = [torch.from_numpy(array) for array in found]
            poses, seen = numbers[: len(OUTPUTS)], numbers[len(OUTPUTS) :]
            return Poses(*poses, Keypoints(seen[0], seen[1]) if seen else None)

    return estimate


def open_session(path: Path) -> Any:
    """An onnxruntime.InferenceSession of a file, in the one thread that calls it.

    Raises:
        BadInputError: if the file is no ONNX, its checksum, if it has one, is another, or the
            package is missing.
    """
    runtime = package("onnxruntime")
    network = read_whole(path)
    if network[_checksum_at(network) :][:_DIGITS] not in (b"", _checksum(network)):
        raise BadInputError(f"{path} is damaged: its checksum is not that of what it holds")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with decoding(path, "ONNX file that can be used"):
        return runtime.InferenceSession(
            network,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["QDQPropagationTransformer"],  # 8 bits would slow the pooling
        )


def made_of(path: Path, session: Any) -> str | None:
    """The hash of the weights that the file of a session was made of, if it says that.

    Raises:
        BadInputError: if what it says is no text.
    """
    with decoding(path, "ONNX file that can be used"):
        return session.get_modelmeta().custom_metadata_map.get(_WEIGHTS)


def write_onnx(network: Any, path: Path, weights: str) -> None:
    """Write an onnx.ModelProto with a checksum, and by their hash what weights it was made of."""
    network.metadata_props.add(key=_WEIGHTS, value=weights)
    network.metadata_props.add(key=_CHECKSUM, value=_DIGITS * "0")
    data = bytearray(network.SerializeToString())
    at = _checksum_at(data)
    data[at : at + _DIGITS] = _checksum(data)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MB")


def _checksum_at(network: bytes | bytearray) -> int:
    """Where the digits of a file's checksum stand, behind its name; its end if it has none."""
    name = _CHECKSUM.encode() + b"\x12" + bytes([_DIGITS])  # as protobuf says that a text follows
    at = network.rfind(name)
    return at + len(name) if at >= 0 else len(network)


def _checksum(network: bytes | bytearray) -> bytes:
    """Of all but its own digits."""
    at, data = _checksum_at(network), memoryview(network)
    found = zlib.crc32(data[at + _DIGITS :], zlib.crc32(data[:at]))
    return f"{found:0{_DIGITS}x}".encode()


class _Estimator(nn.Module):
    """Model.predict in the shape that torch.onnx wants."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Float[Tensor, "batch 3 size size"]) -> tuple[Tensor, ...]:
        poses = self.model.predict(images)
        found = [getattr(poses, name) for name in OUTPUTS]
        if (seen := poses.keypoints) is not None:
            found += [seen.joints2d, seen.certainty]
        return tuple(found)


def _quantise(path: Path, size: int) -> Path:
    """Convolutions in 8 bits, one scale a channel; all else stays as it is."""
    package("onnxruntime")
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Renders(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches = _calibration_images(size)

        def get_next(self) -> dict:
            return next(self.batches, {})

    simplified, quantised = path.with_name("simple.onnx"), path.with_name("int8.onnx")
    with silence():
        quant_pre_process(path, simplified, skip_symbolic_shape=True)
        quantize_static(
            simplified,
            quantised,
            Renders(),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
        )
    return quantised


def _calibration_images(size: int) -> Iterator[dict[str, Float[np.ndarray, "batch 3 s s"]]]:
    prior = render_prior_set(20, seed=1, size=size)
    numbers, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    for _ in range(_CALIBRATION_BATCHES):
        scenes = [procedural_background(numbers, size, size) for _ in range(_CALIBRATION_BATCH)]
        backgrounds = torch.from_numpy(np.stack(scenes)).permute(0, 3, 1, 2).float() / 255
        batch = draw_renders(prior, backgrounds, _CALIBRATION, generator)
        yield {"images": batch.images.numpy()}
