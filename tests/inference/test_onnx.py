"""onnx.py: the true exporter and the true runtime, on a tiny model with random weights."""

import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from tests.conftest import TINY_MODEL, no_shape_checks

from kinepose.artifacts.model_files import load_model, new_model, save_model
from kinepose.artifacts.pose_files import read_poses
from kinepose.artifacts.run_folder import model_sha256
from kinepose.dataset.render_stream import render_prior_set
from kinepose.dataset.renders import layers_of
from kinepose.inference.config import ExportOnnxConfig, PredictConfig
from kinepose.inference.onnx import OUTPUTS, export_onnx, made_of, onnx_poses, open_session
from kinepose.inference.predict import predict
from kinepose.io.errors import BadInputError
from kinepose.video.config import PeopleConfig
from kinepose.video.writing import write_video


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Branches drawn anew, so that poses differ from image to image."""
    torch.manual_seed(0)
    model = new_model(TINY_MODEL)
    lifter = model.pose_encoder.lifter
    for layer in (lifter.parameters_branch, lifter.camera_branch):
        torch.nn.init.normal_(layer.weight, std=0.2)
    folder = tmp_path_factory.mktemp("run")
    save_model(model, folder)
    return folder


def export(run, output, int8=False):
    with no_shape_checks():
        export_onnx(ExportOnnxConfig(output, run, int8))


@pytest.fixture(scope="module")
def exported(run):
    export(run, run / "model.onnx")
    return run / "model.onnx"


@pytest.fixture(scope="module")
def images():
    layers = layers_of(render_prior_set(10, seed=5, size=32), np.arange(10))
    return layers[:, :3] + 0.5 * (1 - layers[:, 3:4])


@pytest.mark.parametrize("count", [1, 10])
def test_the_file_has_the_poses_of_the_model(run, exported, images, count):
    with torch.inference_mode():
        expected = load_model(run).predict(images[:count])
        found = onnx_poses(exported, run)(images[:count])
    if count > 1:
        assert expected.joints3d.std(0).max() > 0.01
    pairs = [
        *((getattr(found, name), getattr(expected, name)) for name in OUTPUTS),
        (found.keypoints.joints2d, expected.keypoints.joints2d),
        (found.keypoints.certainty, expected.keypoints.certainty),
    ]
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


def test_other_programs_read_it_and_find_names_and_sizes(exported):
    network = onnx.load(exported)
    onnx.checker.check_model(network, full_check=True)
    (images,) = network.graph.input
    sizes = [d.dim_param or d.dim_value for d in images.type.tensor_type.shape.dim]
    assert images.name == "images" and sizes == ["batch", 3, 32, 32]
    names = [output.name for output in network.graph.output]
    assert names == ["parameters", "camera", "joints3d", "joints2d", "seen2d", "certainty"]


def test_a_flipped_bit_is_found_and_a_file_without_a_checksum_read(exported, tmp_path):
    path, data = tmp_path / "other.onnx", bytearray(exported.read_bytes())
    for place in np.random.default_rng(0).integers(len(data), size=20):
        data[place] ^= 1
        path.write_bytes(data)
        with pytest.raises(BadInputError, match="is damaged: its checksum"):
            open_session(path)
        data[place] ^= 1
    network = onnx.load_from_string(bytes(data))
    kept = [entry for entry in network.metadata_props if not entry.key.endswith("crc32")]
    network.ClearField("metadata_props")
    network.metadata_props.extend(kept)
    path.write_bytes(network.SerializeToString())
    assert made_of(path, open_session(path)) is not None


def test_eight_bits_are_smaller_and_near(run, exported, images):
    path = run / "int8.onnx"
    export(run, path, int8=True)
    with torch.inference_mode():
        expected = load_model(run).predict(images).keypoints.joints2d
        found = onnx_poses(path, run)(images).keypoints.joints2d
    away, spread = ((it - expected).norm(dim=-1) for it in (found, expected.roll(1, 0)))
    assert 0 < away.median() < 0.1 * spread.median(), "some peaks of maps of noise leap"
    kinds = {tensor.data_type for tensor in onnx.load(path).graph.initializer}
    assert onnx.TensorProto.INT8 in kinds


def test_predict_gives_the_same_poses_by_it(run, exported, tmp_path):
    video, people = tmp_path / "video.mp4", PeopleConfig("none")
    rng = np.random.default_rng(0)
    write_video(video, (rng.integers(0, 255, (64, 48, 3), dtype=np.uint8) for _ in range(21)), 10.0)
    settings = {"energy": True, "overlay": False, "viewer": False, "bfloat16": False, "views": 1}
    for name, onnx_file in (("torch", None), ("onnx", exported)):
        predict(PredictConfig(video, tmp_path / name, run, people, onnx=onnx_file, **settings))
    by_torch, by_onnx = read_poses(tmp_path / "torch"), read_poses(tmp_path / "onnx")
    np.testing.assert_allclose(by_onnx.joints3d, by_torch.joints3d, atol=1.0)
    np.testing.assert_allclose(by_onnx.joints2d, by_torch.joints2d, atol=0.1)
    np.testing.assert_allclose(by_onnx.energy, by_torch.energy, rtol=1e-2)
    with pytest.raises(BadInputError, match="--views 2"):
        predict(PredictConfig(video, tmp_path / "two", run, people, onnx=exported, views=2))


def test_it_computes_on_the_processor_whatever_else_there_is(
    run, exported, tmp_path, monkeypatch, capsys
):
    """A GPU that torch says it has, but has not, is not even tried."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    video, settings = tmp_path / "video.mp4", {"overlay": False, "viewer": False}
    write_video(video, (np.full((64, 48, 3), 9 * i, np.uint8) for i in range(9)), 10.0)
    config = PredictConfig(video, tmp_path / "out", run, PeopleConfig("none"), onnx=exported)
    predict(replace(config, energy=True, **settings))
    assert capsys.readouterr().out.endswith("(on cpu)\n")
    assert len(read_poses(tmp_path / "out").frame) == 9


def test_a_wrong_file_is_one_line(run, exported, tmp_path):
    other = tmp_path / "other"
    torch.manual_seed(1)
    save_model(new_model(TINY_MODEL), other)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(exported.read_bytes()[:1000])
    odd = tmp_path / "odd.onnx"
    odd.write_bytes(exported.read_bytes().replace(model_sha256(run).encode(), b"\xff" * 64))
    for path, folder, reason in [
        (exported, other, "not made of the run"),
        (broken, run, "no ONNX file"),
        (odd, run, "is damaged"),
        (tmp_path / "none.onnx", run, "no such file"),
        (run, run, "is a folder"),
    ]:
        with pytest.raises(BadInputError, match=reason) as caught:
            onnx_poses(path, folder)
        assert "\n" not in str(caught.value)
    shutil.rmtree(other)
    with pytest.raises(BadInputError, match="not a run"):
        export_onnx(ExportOnnxConfig(tmp_path / "new" / "model.onnx", other))
    with pytest.raises(BadInputError, match="it is a folder, not a file"):
        export_onnx(ExportOnnxConfig(tmp_path, other))
    assert not (tmp_path / "new").exists()
