"""What L_P's pixels can tell of a pose: D_I paints the true pose and changed ones, of known people.

    python -m tools.depth_and_painting RUN SPLIT IMAGE.png

SPLIT is a part of synthworld whose videos have backgrounds. Prints, for each kind of pose, how far
it is from the truth, in 3D and in the image, and L_P's pixel term if D_I is told it, in terms of
that of the bare background; and how far off E_P's branches are if they are told the true 2D joints.
The image shows three frames at fixed ranks of E_P's error.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from kinepose.artifacts.model_files import load_model
from kinepose.dataset.pairs import load_images, load_masks
from kinepose.evaluation.evaluate import STATURE
from kinepose.evaluation.metrics import joint_errors, p_mpjpe
from kinepose.evaluation.splits import Split, read_split
from kinepose.inference.config import PredictConfig
from kinepose.inference.placement import joints_in_camera
from kinepose.method.camera_projection import fit_camera, project
from kinepose.method.model import Model
from kinepose.training.snapshots import to_bytes
from kinepose.video.cropping import source_rows
from kinepose.visualization import image_grids

_SHOWN = (0.3, 0.6, 0.9)
"""Quantiles of E_P's error among the frames."""
_AT_ONCE = 64
_KINDS = (
    "the truth",
    "true in the image, mirrored in depth",
    "true in the image, as deep as E_P says",
    "as E_P says in the image, truly deep",
    "what E_P says",
    "the truth of another video",
)


