import json
import pickle
from dataclasses import replace

import pytest
import torch

from kinepose.artifacts.model_files import load_model, new_model, save_model
from kinepose.geometry.skeleton import PARENTS, PELVIS
from kinepose.io.errors import BadInputError
from kinepose.method.forward_kinematics import forward_kinematics
from kinepose.method.spatial_maps import spatial_maps

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_predictions_have_the_skeletons_bones_and_maps_that_peak_at_their_joints(tiny_model):
    poses = tiny_model.predict(IMAGES)
    assert (poses.joints3d[:, PELVIS] == 0).all()
    bones = [(joint, parent) for joint, parent in enumerate(PARENTS) if parent >= 0]
    lengths = torch.stack(
        [(poses.joints3d[:, j] - poses.joints3d[:, p]).norm(dim=-1) for j, p in bones]
    )
    torch.testing.assert_close(lengths[:, 0], lengths[:, 1], msg="whatever the pose is")
    for joint in range(17):
        side = 8 * (poses.joints2d[0, joint] + 1) / 2
        if ((side > 0) & (side < 8)).all():
            peak = tiny_model.maps(poses.joints2d)[0, joint].flatten().argmax()
            assert [peak % 8, peak // 8] == side.floor().int().tolist()


def test_a_painted_image_depends_on_pose_appearance_and_background(tiny_model):
    poses, appearance = tiny_model.predict(IMAGES), tiny_model.appearance(IMAGES)
    painted = tiny_model.paint(poses.joints2d, appearance, IMAGES)
    for changed in (
        (poses.joints2d + 0.3, appearance, IMAGES),
        (poses.joints2d, appearance.flip(0), IMAGES),
        (poses.joints2d, appearance, IMAGES.flip(0)),
    ):
        assert not torch.allclose(tiny_model.paint(*changed), painted)


def test_ablations_replace_a_transform_by_a_network(tiny_config):
    without_kinematics = new_model(replace(tiny_config, kinematics="network"))
    poses = without_kinematics.predict(IMAGES)
    assert not torch.allclose(poses.joints3d, forward_kinematics(poses.parameters))
    without_maps = new_model(replace(tiny_config, maps="network"))
    assert without_maps.maps(poses.joints2d).shape == (2, 33, 8, 8)
    assert not torch.allclose(without_maps.maps(poses.joints2d), spatial_maps(poses.joints2d, 8))


def test_saved_and_loaded_models_agree(tiny_model, tmp_path):
    save_model(tiny_model, tmp_path)
    loaded = load_model(tmp_path)
    for name, tensor in tiny_model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    again = loaded.predict(IMAGES).joints2d  # another memory format adds in another order
    torch.testing.assert_close(again, tiny_model.predict(IMAGES).joints2d, rtol=0, atol=1e-6)
    assert loaded.config == tiny_model.config
    assert not loaded.training


def edit(path, change):
    described = json.loads(path.read_text())
    change(described)
    path.write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(format_version=99), "format_version 99: must be at most 2"),
        (lambda d: d.update(format_version=1), "format_version 1: must be at least 2"),
        (lambda d: d["model"].update(unknown=1), "unknown"),
        (lambda d: d["model"].update(pose_feature_width=16), r"does not fit config\.json: .*, not"),
        (lambda d: d.pop("model"), "model"),
    ],
)
def test_a_run_that_does_not_fit_is_refused(tiny_model, tmp_path, change, says):
    save_model(tiny_model, tmp_path)
    edit(tmp_path / "config.json", change)
    with pytest.raises(BadInputError, match=says) as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="not a run"):
        load_model(tmp_path)


def test_weights_are_never_unpickled(tiny_model, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    save_model(tiny_model, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(BadInputError):
        load_model(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_widths_that_do_not_lead_to_the_image_are_refused(tiny_config):
    with pytest.raises(BadInputError, match="64 px, not 32"):
        new_model(replace(tiny_config, decoder_widths=(8, 8, 8, 8)))
