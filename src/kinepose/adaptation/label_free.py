"""How good the poses of videos are, without a label: numbers that collapse cannot please.

Three criteria, each a function of plain arrays. Rows are poses of one or several people in any
order; rows with the same number in `person` show one person in one video, and `time` tells them
apart. What contracts towards one pose gains nothing by it: each criterion divides by how much
poses differ over time, or counts only what the pose of another moment misses. A constant pose has
the worst value there is, and a criterion that the rows say nothing about is nan.

Part lengths and symmetry in 3D are fixed by T_fk and say nothing. Smoothing pleases `steadiness` by
itself: compare models by what they say of single images.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64
from torch import Tensor
from torch.nn import functional

from kinepose.geometry.procrustes import aligned
from kinepose.method.forward_kinematics import local_kinematics
from kinepose.video.background import LEAST_DIFFERENCE

GAP = 0.5
"""Between moments that are compared [s]."""
CONSTANT = 5.0
"""Poses that differ less than this over time count as one pose [mm at a stature of some 1,700]."""
_GAP_TOLERANCE = 0.25
"""Moments are this share of the gap nearer or farther at most."""
_OTHERS = 16
"""Other moments with which a pose's own is compared."""
_UNEVEN = 1.5
"""Neighbours in time are no farther apart than this many usual steps."""


@dataclass(frozen=True)
class Agreement:
    """Of two views of one moment."""

    views: float
    """P-MPJPE between the views of a moment [mm]."""
    moments: float
    """P-MPJPE between moments GAP apart in one view [mm]."""
    ratio: float
    """views / moments: lower is better, inf for a constant pose."""


@dataclass(frozen=True)
class Steadiness:
    """Jitter beside the spread of poses over time."""

    jitter: float
    """Root mean square in 3D of the white noise that would bend the paths of joints as much from
    frame to frame [mm]; it depends on the frame rate, so compare runs on the same video."""
    spread: float
    """Root mean square distance of joints from a person's mean pose, once it is aligned [mm]."""
    ratio: float
    """jitter / spread: lower is better; about 1 for noise, inf for a constant pose."""


@dataclass(frozen=True)
class Hits:
    """2D joints on the person."""

    share: float
    """Of the joints that lie on the person, where it is known what is person."""
    others: float
    """The same of poses of other moments, in the place of the right ones."""
    fit: float
    """Share of what poses of other moments miss that the right ones hit, from 0 to 1: higher is
    better, 0 for a constant pose wherever it lies."""


def view_agreement(
    first: Float[np.ndarray, "rows 17 3"],
    second: Float[np.ndarray, "rows 17 3"],
    person: Int[np.ndarray, " rows"],
    time: Float[np.ndarray, " rows"],
) -> Agreement:
    """Agreement of two views: row by row the same person at the same moment [mm, s].

    The second view may be of another camera; or the same image mirrored, its pose mirrored back.
    """
    views = _p_mpjpe(first, second)
    earlier, later = moment_pairs(person, time)
    moments = np.concatenate([_p_mpjpe(view[earlier], view[later]) for view in (first, second)])
    between_views, between_moments = _mean(views), _mean(moments)
    return Agreement(between_views, between_moments, _over_change(between_views, between_moments))


def steadiness(
    joints3d: Float[np.ndarray, "rows 17 3"],
    person: Int[np.ndarray, " rows"],
    time: Float[np.ndarray, " rows"],
) -> Steadiness:
    """Jitter of joints [mm] about the pelvis beside the spread of poses, by times [s].

    Jitter is measured in the frame of the joints, so that a restless camera counts; spread is not,
    so that one pose turned about does not.
    """
    bends, distances = [np.zeros(0)], [np.zeros(0)]
    for rows in _people(person, time):
        poses = joints3d[rows].astype(np.float64)
        steps = np.diff(time[rows])
        even = steps <= _UNEVEN * np.median(steps) if len(steps) else np.zeros(0, bool)
        bend = np.diff(poses, n=2, axis=0)[even[1:] & even[:-1]]
        bends.append((np.square(bend).sum(-1) / 6).ravel())
        distances.append(_squared_distances_from_mean(poses).ravel())
    jitter, spread = (_mean(np.concatenate(squares)) ** 0.5 for squares in (bends, distances))
    return Steadiness(jitter, spread, _over_change(jitter, spread))


