"""Poses of a video from what its frames say together.

A heatmap that errs does so for some frames, and is mostly less certain then. So a joint's place in
a frame is read from a parabola through its places in the frames about it, by their certainties, and
those far off it hardly count: a robust local regression (Cleveland 1979, with Cauchy's weights).
The branches of E_P then lift these places to 3D. What they see of single images, which misleads
them where places are right (docs/results.md), has a say where little is certain.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.geometry.crops import frame_to_crop
from kinepose.geometry.pinhole import locate, turn_to_video
from kinepose.inference.bones import between
from kinepose.inference.placement import joints_in_camera
from kinepose.inference.temporal_filter import stretches
from kinepose.method.model import Model

_TOLERANCE = 0.04
"""A place this far off the parabola counts half [longer sides of the person's box]."""
_LEAST_CERTAINTY = 0.02
"""Added to all, so that something is said where nothing is seen."""
_ROUNDS = 6
"""Of fitting a parabola and weighing the places by it."""
_STIFFNESS = (0.0, 0.02, 0.02)
"""How much slope and bend are drawn to 0: as by this share of the weights, a `window` away."""
_REACH = 3.0
"""Frames farther off count nothing [windows]."""
_UNSURE, _SURE = 0.2, 0.6
"""Mean confidence of a pose below which its image alone decides the 3D, and above which it has no
say."""
_MOST_NEAR = 64
"""Frames about one that count at most; of more, some are passed over."""
_CHUNK = 2**15
"""Frames about frames that are held at once."""
_LIFTED = 4096
"""Poses lifted at once."""


def lift_over_time(
    model: Model, poses: VideoPoses, window: float, height: float, size: tuple[int, int]
) -> VideoPoses:
    """The poses of a video [width, height in px] whose 2D joints agree over time, lifted anew.

    `window` is the standard deviation, in time, of what counts about a frame [s]; `height` the
    length of the chain of stature [mm]. The confidence of a joint becomes that of the places that
    agree. Poses of a model without heatmaps stay as they are: it lifts images alone.

    Raises:
        BadInputError: if a number of the poses is not finite.
    """
    if model.pose_encoder.lifter is None or not len(poses.frame):
        return poses
    joints2d = poses.joints2d.astype(np.float64)
    confidence = poses.confidence.astype(np.float64)
    length = (poses.box[:, 2:] - poses.box[:, :2]).max(-1).clip(min=1).astype(np.float64)
    for rows in stretches(poses.track, poses.frame):
        joints2d[rows], confidence[rows] = agreeing(
            joints2d[rows], confidence[rows], poses.time[rows], _TOLERANCE * length[rows], window
        )
    places = torch.from_numpy(joints2d).float()
    crop = np.column_stack([(poses.box[:, :2] + poses.box[:, 2:]) / 2, length])
    local = frame_to_crop(places, torch.from_numpy(crop).float())
    certainty = torch.from_numpy(np.sqrt(confidence)).float()  # what agrees is surer than one map
    device = next(model.parameters()).device
    with torch.inference_mode():
        joints3d = torch.cat(
            [
                joints_in_camera(model.lift(some.to(device), sure.to(device)), height).cpu()
                for some, sure in zip(local.split(_LIFTED), certainty.split(_LIFTED), strict=True)
            ]
        )
    focal, middle = torch.from_numpy(poses.focal), torch.tensor(size).expand(len(places), 2) / 2
    in_image = places.double(), focal.double(), middle.double()
    turned = turn_to_video(joints3d.double(), *in_image).numpy()
    share = ((confidence.mean(1) - _UNSURE) / (_SURE - _UNSURE)).clip(0, 1)
    joints3d = between(poses.joints3d.astype(np.float64), turned, share)
    return replace(
        poses,
        joints2d=places.numpy(),
        joints3d=joints3d.astype(np.float32),
        root=locate(torch.from_numpy(joints3d), *in_image).float().numpy(),
        confidence=confidence.astype(np.float32),
    )


def agreeing(
    places: Float64[np.ndarray, "frames joints 2"],
    certainty: Float64[np.ndarray, "frames joints"],
    times: Float64[np.ndarray, " frames"],
    tolerance: Float64[np.ndarray, " frames"],
    window: float,
) -> tuple[Float64[np.ndarray, "frames joints 2"], Float64[np.ndarray, "frames joints"]]:
    """Places on robust parabolas through those of the frames about each, and how certain these are.

    `certainty` is from 0 to 1, and its square weighs a place; `tolerance` is in the unit of places.
    """
    first = np.searchsorted(times, times - _REACH * window)
    end = np.searchsorted(times, times + _REACH * window, side="right")
    most = int((end - first).max(initial=1))
    every = -(-most // _MOST_NEAR)
    steps = every * np.arange(-(-most // every))
    chunk = max(1, _CHUNK // len(steps))
    parts = []
    for rows in np.split(np.arange(len(times)), range(chunk, len(times), chunk)):
        # Of very many frames every second or third counts, the frame itself among them.
        near = (first[rows] + (rows - first[rows]) % every)[:, None] + steps
        inside = near < end[rows, None]
        near = np.where(inside, near, 0)
        parts.append(_fit(places, certainty, times, tolerance[rows], window, rows, near, inside))
    fitted, sure = zip(*parts, strict=True)
    return np.concatenate(fitted), np.concatenate(sure)


def _fit(
    places: Float64[np.ndarray, "frames joints 2"],
    certainty: Float64[np.ndarray, "frames joints"],
    times: Float64[np.ndarray, " frames"],
    tolerance: Float64[np.ndarray, " rows"],
    window: float,
    rows: Int64[np.ndarray, " rows"],
    near: Int64[np.ndarray, "rows near"],
    inside: Bool[np.ndarray, "rows near"],
) -> tuple[Float64[np.ndarray, "rows joints 2"], Float64[np.ndarray, "rows joints"]]:
    """Weighted least squares, again and again with the weights that the last parabola gives."""
    after = (times[near] - times[rows, None]) / window
    powers = np.stack([np.ones_like(after), after, after**2], axis=1)
    squares = (powers[:, :, None] * powers[:, None]).reshape(len(rows), 9, -1)
    seen, sure = places[near], certainty[near]
    prior = (inside * np.exp(-0.5 * after**2))[..., None] * (sure + _LEAST_CERTAINTY) ** 2
    weight = prior
    for _ in range(_ROUNDS):
        share = weight / weight.sum(1, keepdims=True)
        moments = (squares @ share).transpose(0, 2, 1).reshape(*share.shape[::2], 3, 3)
        towards = powers @ (share[..., None] * seen).reshape(*near.shape, -1)
        towards = towards.reshape(len(rows), 3, -1, 2).transpose(0, 2, 1, 3)
        parabola = np.linalg.solve(moments + np.diag(_STIFFNESS), towards)
        flat = parabola.transpose(0, 2, 1, 3).reshape(len(rows), 3, -1)
        off = seen - (powers.transpose(0, 2, 1) @ flat).reshape(seen.shape)
        off = np.hypot(off[..., 0], off[..., 1])
        weight = prior / (1 + (off / tolerance[:, None, None]) ** 2)
    return parabola[:, :, 0], (weight * sure).sum(1) / weight.sum(1)
