"""Labels of clips, for the supervised variants only; nothing else opens them (Sec. 4a)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64

from kinepose.artifacts.pose_files import read_labels
from kinepose.dataset.clip_set import ClipSet
from kinepose.dataset.pairs import load_images
from kinepose.geometry.crops import frame_to_crop
from kinepose.geometry.pinhole import turned_to
from kinepose.geometry.skeleton import PELVIS
from kinepose.io.errors import BadInputError
from kinepose.method.batches import LabelledBatch
from kinepose.method.forward_kinematics import canonical_joints, has_trunk


@dataclass(frozen=True)
class ClipLabels:
    """Labels of some rows of a ClipSet."""

    rows: Int64[np.ndarray, " labelled"]
    joints2d: Float32[np.ndarray, "labelled 17 2"]
    """From -1 to 1 across the crop."""
    joints3d: Float32[np.ndarray, "labelled 17 3"]
    """The body's own joints in the frame C [canonical]."""
    rotation: Float32[np.ndarray, "labelled 3 3"]
    """From C to the axes of a camera that looks at the pelvis, in which `predict` gives poses."""
    has_joints3d: Int64[np.ndarray, " with_3d"]
    """Which of them may be used in 3D, as indices into the arrays above."""


def read_clip_labels(
    folders: Sequence[Path], clips: ClipSet, share: float, seed: int
) -> ClipLabels:
    """Labels VIDEO.npz for the rows of clips, by video, frame and track; a share of them in 3D.

    Raises:
        BadInputError: if a label file cannot be used, or no row of the clips has a label.
    """
    videos = clips.table["video"].to_numpy()
    frames, tracks = clips.table["frame"].to_numpy(), clips.table["track"].to_numpy()
    crops = np.array(clips.table["crop"].to_pylist(), dtype=np.float32)
    rows, joints2d, joints3d, rotations = [], [], [], []
    for video in sorted(set(videos)):
        paths = [folder / f"{Path(video).stem}.npz" for folder in folders]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            continue
        labels = read_labels(path)
        by_key = {key: i for i, key in enumerate(zip(labels.frame, labels.track, strict=True))}
        usable = has_trunk(torch.from_numpy(labels.joints3d))
        in_video = np.flatnonzero(videos == video)
        keys = list(zip(frames[in_video], tracks[in_video], strict=True))
        found = [
            (row, by_key[key])
            for row, key in zip(in_video, keys, strict=True)
            if key in by_key and usable[by_key[key]]
        ]
        if found:
            video_rows, label_rows = (np.array(column) for column in zip(*found, strict=True))
            rows.append(video_rows)
            in_frame = torch.from_numpy(labels.joints2d[label_rows])
            joints2d.append(frame_to_crop(in_frame, torch.from_numpy(crops[video_rows])))
            in_camera = torch.from_numpy(labels.joints3d[label_rows])
            canonical, rotation = canonical_joints(in_camera)
            joints3d.append(canonical)
            rotations.append(turned_to(in_camera[:, PELVIS]) @ rotation)
    if not rows:
        raise BadInputError(f"no frame of the clips has a label in {', '.join(map(str, folders))}")
    count = sum(map(len, rows))
    order = np.random.default_rng(seed).permutation(count)
    return ClipLabels(
        np.concatenate(rows),
        torch.cat(joints2d).numpy(),
        torch.cat(joints3d).numpy(),
        torch.cat(rotations).numpy(),
        np.sort(order[: max(1, round(share * count))]),
    )


def draw_labelled(
    clips: ClipSet,
    labels: ClipLabels,
    use: str,
    count: int,
    size: int,
    generator: torch.Generator,
) -> LabelledBatch:
    """Random labelled images; those for the use 'joints3d' come from the share with 3D."""
    among = labels.has_joints3d if use == "joints3d" else np.arange(len(labels.rows))
    chosen = among[torch.randint(len(among), (count,), generator=generator).numpy()]
    return LabelledBatch(
        load_images(clips, labels.rows[chosen], size),
        torch.from_numpy(labels.joints2d[chosen]),
        torch.from_numpy(labels.joints3d[chosen]),
    )