def hits(
    joints2d: Float[np.ndarray, "rows 17 2"],
    on_person: Bool[np.ndarray, "rows size size"],
    known: Bool[np.ndarray, "rows size size"],
    person: Int[np.ndarray, " rows"],
    time: Float[np.ndarray, " rows"],
) -> Hits:
    """Whether joints, from -1 to 1 across a crop, lie on the person in the crop.

    Pixels that are not known count for nothing, joints outside the crop as missed. Poses are
    compared with poses of the same person at other times, at least GAP [s] away.
    """
    own, others, measured = np.zeros(2), np.zeros(2), 0
    for rows in _people(person, time):
        for row in rows:
            apart = rows[np.abs(time[rows] - time[row]) >= GAP - 1e-6]
            if not len(apart):
                continue
            few = np.linspace(0, len(apart) - 1, min(_OTHERS, len(apart))).round().astype(int)
            maps = on_person[row], known[row]
            own += _count_hits(joints2d[row], *maps)
            others += _count_hits(joints2d[apart[few]], *maps) / len(few)
            measured += 1
    if not measured:
        return Hits(np.nan, np.nan, np.nan)
    share, by_chance = (float(hit / max(counted, 1e-9)) for hit, counted in (own, others))
    fit = (share - by_chance) / (1 - by_chance) if share > by_chance else 0.0
    return Hits(share, by_chance, fit)


def moment_pairs(
    person: Int[np.ndarray, " rows"], time: Float[np.ndarray, " rows"]
) -> tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
    """Rows of one person, and those GAP [s] later, as nearly as there are."""
    pairs = [np.zeros((2, 0), np.int64)]
    for rows in _people(person, time):
        clock = time[rows]
        after = np.searchsorted(clock, clock + GAP).clip(1, max(1, len(rows) - 1))
        if len(rows) < 2:
            continue
        before = after - 1
        nearer = np.abs(clock[before] - clock - GAP) < np.abs(clock[after] - clock - GAP)
        later = np.where(nearer, before, after)
        found = np.abs(clock[later] - clock - GAP) <= _GAP_TOLERANCE * GAP
        pairs.append(np.stack([rows[found], rows[later[found]]]))
    earlier, later = np.concatenate(pairs, axis=1)
    return earlier, later


def silhouettes(
    images: Float32[Tensor, "rows 3 size size"], backgrounds: Float32[Tensor, "rows 3 size size"]
) -> Bool[np.ndarray, "rows size size"]:
    """Where images differ from their backgrounds, holes of a pixel closed."""
    changed = (images - backgrounds).abs().amax(1, keepdim=True) > LEAST_DIFFERENCE / 255
    wider = functional.max_pool2d(changed.float(), 3, stride=1, padding=1)
    closed = -functional.max_pool2d(-wider, 3, stride=1, padding=1)
    return closed[:, 0].numpy() > 0


def _people(
    person: Int[np.ndarray, " rows"], time: Float[np.ndarray, " rows"]
) -> list[Int64[np.ndarray, " _"]]:
    """The rows of each person in the order of time."""
    every = [np.flatnonzero(person == number) for number in np.unique(person)]
    return [rows[np.argsort(time[rows], kind="stable")] for rows in every]


def _p_mpjpe(
    poses: Float[np.ndarray, "rows 17 3"], others: Float[np.ndarray, "rows 17 3"]
) -> Float64[np.ndarray, " rows"]:
    if not len(poses):
        return np.zeros(0)
    moved, target = (torch.from_numpy(x.astype(np.float64)) for x in (poses, others))
    return (aligned(moved, target) - target).norm(dim=-1).mean(-1).numpy()


def _squared_distances_from_mean(
    poses: Float64[np.ndarray, "rows 17 3"],
) -> Float64[np.ndarray, "rows 17"]:
    """Of the joints from those of the mean pose, taken in the canonical frame, once aligned."""
    joints = torch.from_numpy(poses)
    _, rotation = local_kinematics(joints)
    mean = ((joints - joints[:, :1]) @ rotation).mean(0)
    return (aligned(mean.expand_as(joints), joints) - joints).square().sum(-1).numpy()


def _count_hits(
    joints2d: Float[np.ndarray, "*poses 17 2"],
    on_person: Bool[np.ndarray, "size size"],
    known: Bool[np.ndarray, "size size"],
) -> Float64[np.ndarray, " 2"]:
    """How many joints lie on the person, and of how many that is known."""
    size = len(known)
    pixel = np.floor((joints2d.reshape(-1, 2) + 1) * size / 2)
    inside = ((pixel >= 0) & (pixel < size)).all(-1)
    x, y = pixel[inside].astype(int).T
    counted = known[y, x]
    return np.array([on_person[y, x][counted].sum(), counted.sum() + (~inside).sum()], float)


def _over_change(value: float, change: float) -> float:
    """A value in units of how much poses change; inf where they hardly do."""
    return float("inf") if change < CONSTANT else value / change


def _mean(values: Float[np.ndarray, " values"]) -> float:
    return float(values.mean()) if len(values) else float("nan")
