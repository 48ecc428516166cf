"""BVH and C3D by somebody else's reader, TRC by ten lines of our own."""

import ezc3d
import numpy as np
import pybvh

from kinepose.geometry.skeleton import JOINT_NAMES


def read_bvh(path):
    """Joints [mm], the file's rate and rotations [rad], by pybvh."""
    bvh = pybvh.read_bvh_file(path, world_up="+y")
    ours = [bvh.joint_names.index(name) for name in JOINT_NAMES]
    return 10 * bvh.joint_positions()[:, ours], bvh.fps, bvh.joint_angles


def read_trc(path):
    """Head, frame numbers, times and markers, counted as strictly as OpenSim's TRCFileAdapter."""
    title, keys, values, names, axes, empty, *rows = path.read_text().split("\n")
    assert title.split("\t") == ["PathFileType", "4", "(X/Y/Z)", path.name]
    assert empty == "" and rows.pop() == ""
    head = dict(zip(keys.split("\t"), values.split("\t"), strict=True))
    markers = [name for name in names.split("\t") if name][2:]
    assert axes.split() == [f"{a}{i + 1}" for i in range(len(markers)) for a in "XYZ"]
    fields = [row.split("\t") for row in rows]
    assert {len(row) for row in fields} == {2 + 3 * len(markers) + 1}  # a tab ends each
    table = np.array([[float(field or "nan") for field in row[:-1]] for row in fields])
    return head, markers, table[:, 0], table[:, 1], table[:, 2:].reshape(len(rows), -1, 3)


def read_c3d(path):
    """Points [mm] by ezc3d, nan where they are marked as invalid; and all that is beside them."""
    c3d = ezc3d.c3d(str(path))
    joints = c3d["data"]["points"][:3].transpose(2, 1, 0)
    invalid = c3d["data"]["meta_points"]["residuals"][0].T < 0
    assert np.array_equal(np.isnan(joints[..., 0]), invalid)
    return joints, c3d["header"]["points"], c3d["parameters"]["POINT"]
