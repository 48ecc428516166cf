"""Views of an image are brought back to it, and their heatmaps averaged."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from kinepose.artifacts.model_files import new_model
from kinepose.geometry.image_transforms import flip_image, flip_joints2d, zoom_image
from kinepose.geometry.skeleton import MIRRORED
from kinepose.method import views as module
from kinepose.method.heatmap_head import peaks
from kinepose.method.views import predict_by_views


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_the_mirrored_image_has_the_mirrored_pose(tiny_model, images):
    poses = predict_by_views(tiny_model, images, 6)
    mirrored = predict_by_views(tiny_model, flip_image(images), 6)
    expected = flip_joints2d(poses.keypoints.joints2d)
    torch.testing.assert_close(mirrored.keypoints.joints2d, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(mirrored.joints2d, flip_joints2d(poses.joints2d), atol=1e-3, rtol=0)
    alone = tiny_model.predict(flip_image(images)).keypoints.joints2d
    other = flip_joints2d(tiny_model.predict(images).keypoints.joints2d)
    assert (alone - other).abs().max() > 0.01


@torch.inference_mode()
@pytest.mark.parametrize("sizes", [("1", "-1.18"), ("1", "-1", "1.18", "-1.18", "0.87", "-0.87")])
def test_all_views_count_equally(tiny_model, images, sizes: tuple[str, ...]):
    """By loops: view by view, joint by joint, each a share of 1; - stands for mirrored."""
    mean = torch.zeros(4, 17, 8, 8)
    for view in sizes:
        log_scale = torch.full((4,), math.log(float(view.removeprefix("-"))))
        shown = zoom_image(images, 32, log_scale, outside="border")
        maps = tiny_model.predict(shown).keypoints.maps.joints.exp()
        if view.startswith("-"):
            other = tiny_model.predict(shown.flip(-1)).keypoints.maps.joints.exp()
            maps = torch.stack([other[:, MIRRORED[j]].flip(-1) for j in range(17)], dim=1)
        back = zoom_image(maps, 8, -log_scale, outside="zeros")
        for image in range(4):
            for joint in range(17):
                mean[image, joint] += back[image, joint] / back[image, joint].sum() / len(sizes)
    places, certainty = peaks(mean.log())
    poses = predict_by_views(tiny_model, images, len(sizes))
    torch.testing.assert_close(poses.keypoints.joints2d, places, atol=1e-4, rtol=0)
    torch.testing.assert_close(poses.keypoints.certainty, certainty, atol=1e-4, rtol=0)
    expected = tiny_model.lift(places, certainty)
    torch.testing.assert_close(poses.joints3d, expected.joints3d, atol=1e-3, rtol=0)


@torch.inference_mode()
def test_what_another_size_shows_is_where_the_image_has_it(tiny_model, images, monkeypatch):
    """Joints whose maps are one cell of the enlarged image, by an encoder that says just that."""
    size = 1.7
    monkeypatch.setattr(module, "VIEWS", ((size, False), (size, True)))
    truth = 0.9 * torch.rand(4, 17, 2, generator=torch.Generator().manual_seed(1)) - 0.45
    zoomed = zoom_image(images, 32, torch.full((4,), math.log(size)), outside="border")
    shown = {True: flip_joints2d(size * truth), False: size * truth}
    see = tiny_model.see

    def told(view):
        mirrored = torch.equal(view, flip_image(zoomed))
        assert mirrored or torch.equal(view, zoomed)
        keypoints = see(view)
        cells = ((shown[mirrored] + 1) / 2 * 8).long()
        at = functional.one_hot(8 * cells[..., 1] + cells[..., 0], 64).view(4, 17, 8, 8)
        return replace(keypoints, maps=replace(keypoints.maps, joints=20.0 * (at - 1)))

    monkeypatch.setattr(tiny_model, "see", told)
    found = predict_by_views(tiny_model, images, 2).keypoints.joints2d
    assert (found - truth).abs().mean() < 0.08 < (size - 1) * truth.abs().mean()


@torch.inference_mode()
def test_a_model_without_heatmaps_sees_the_image_alone(tiny_config, images):
    model = new_model(replace(tiny_config, heatmaps=0)).eval()
    assert torch.equal(predict_by_views(model, images, 6).joints3d, model.predict(images).joints3d)
