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
from jaxtyping import Bool, Float, Int64

from kinepose.geometry.cheapest_path import cheapest_path
from kinepose.inference.any_way_up import pick_ways
from kinepose.method.model import Model, Poses
from kinepose.video.cropping import Rows

LENGTHS = (1.0, 1.3, 1.6, 2.0, 2.5, 3.2)
"""Of a person, in heights of her box, that are tried."""
_EVERY = 0.5
"""Of a video's rows of a person one in so much time is looked at [s]."""
_NEAR = 0.35
"""A box that ends this near the lower border may be too short: detectors as well expect legs at
the lower end of it [heights of the box]."""
_WIDEST = 1.5
"""A box wider than this is of somebody who lies [heights of the box]."""
CERTAIN = 0.6
"""Mean certainty of joints that shows a crop to be right."""
_ADVANCE = 0.05
"""What the crop as it is has in advance of the others."""
_CHANGE = 0.1
"""Certainty that a person's next length but one must win from look to look [one of LENGTHS]."""
_BORDER = 0.02
"""A joint less far beyond the frame may still be in it [half sides of the crop]."""

Look = Callable[[Rows, bool], Float[np.ndarray, " rows"]]
"""How certain the heatmaps are of each row, on average over the joints; and whether these crops are
tried in place of those that are known."""


def reach_below(rows: Rows, look: Look, are_images: bool) -> Rows:
    """The rows, with crops that reach farther below the image where people are seen better so.

    Of a person in a video longer crops are tried if one look at her is unsure; how long she is
    changes little from look to look. Everybody in images is decided on alone.
    """
    person = np.arange(len(rows.frame)) if are_images else rows.track
    near = _are_near_border(rows)
    looked_at = _looks(rows, person, near)
    if not len(looked_at):
        return rows
    certainty = look(rows.some(looked_at), False)
    unsure = np.isin(person[looked_at], person[looked_at][certainty < CERTAIN])
    if not unsure.any():
        return rows
    looked_at, certainty = looked_at[unsure], certainty[unsure]
    crops = _crops_by_length(rows)
    tried = rows.some(np.repeat(looked_at, len(LENGTHS) - 1))
    tried = replace(tried, crop=crops[looked_at, 1:].reshape(-1, 3))
    of_longer = look(tried, True).reshape(len(looked_at), -1)
    by_length = np.column_stack([certainty + _ADVANCE, of_longer])
    number = np.arange(len(LENGTHS))
    change = _CHANGE * np.abs(number - number[:, None])
    crop = rows.crop.copy()
    for one in np.unique(person[looked_at]):
        looks = np.flatnonzero(person[looked_at] == one)
        length = cheapest_path(-by_length[looks], np.tile(change, (len(looks) - 1, 1, 1)))
        hers = np.flatnonzero(near & (person == one))
        last_look = np.searchsorted(looked_at[looks], hers, side="right") - 1
        crop[hers] = crops[hers, length[last_look]]
    return replace(rows, crop=crop)


def guess_beyond(model: Model, poses: Poses, rows: Rows) -> Poses:
    """The poses of these rows, lifted without the joints that heatmaps see beyond the image."""
    if (seen := poses.keypoints) is None:
        return poses
    half = torch.from_numpy(rows.crop[:, None, 2:]) / 2
    places = torch.from_numpy(rows.crop[:, None, :2]) + half * seen.joints2d.cpu()
    middle = torch.from_numpy(rows.frame_size[:, None]) / 2
    beyond = ((places - middle).abs() > middle + _BORDER * half).any(-1)
    if not beyond.any():
        return poses
    beyond = beyond.to(seen.joints2d.device)
    guessed = model.lift(seen.joints2d, seen.certainty * ~beyond)
    return pick_ways([poses, guessed], beyond.any(-1).long())


def _are_near_border(rows: Rows) -> Bool[np.ndarray, " rows"]:
    """Who does not lie, and whose box ends near the lower border."""
    width, height = (rows.box[:, 2:] - rows.box[:, :2]).T
    ends_near = rows.box[:, 3] > rows.frame_size[:, 1] - _NEAR * height
    return ends_near & (width < _WIDEST * height)


def _looks(
    rows: Rows, person: Int64[np.ndarray, " rows"], near: Bool[np.ndarray, " rows"]
) -> Int64[np.ndarray, " looks"]:
    """The first row of each person near the border in every _EVERY, in order."""
    hers = np.flatnonzero(near)
    moment = np.floor(rows.time[hers] / _EVERY).astype(np.int64)
    first = np.unique(np.stack([person[hers], moment]), axis=1, return_index=True)[1]
    return np.sort(hers[first])


def _crops_by_length(rows: Rows) -> Float[np.ndarray, "rows lengths 3"]:
    """The crops of boxes as long as all LENGTHS, which go on below."""
    width, height = (rows.box[:, 2:] - rows.box[:, :2]).T[..., None]
    crops = np.repeat(rows.crop[:, None], len(LENGTHS), axis=1)
    crops[..., 1] += (np.array(LENGTHS) - 1) * height / 2
    crops[..., 2] *= np.maximum(width, height * LENGTHS) / np.maximum(width, height)
    return crops
