"""Leeds Sports Pose, written by name and read back by geometry."""

import numpy as np
import pytest
import scipy.io
from tests.tiny_lsp import LSP_14, write_lsp
from tests.tiny_person import BLUE, RED, camera, disc, person, read_image, stacked

from kinepose.benchmarks.lsp import read_lsp
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.errors import BadInputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lsp")
    write_lsp(folder, 8, camera(0.4))
    return folder


@pytest.mark.parametrize(("half", "rows"), [("train", range(4)), ("test", range(4, 8))])
def test_joints_are_the_persons_in_the_images_of_a_half(folder, half, rows):
    read = read_lsp(folder, half)
    assert [path.name for path in read.images] == [f"im{row + 1:04d}.jpg" for row in rows]
    seen_by, joints = camera(0.4), person(np.linspace(0, 1, 8))
    places = seen_by.project(seen_by.seen(stacked(joints, LSP_14)))[list(rows)]
    for name, place in zip(LSP_14, np.moveaxis(places, 1, 0), strict=True):
        ours = read.joints2d[:, JOINT_NAMES.index(name)]
        np.testing.assert_allclose(ours, place, atol=1e-3)
    for path, joints2d in zip(read.images, read.joints2d, strict=True):
        for name, colour in (("right_wrist", RED), ("left_wrist", BLUE)):
            place = joints2d[JOINT_NAMES.index(name)]
            assert np.linalg.norm(disc(read_image(path), colour) - place) < 0.5


def test_what_has_no_label_is_no_number_and_counts_as_occluded(folder):
    read = read_lsp(folder)
    unlabelled = [name not in LSP_14 for name in JOINT_NAMES]
    assert np.isnan(read.joints2d[:, unlabelled]).all()
    assert np.isfinite(np.delete(read.joints2d, np.flatnonzero(unlabelled), axis=1)).all()
    occluded = {name for name, hidden in zip(JOINT_NAMES, read.occluded[0], strict=True) if hidden}
    assert occluded == {"pelvis", "spine", "nose", "right_knee"}


def test_the_test_half_is_1001_to_2000(tmp_path):
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": np.zeros((3, 14, 2000))})
    names = [path.name for path in read_lsp(tmp_path).images]
    assert (len(names), names[0], names[-1]) == (1000, "im1001.jpg", "im2000.jpg")


def test_what_is_no_lsp_is_refused_in_one_line(tmp_path):
    with pytest.raises(BadInputError, match=r"joints\.mat and images/im0001\.jpg.*johnson"):
        read_lsp(tmp_path)
    (tmp_path / "joints.mat").write_text("no MATLAB")
    with pytest.raises(BadInputError, match="no MATLAB file, or is broken") as refused:
        read_lsp(tmp_path)
    assert "\n" not in str(refused.value)
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": np.zeros((14, 3, 10000))})
    with pytest.raises(
        BadInputError, match=r"joints is float64 \(14, 3, 10000\), not float64 \(3, 14, images\)"
    ):
        read_lsp(tmp_path)
