"""Builds the files in src/kinepose/synthetic/assets, which are shipped and so seldom rebuilt.

    python -m tools.build_assets body
    python -m tools.build_assets motions FOLDER
    python -m tools.build_assets wardrobe FOLDER

The body and the wardrobe take minutes and write 800 MB into anny's cache; the wardrobe wants the
package `meshoptimizer` besides. FOLDER of the motions holds humanoid3d_*.txt, found in pybullet's
source package (3.2.7) under pybullet_data/data/motions; that of the wardrobe MakeHuman's clothes,
hair and skins. What the files are, and under which licences, stands in the README.md beside them.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from scipy.spatial.transform import Rotation, Slerp

from kinepose.errors import BadInputError
from kinepose.synthetic.body import RIG

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


if __name__ == "__main__":
    if sys.argv[1:] == ["body"]:
        build_body()
    elif len(sys.argv) == 3 and sys.argv[1] == "motions":
        build_motions(Path(sys.argv[2]))
    elif len(sys.argv) == 3 and sys.argv[1] == "wardrobe":
        from tools.build_wardrobe import build_wardrobe

        try:
            build_wardrobe(Path(sys.argv[2]), ASSETS)
        except BadInputError as error:
            sys.exit(f"error: {error}")
    else:
        sys.exit(__doc__)