@torch.inference_mode()
def main(run: Path, folder: Path, output: Path) -> None:
    """Prints the table and writes the image."""
    model = load_model(run)
    split = read_split(folder, model.config.crop_margin)
    still = np.flatnonzero(split.of_labelled("paired"))
    parts = np.array_split(still, -(-len(still) // _AT_ONCE))
    found = [_painted(model, split, part) for part in parts]
    errors3d, errors2d, pixels, bare = (
        torch.cat([part[number] for part in found], dim=-1) for number in range(4)
    )
    print("| D_I is told | P-MPJPE [mm] | 2D error [% of the crop] | pixels |\n|---|---|---|---|")
    for number, kind in enumerate(_KINDS):
        print(
            f"| {kind} | {errors3d[number].mean():.1f} | {100 * errors2d[number].mean():.1f} | "
            f"{(pixels[number].mean() / bare.mean()):.3f} |"
        )
    if model.pose_encoder.lifter is not None:
        print(f"from the true 2D joints: {_lifted_error(model, split, still):.1f} mm")
    order = errors3d[_KINDS.index("what E_P says")].argsort()
    chosen = still[order[[round(q * (len(order) - 1)) for q in _SHOWN]].numpy()]
    cv2.imwrite(str(output), _drawing(model, split, chosen)[..., ::-1])


def _painted(
    model: Model, split: Split, chosen: Int64[np.ndarray, " frames"]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each kind of pose and each frame: its errors, and what it is worth in pixels."""
    poses3d, poses2d = _poses(model, split, chosen)
    target, background, valid, painted = _paint(model, split, chosen, poses2d)
    known = 3 * valid.sum((1, 2, 3)).clamp(min=1)
    pixels = ((painted - target).abs() * valid).sum((2, 3, 4)) / known
    bare = ((background - target).abs() * valid).sum((1, 2, 3)) / known
    errors3d = torch.stack([p_mpjpe(pose, poses3d[0]) for pose in poses3d])
    errors2d = torch.stack([joint_errors(pose, poses2d[0]).mean(-1) / 2 for pose in poses2d])
    return errors3d, errors2d, pixels, bare


def _poses(
    model: Model, split: Split, chosen: Int64[np.ndarray, " frames"]
) -> tuple[Float[Tensor, "kinds frames 17 3"], Float[Tensor, "kinds frames 17 2"]]:
    """All _KINDS of pose: in the axes of the camera [mm], and across the crop."""
    labels = split.labels
    canonical, rotation, true2d = (
        torch.from_numpy(array[chosen])
        for array in (labels.joints3d, labels.rotation, labels.joints2d)
    )
    true = STATURE * canonical @ rotation.transpose(-1, -2)
    said = model.predict(load_images(split.clips, labels.rows[chosen], model.config.image_size))
    deep = joints_in_camera(said, STATURE)
    mirrored = true * torch.tensor([1.0, 1.0, -1.0])
    camera, _ = fit_camera(canonical, rotation, true2d)
    mirrored2d = project(mirrored @ rotation / STATURE, camera)
    other = np.roll(chosen, len(chosen) // 2)
    other3d, other_rotation = (
        torch.from_numpy(array[other]) for array in (labels.joints3d, labels.rotation)
    )
    poses3d = [
        true,
        mirrored,
        torch.cat([true[..., :2], deep[..., 2:]], dim=-1),
        torch.cat([deep[..., :2], true[..., 2:]], dim=-1),
        deep,
        STATURE * other3d @ other_rotation.transpose(-1, -2),
    ]
    said2d, other2d = said.joints2d, torch.from_numpy(labels.joints2d[other])
    poses2d = [true2d, mirrored2d, true2d, said2d, said2d, other2d]
    return torch.stack(poses3d).double(), torch.stack(poses2d)


def _lifted_error(model: Model, split: Split, chosen: Int64[np.ndarray, " frames"]) -> float:
    """P-MPJPE of what the branches say of the true 2D joints [mm]."""
    true2d = torch.from_numpy(split.labels.joints2d[chosen])
    said = model.lift(true2d, torch.ones(true2d.shape[:2])).joints3d.double()
    true = torch.from_numpy(split.labels.joints3d[chosen]).double()
    return p_mpjpe(STATURE * said, STATURE * true).mean().item()


def _paint(
    model: Model,
    split: Split,
    chosen: Int64[np.ndarray, " frames"],
    poses2d: Float[Tensor, "kinds frames 17 2"],
) -> tuple[Tensor, Tensor, Tensor, Float[Tensor, "kinds frames 3 size size"]]:
    """The frames, their backgrounds and what is known of these, and each kind of pose painted."""
    rows, size = split.labels.rows, model.config.image_size
    videos, tracks = split.of_labelled("video"), split.of_labelled("track")
    people = [f"{video} {track}" for video, track in zip(videos, tracks, strict=True)]
    person, time = np.unique(people, return_inverse=True)[1], split.clips.time[rows]
    lent = source_rows(person, time, PredictConfig.energy_gap)[chosen]
    appearance = model.appearance(load_images(split.clips, rows[lent], size))
    background = load_images(split.clips, rows[chosen], size, "background")
    painted = torch.stack([model.paint(pose, appearance, background) for pose in poses2d])
    target = load_images(split.clips, rows[chosen], size)
    return target, background, load_masks(split.clips, rows[chosen], size), painted


def _drawing(
    model: Model, split: Split, chosen: Int64[np.ndarray, " frames"]
) -> image_grids.ImageArray:
    """A row a frame: the image; the truth and its mirror image in depth, painted and in 3D."""
    poses3d, poses2d = _poses(model, split, chosen)
    target, *_, painted = _paint(model, split, chosen, poses2d)
    shown, extent = (0, 1, 4), 1.05 * float(poses3d[[0, 1, 4]].abs().max())
    rows = []
    for frame in range(len(chosen)):
        cells = [
            image_grids.captioned(image_grids.cell(to_bytes(target[frame : frame + 1])[0]), "I_t")
        ]
        for kind in shown:
            image = to_bytes(painted[kind, frame : frame + 1])[0]
            views = image_grids.two_views(poses3d[kind, frame].numpy(), extent)
            parts = image_grids.beside([image_grids.cell(image), *views])
            cells.append(
                image_grids.captioned(parts, f"{_KINDS[kind]}: painted, as recorded, from the side")
            )
        rows.append(image_grids.beside(cells))
    return image_grids.page(rows)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
