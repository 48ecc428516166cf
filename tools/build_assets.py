"""Builds files in src/kinepose/synthetic/assets, which are shipped and so seldom rebuilt.

    python -m tools.build_assets body
    python -m tools.build_assets motions FOLDER
    python -m tools.build_assets cmu FOLDER
    python -m tools.build_assets wardrobe FOLDER

The body and the wardrobe take minutes and write 800 MB into anny's cache; the wardrobe wants the
package `meshoptimizer` besides. The FOLDER of motions holds humanoid3d_*.txt, found in pybullet's
source package (3.2.7) under pybullet_data/data/motions; that of cmu the BVH files cmu_*.bvh; that
of the wardrobe MakeHuman's clothes, hair and skins. What the files are, and under which licences,
stands in the README.md beside them.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import roma
import torch
from safetensors.numpy import save_file
from scipy.spatial.transform import Rotation, Slerp

from kinepose.io.errors import BadInputError
from kinepose.synthetic.body import RIG
from kinepose.synthetic.joint_limits import LIMITS, to_swing_twist
from kinepose.synthetic.mocap_files import read_bvh
from kinepose.synthetic.motion import CLIP_FPS, Motion, part_of
from kinepose.synthetic.retargeting import retarget

ASSETS = Path(__file__).parents[1] / "src/kinepose/synthetic/assets"
FPS = 30.0
RIG_FROM_CLIP = Rotation.from_matrix([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""Clips: x forward, y up, z right. The rig: x left, y backward, z up."""
COLUMNS = {
    "root": (4, 8),
    "chest": (8, 12),
    "neck": (12, 16),
    "right_hip": (16, 20),
    "right_knee": (20, 21),
    "right_ankle": (21, 25),
    "right_shoulder": (25, 29),
    "right_elbow": (29, 30),
    "left_hip": (30, 34),
    "left_knee": (34, 35),
    "left_ankle": (35, 39),
    "left_shoulder": (39, 43),
    "left_elbow": (43, 44),
}
"""Columns of a clip: quaternions (w, x, y, z), for knees and elbows an angle about z."""

CMU_COPIES = ("cmu_content_dance", "cmu_content_jump")
"""The same recordings as cmu_05_02 and cmu_content_hop."""


def build_body() -> None:
    """The body model anny, reduced and compacted to rank 32, in float32."""
    from anny.models import build_compact_model_data
    from anny.models.model_data import RigConfig, TopologyConfig

    data = build_compact_model_data(
        rig=RigConfig.from_string("anny-notoes-nohands-noeyes"),
        topology=TopologyConfig.from_string("notoes_collapse10pc"),
        local_changes="none",
        facial_actions="none",
        phenotypes="default",
        rank=32,
    )
    tensors = {name: value for name, value in vars(data).items() if torch.is_tensor(value)}
    floats = {name: value.float() for name, value in tensors.items() if value.is_floating_point()}
    replace(data, **floats).save_safetensors(ASSETS / "body.safetensors")


def build_motions(folder: Path) -> None:
    """Every clip as parent-relative rotations of the rig and a path of its root."""
    arrays = {}
    for path in sorted(folder.glob("humanoid3d_*.txt")):
        name = path.stem.removeprefix("humanoid3d_")
        rotations, root = _read_clip(np.array(json.loads(path.read_text())["Frames"]))
        arrays[f"{name}.rotations"] = rotations.astype(np.float32)
        arrays[f"{name}.root"] = root.astype(np.float32)
    save_file(arrays, ASSETS / "motions.safetensors", metadata={"fps": str(FPS)})


