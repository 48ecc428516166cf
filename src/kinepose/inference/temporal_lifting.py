"""Poses of a video from what its frames say together.

A joint's place in a frame is where those of the frames about it agree that it is
(geometry/agreement.py). The branches of E_P then lift these places to 3D. Where little agrees,
what they said of the frame alone has a say.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float64

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.geometry.agreement import TOLERANCE, agreeing
from kinepose.geometry.crops import crop_to_frame, frame_to_crop
from kinepose.geometry.pinhole import locate, turn_to_video
from kinepose.inference.bones import between
from kinepose.inference.placement import joints_in_camera
from kinepose.inference.temporal_filter import stretches
from kinepose.method.model import Model

_UNSURE, _SURE = 0.2, 0.6
"""Mean confidence of a pose below which its frame alone decides the 3D, and above which it has no
say."""
_LIFTED = 4096
"""Poses lifted at once."""


def lift_over_time(
    model: Model,
    poses: VideoPoses,
    window: float,
    height: float,
    size: tuple[int, int],
    seen: Bool[np.ndarray, " poses"],
) -> VideoPoses:
    """The poses of a video [width, height in px] whose 2D joints agree over time, lifted anew.

    `window` is the standard deviation, in time, of what counts about a frame [s]; `height` the
    length of the chain of stature [mm]; `seen` are the poses that E_P saw, at least one of each
    stretch, while the others lie between these (sampled_frames.py). The confidence of a joint
    becomes that of the places that agree. Poses of a model without heatmaps stay as they are: it
    lifts images alone.

    Raises:
        BadInputError: if a number of the poses is not finite.
    """
    if model.pose_encoder.lifter is None or not len(poses.frame):
        return poses
    said, sure = poses.joints2d.astype(np.float64), poses.confidence.astype(np.float64)
    joints2d, confidence = np.empty_like(said), np.empty_like(sure)
    length = (poses.box[:, 2:] - poses.box[:, :2]).max(-1).clip(min=1).astype(np.float64)
    for rows in stretches(poses.track, poses.frame):
        counted = rows[_counted(poses.time[rows], seen[rows], window)]
        joints2d[rows], confidence[rows] = agreeing(
            said[counted],
            sure[counted],
            poses.time[counted],
            TOLERANCE * length[rows],
            window,
            poses.time[rows],
        )
    places = torch.from_numpy(joints2d).float()
    crop = np.column_stack([(poses.box[:, :2] + poses.box[:, 2:]) / 2, length])
    crops = torch.from_numpy(crop).float()
    local = frame_to_crop(places, crops)
    certainty = torch.from_numpy(np.sqrt(confidence)).float()  # what agrees is surer than one map
    device = next(model.parameters()).device
    parts = zip(local.split(_LIFTED), certainty.split(_LIFTED), strict=True)
    with torch.inference_mode():
        lifted = [model.lift(some.to(device), certain.to(device)) for some, certain in parts]
        joints3d = torch.cat([joints_in_camera(part, height).cpu() for part in lifted])
        guessed = crop_to_frame(torch.cat([part.joints2d.cpu() for part in lifted]), crops)
    places = torch.where(certainty[..., None] > 0, places, guessed)
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


def _counted(
    times: Float64[np.ndarray, " poses"], seen: Bool[np.ndarray, " poses"], window: float
) -> Bool[np.ndarray, " poses"]:
    """The poses that were seen, and those from which these are too far to tell anything."""
    known = times[seen]
    right = np.searchsorted(known, times).clip(max=len(known) - 1)
    left = (right - 1).clip(min=0)
    away = np.minimum(np.abs(times - known[left]), np.abs(times - known[right]))
    return seen | (away > window)
