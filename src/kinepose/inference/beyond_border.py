"""People whom the border of the image cuts: seen as large as whole ones are, and guessed beyond it.

The box of somebody cut at the waist is half as long as she is, and a crop of it shows her twice as
large as the people from whom E_P learnt. So crops of longer boxes, which go on below the image, are
looked at as well, and the ones kept of which the heatmaps are most certain. What they say of joints
beyond the image counts for nothing: the branches guess these from the others.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int64

from kinepose.inference.any_way_up import chosen
from kinepose.method.model import Model, Poses
from kinepose.video.cropping import Rows

LENGTHS = (1.3, 1.6, 2.0, 2.5, 3.2)
"""Of a person, in heights of her box, that are tried."""
_NEAR = 0.35
"""A box that ends this near the lower border may be too short: detectors as well expect legs at
the lower end of it [heights of the box]."""
_CERTAIN = 0.6
"""Mean certainty of joints that shows a crop to be right."""
_ADVANCE = 0.05
"""What the crop as it is has in advance of the others."""
_BORDER = 0.02
"""A joint less far beyond the frame may still be in it [half sides of the crop]."""

Look = Callable[[Rows], Float[np.ndarray, " rows"]]
"""How certain the heatmaps are of each row, on average over the joints."""


def reach_below(rows: Rows, look: Look, are_images: bool) -> Rows:
    """The rows, with crops that reach farther below the image where people are seen better so.

    What is best for one row of a person in a second of a video goes for all of them; images are
    looked at one by one.
    """
    parts = _decided_together(rows, are_images)
    if not parts:
        return rows
    certainty = look(rows.some(_middles(parts)))
    unsure = np.flatnonzero(certainty < _CERTAIN)
    if not len(unsure):
        return rows
    parts, certainty = [parts[number] for number in unsure], certainty[unsure]
    crops = _longer_crops(rows)
    tried = rows.some(np.repeat(_middles(parts), len(LENGTHS)))
    tried = replace(tried, crop=crops[_middles(parts)].reshape(-1, 3))
    of_longer = look(tried).reshape(-1, len(LENGTHS))
    crop = rows.crop.copy()
    for part, before, after in zip(parts, certainty, of_longer, strict=True):
        if after.max() > before + _ADVANCE:
            crop[part] = crops[part, after.argmax()]
    return replace(rows, crop=crop)


def guess_beyond(model: Model, poses: Poses, rows: Rows) -> Poses:
    """The poses of these rows, lifted without the joints that heatmaps see beyond the image."""
    if (seen := poses.keypoints) is None:
        return poses
    half = torch.from_numpy(rows.crop[:, None, 2:]) / 2
    places = torch.from_numpy(rows.crop[:, None, :2]) + half * seen.joints2d.cpu()
    middle = torch.from_numpy(rows.frame_size[:, None]) / 2
    beyond = ((places - middle).abs() > middle + _BORDER * half).any(-1).to(seen.joints2d.device)
    if not beyond.any():
        return poses
    guessed = model.lift(seen.joints2d, seen.certainty * ~beyond)
    return chosen([poses, guessed], beyond.any(-1).long())


def _decided_together(rows: Rows, are_images: bool) -> list[Int64[np.ndarray, " _"]]:
    """The rows near the border, those of one person in one second together, in order."""
    height = rows.box[:, 3] - rows.box[:, 1]
    near = np.flatnonzero(rows.box[:, 3] > rows.frame_size[:, 1] - _NEAR * height)
    moment = rows.frame[near] if are_images else np.floor(rows.time[near]).astype(np.int64)
    order = np.lexsort([moment, rows.track[near]])
    key = np.stack([rows.track[near], moment])[:, order]
    ends = np.flatnonzero(np.diff(key).any(0)) + 1
    parts = np.split(near[order], ends) if len(near) else []
    return sorted(parts, key=lambda part: int(part[len(part) // 2]))


def _middles(parts: list[Int64[np.ndarray, " _"]]) -> Int64[np.ndarray, " parts"]:
    return np.array([part[len(part) // 2] for part in parts])


def _longer_crops(rows: Rows) -> Float[np.ndarray, "rows lengths 3"]:
    """The crops of boxes that go on below, about their middle, as much wider as they are longer."""
    width, height = (rows.box[:, 2:] - rows.box[:, :2]).T
    crops = np.repeat(rows.crop[:, None], len(LENGTHS), axis=1)
    for number, length in enumerate(LENGTHS):
        crops[:, number, 1] += (length - 1) * height / 2
        crops[:, number, 2] *= np.maximum(width, length * height) / np.maximum(width, height)
    return crops
