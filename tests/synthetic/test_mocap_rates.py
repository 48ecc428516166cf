"""Clips of any rate, unit of length and vertical axis."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from tests.synthetic.test_mocap_files import STYLES, Y_UP, limb_errors, read_one, write_bvh

from kinepose.synthetic.mocap_clips import captured_clips
from kinepose.synthetic.motion import part_of, resample


@pytest.mark.parametrize(("fps", "times"), [(120.0, 4.0), (60.0, 2.0), (50.0, 5 / 3)])
def test_clips_of_any_rate_become_30_frames_a_second(tmp_path, fps, times):
    motion = captured_clips()["kick"]
    finer = resample(motion, int((len(motion.root) - 1) * times) + 1, times)
    read = read_one(write_bvh(tmp_path / "clip.bvh", finer, STYLES["mixamo"], fps))
    assert abs(len(read.root) - len(motion.root)) <= 1
    assert limb_errors(read, part_of(motion, 0, len(read.root))).max() < 4


def test_the_unit_of_length_does_not_matter_but_the_step_of_a_leg_does(tmp_path):
    """The same numbers in metres, centimetres and inches: a path by a leg 0.83 m long."""
    motion = captured_clips()["walk"]
    paths = []
    for unit in (1.0, 100.0, 39.37):
        style = replace(STYLES["unreal"], unit=unit)
        paths.append(read_one(write_bvh(tmp_path / f"in_{unit:.0f}.bvh", motion, style)).root)
    torch.testing.assert_close(paths[0], paths[1], atol=1e-3, rtol=0)
    torch.testing.assert_close(paths[0], paths[2], atol=1e-3, rtol=0)
    walked = [(path[-1] - path[0])[:2].norm() for path in (paths[0], motion.root)]
    assert float(walked[0]) == pytest.approx(float(walked[1]), abs=0.02)


def test_a_skeleton_with_y_up_in_a_world_with_z_up(tmp_path):
    """As AMASS is: those who stand along z do not lie on their backs."""
    motion = captured_clips()["walk"]
    read = read_one(write_bvh(tmp_path / "clip.bvh", motion, STYLES["mixamo"]))
    lines = (tmp_path / "clip.bvh").read_text().splitlines()
    first = lines.index("Frame Time: 0.033333") + 1
    to_z_up = Rotation.from_matrix(Y_UP.T)
    for row, line in enumerate(lines[first:], start=first):
        values = np.array(line.split(), float)
        turned = to_z_up * Rotation.from_euler("XYZ", values[3:6], degrees=True)
        values[:3] = to_z_up.apply(values[:3])
        values[3:6] = turned.as_euler("XYZ", degrees=True)
        lines[row] = " ".join(map(str, values))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "clip.bvh").write_text("\n".join(lines))
    again = read_one(tmp_path / "other" / "clip.bvh")
    torch.testing.assert_close(again.rotations, read.rotations, atol=1e-4, rtol=0)
    torch.testing.assert_close(again.root, read.root, atol=1e-4, rtol=0)
