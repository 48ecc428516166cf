"""The renders of the prior: single people without a background."""

import itertools

import numpy as np
import pytest
import torch

from kinepose.evaluation.metrics import p_mpjpe
from kinepose.method.camera_projection import fit_camera
from kinepose.method.forward_kinematics import (
    canonical_joints,
    forward_kinematics,
    local_kinematics,
)
from kinepose.synthetic.single_images import Renders, render_prior


@pytest.fixture(scope="module")
def renders() -> Renders:
    return render_prior(12, seed=3, size=40)


def test_renders_have_the_pelvis_in_the_middle_of_a_square(renders):
    assert renders.image.shape == (12, 40, 40, 3) and renders.mask.shape == (12, 40, 40)
    assert np.abs(renders.joints2d[:, 0]).max() < 1e-5
    assert np.abs(renders.joints2d).max() < 1.3
    assert (renders.image[renders.mask == 0] == 0).all(), "people are on black"


def test_renders_can_be_explained_by_the_models_own_camera(renders):
    joints3d = torch.from_numpy(renders.joints3d).double()
    joints, rotation = canonical_joints(joints3d)
    joints2d = torch.from_numpy(renders.joints2d).double()
    camera, residual = fit_camera(joints, rotation, joints2d)
    assert residual.max() < 1e-3
    assert camera[:, 6:].abs().max() < 1e-3, "no zoom, no shift"


def test_the_floor_of_the_benchmark_is_low(renders):
    """How far true poses are from the nearest poses that the model can say [mm]."""
    truth = torch.from_numpy(renders.joints3d)
    said = forward_kinematics(local_kinematics(truth)[0])
    assert p_mpjpe(said, truth).mean() < 30


def test_renders_differ(renders):
    joints = canonical_joints(torch.from_numpy(renders.joints3d))[0]
    apart = (joints[:, None] - joints[None]).norm(dim=-1).mean(-1)
    others = apart[np.triu_indices(12, 1)]
    assert others.min() > 0.05, "poses [canonical]"
    bones = joints[:, [2, 12]].sub(joints[:, [1, 11]]).norm(dim=-1)
    assert bones.std(0).min() > 0.001, "bodies"
    colours = [renders.image[i][renders.mask[i] == 255].mean(0) for i in range(len(renders.image))]
    assert min(np.abs(a - b).max() for a, b in itertools.combinations(colours, 2)) > 1, "clothes"


def test_renders_come_back_with_their_seed(renders):
    again = render_prior(12, seed=3, size=40)
    assert np.array_equal(renders.image, again.image)
    assert np.array_equal(renders.joints3d, again.joints3d)
