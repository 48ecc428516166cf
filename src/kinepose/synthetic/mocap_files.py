"""Clips that users bring: files of BVH and of AMASS, in a folder and the folders within."""

import functools
import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import roma
import torch
from annotated_types import Interval
from jaxtyping import Float64, Shaped

from kinepose.io.array_files import npz_names, read_npz
from kinepose.io.errors import BadInputError
from kinepose.io.files import decoding, read_whole
from kinepose.synthetic.motion import Motion
from kinepose.synthetic.retargeting import Capture, retarget

_SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_SMPL_JOINTS = {
    "pelvis": (0.0, 0.0, 0.0),
    "left_hip": (0.07, -0.09, -0.01),
    "right_hip": (-0.07, -0.09, -0.01),
    "spine1": (0.0, 0.11, -0.03),
    "left_knee": (0.03, -0.38, 0.0),
    "right_knee": (-0.03, -0.38, 0.0),
    "spine2": (0.0, 0.14, 0.0),
    "left_ankle": (-0.01, -0.40, -0.04),
    "right_ankle": (0.01, -0.40, -0.04),
    "spine3": (0.0, 0.05, 0.03),
    "left_foot": (0.03, -0.06, 0.12),
    "right_foot": (-0.03, -0.06, 0.12),
    "neck": (0.0, 0.21, -0.04),
    "left_collar": (0.08, 0.12, -0.03),
    "right_collar": (-0.08, 0.12, -0.03),
    "head": (0.0, 0.06, 0.05),
    "left_shoulder": (0.09, 0.03, -0.01),
    "right_shoulder": (-0.09, 0.03, -0.01),
    "left_elbow": (0.26, -0.01, -0.03),
    "right_elbow": (-0.26, -0.01, -0.03),
    "left_wrist": (0.25, 0.01, 0.0),
    "right_wrist": (-0.25, 0.01, 0.0),
}
"""SMPL's body joints and where each is from its parent in an average person [m]: x left, y up.

In whole centimetres, which is all that directions need; SMPL's own files are not free.
"""
_SMPL_NUMBERS = (72, 156)
"""Numbers a pose of the body models SMPL and SMPL-H."""


@functools.cache
def clips_in(folder: Path) -> dict[str, Motion]:
    """Every .bvh and .npz file in a folder and its subfolders, by its path within the folder.

    AMASS' own shape.npz, which hold no motion, are passed over.

    Raises:
        BadInputError: if there are none, or one of them cannot be used.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder of clips.")
    readers = {".bvh": read_bvh, ".npz": read_amass}
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in readers]
    clips = {}
    for path in paths:
        if path.name == "shape.npz":
            continue
        try:
            clips[path.relative_to(folder).as_posix()] = retarget(readers[path.suffix](path))
        except BadInputError as error:
            raise BadInputError(f"{path}: {error}") from error
    if not clips:
        raise BadInputError(f"{folder}: no clips (.bvh, or .npz of AMASS) in this folder.")
    return clips


def read_bvh(path: Path) -> Capture:
    """A BVH file, of whatever skeleton; only its root may have channels of position.

    Raises:
        BadInputError: if it cannot be parsed, or the package that does so is not installed.
    """
    try:
        from pybvh import read_bvh_file
    except ImportError as error:
        raise BadInputError("BVH needs pybvh: pip install 'kinepose[motion]'.") from error
    text = read_whole(path)
    is_whole = text.count(b"{") == text.count(b"}") and re.search(rb"^\s*MOTION\b", text, re.M)
    if not text.lstrip().startswith(b"HIERARCHY") or not is_whole:
        raise BadInputError(
            "it is no BVH file, or a part is missing: no HIERARCHY, no MOTION, or not every brace"
        )
    with decoding("it", "BVH file"), np.errstate(invalid="ignore"):  # of infinite angles
        bvh = read_bvh_file(path, world_up="+y")
        root, rotations = bvh.to_rotmat()
        fps = float(bvh.fps)
    # Some collections, cgspeed's of CMU among them, begin with a frame without rotations.
    first = int(len(root) > 1 and np.allclose(rotations[0, 1:], np.eye(3), atol=1e-3))
    nodes = [node for node in bvh.nodes if not node.is_end_site()]
    return Capture(
        tuple(node.name for node in nodes),
        tuple(-1 if node.parent is None else nodes.index(node.parent) for node in nodes),
        torch.from_numpy(np.stack([node.offset for node in nodes])),
        torch.from_numpy(rotations[first:]),
        torch.from_numpy(root[first:]),
        fps,
    )


def read_amass(path: Path) -> Capture:
    """A sequence of AMASS: the body's joints of SMPL or SMPL-H, with z up.

    The shape is left aside, so that the lengths of steps are right for an average body.

    Raises:
        BadInputError: if it is of another body model, or no sequence of AMASS at all.
    """
    names = npz_names(path, "sequence of AMASS")
    rate = "mocap_frame_rate" if "mocap_frame_rate" in names else "mocap_framerate"
    schema: dict[str, Any] = {
        "poses": Float64[np.ndarray, "frames numbers"],
        "trans": Float64[np.ndarray, "frames 3"],
        rate: Annotated[Float64[np.ndarray, "*one"], Interval(gt=0.0, le=1e6)],
    }
    if "surface_model_type" in names:
        schema["surface_model_type"] = Shaped[np.ndarray, ""]
    held = read_npz(path, schema, "sequence of AMASS")
    poses, trans, fps = (held[name] for name in ("poses", "trans", rate))
    model = str(held.get("surface_model_type", ""))
    numbers = poses.shape[1]
    if model not in ("smpl", "smplh", "") or numbers not in _SMPL_NUMBERS:
        raise BadInputError(
            f"of another body model{f', {model}' if model else ''}: {numbers} numbers a pose, "
            "where SMPL has 72 and SMPL-H 156."
        )
    if fps.size != 1:
        raise BadInputError(f"{rate} holds {fps.size} numbers, not one.")
    joints = len(_SMPL_JOINTS)
    rotvecs = torch.from_numpy(poses[:, : 3 * joints]).unflatten(1, (joints, 3))
    return Capture(
        tuple(_SMPL_JOINTS),
        _SMPL_PARENTS,
        torch.tensor(list(_SMPL_JOINTS.values()), dtype=torch.float64),
        roma.rotvec_to_rotmat(rotvecs),
        torch.from_numpy(trans),
        float(fps.item()),
        up="z",
    )