def _read_clip(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quaternions (x, y, z, w) [frames, bones, 4] and the root's path [m], at FPS."""
    times = np.concatenate([[0.0], np.cumsum(frames[:-1, 0])])
    kept, indices = np.unique(times, return_index=True)
    frames = frames[indices]
    new_times = np.arange(0.0, kept[-1], 1 / FPS)
    root = RIG_FROM_CLIP.apply(frames[:, 1:4])
    rotations = []
    for bone in RIG:
        first, last = COLUMNS[bone]
        values = frames[:, first:last]
        if last - first == 1:
            clip_rotation = Rotation.from_rotvec(values * np.array([[0.0, 0.0, 1.0]]))
        else:
            clip_rotation = Rotation.from_quat(values, scalar_first=True)
        rotation = RIG_FROM_CLIP * clip_rotation * RIG_FROM_CLIP.inv()
        quaternions = Slerp(kept, rotation)(new_times).as_quat()
        signs = np.sign((quaternions[1:] * quaternions[:-1]).sum(-1))
        quaternions[1:] *= np.cumprod(np.where(signs == 0, 1, signs))[:, None]
        rotations.append(quaternions)
    path = np.stack([np.interp(new_times, kept, root[:, axis]) for axis in range(3)], axis=-1)
    return np.stack(rotations, axis=1), path


def build_cmu(folder: Path) -> None:
    """Clips of CMU by the package's own retargeting: rotations in half precision, root, flight."""
    arrays = {}
    for path in sorted(folder.glob("cmu_*.bvh")):
        if path.stem in CMU_COPIES:
            continue
        motion = _cleaned(retarget(read_bvh(path)))
        arrays[f"{path.stem}.rotations"] = motion.rotations.half().numpy()
        arrays[f"{path.stem}.root"] = motion.root.numpy()
        arrays[f"{path.stem}.flight"] = motion.flight.byte().numpy()
    save_file(arrays, ASSETS / "cmu.safetensors", metadata={"fps": str(CLIP_FPS)})


def _cleaned(motion: Motion) -> Motion:
    """Without the T-pose that some clips begin with, and without limbs that the capture lost.

    Those are frames in which a hip or shoulder is twisted by far more than it can be. Where it is
    a hip, the knee bends backward: the leg goes straight from the frames before to those after. A
    shoulder's twist is only drawn from them, and the elbow's undoes it: no joint moves.
    """
    shoulders = [RIG.index("left_shoulder"), RIG.index("right_shoulder")]
    jumps = (_angles(motion.rotations[:15, shoulders]) > 1.2).all(1).nonzero()
    if len(jumps):
        motion = part_of(motion, int(jumps[-1]) + 1, None)
    rotations = motion.rotations.clone()
    for side in ("left", "right"):
        leg = [RIG.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")]
        good = np.flatnonzero(~_overtwisted(rotations[:, leg[0]], leg[0]))
        times = np.arange(len(rotations)).clip(good[0], good[-1])
        for bone in leg:
            turns = Slerp(good, Rotation.from_quat(rotations[good, bone].numpy()))
            rotations[:, bone] = torch.from_numpy(turns(times).as_quat()).float()
        shoulder, elbow = (RIG.index(f"{side}_{joint}") for joint in ("shoulder", "elbow"))
        good = ~_overtwisted(rotations[:, shoulder], shoulder)
        twist = to_swing_twist(rotations[:, shoulder])[:, 2].numpy()
        drawn = np.interp(np.arange(len(twist)), np.flatnonzero(good), twist[good])
        change = np.where(good, 0.0, drawn - twist)[:, None] * np.array([0.0, 0.0, 1.0])
        about_bone = torch.from_numpy(Rotation.from_rotvec(change).as_quat()).float()
        rotations[:, shoulder] = roma.quat_product(rotations[:, shoulder], about_bone)
        undone = roma.quat_conjugation(about_bone)
        rotations[:, elbow] = roma.quat_product(undone, rotations[:, elbow])
    return replace(motion, rotations=rotations)


def _overtwisted(rotations: torch.Tensor, bone: int) -> np.ndarray:
    """Frames in which a bone is twisted over 30 degrees beyond its limits.

    Limbs that are nearly opposite to where they hang count as good: there a twist says nothing.
    """
    angles, (least, largest) = to_swing_twist(rotations), LIMITS[bone, 2]
    beyond = (angles[:, 2] < least - 0.52) | (angles[:, 2] > largest + 0.52)
    return (beyond & (angles[:, :2].norm(dim=-1) < 2.27)).numpy()


def _angles(rotations: torch.Tensor) -> torch.Tensor:
    """By how much bones turn from frame to frame [rad]."""
    return 2 * (rotations[1:] * rotations[:-1]).sum(-1).abs().clamp(max=1).acos()


if __name__ == "__main__":
    if sys.argv[1:] == ["body"]:
        build_body()
    elif len(sys.argv) == 3 and sys.argv[1] == "motions":
        build_motions(Path(sys.argv[2]))
    elif len(sys.argv) == 3 and sys.argv[1] == "cmu":
        build_cmu(Path(sys.argv[2]))
    elif len(sys.argv) == 3 and sys.argv[1] == "wardrobe":
        from tools.build_wardrobe import build_wardrobe

        try:
            build_wardrobe(Path(sys.argv[2]), ASSETS)
        except BadInputError as error:
            sys.exit(f"error: {error}")
    else:
        sys.exit(__doc__)
