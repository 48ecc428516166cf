"""How far a pose is from the truth, one number a pose, in the unit of the input.

Each metric in 3D takes (predicted, truth) with the root at the origin: centring them on the pelvis,
or on the point that a benchmark asks for, is the caller's. Those with a threshold take mm.
Alignments are functions of their own, so that errors can be read joint by joint.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Shaped
from scipy.stats import spearmanr
from torch import Tensor

from kinepose.geometry.procrustes import aligned
from kinepose.geometry.skeleton import COMMON_JOINTS, JOINT_NAMES

PCK_THRESHOLD = 150.0
"""[mm], about half a head (Mehta et al. 2017)."""
AUC_THRESHOLDS = tuple(range(0, 151, 5))
"""[mm]. No joint is strictly nearer than 0, but the first of the 31 counts."""
_RIGHT_HIP, _NECK, _HEAD_TOP, _LEFT_SHOULDER = (
    JOINT_NAMES.index(name) for name in ("right_hip", "neck", "head_top", "left_shoulder")
)


def mpjpe(
    predicted: Float[Tensor, "*batch joints 3"], truth: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """Mean distance of the joints."""
    return joint_errors(predicted, truth).mean(-1)


def n_mpjpe(
    predicted: Float[Tensor, "*batch joints 3"], truth: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """Mean distance of the joints once each pose has its best scale (Rhodin et al. 2018)."""
    return mpjpe(scaled(predicted, truth), truth)


def p_mpjpe(
    predicted: Float[Tensor, "*batch joints 3"], truth: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """Mean distance of the joints once each pose is aligned: Martinez' protocol 2, PA-MPJPE."""
    return mpjpe(aligned(predicted, truth), truth)


def pck(
    predicted: Float[Tensor, "*batch 17 3"], truth: Float[Tensor, "*batch 17 3"]
) -> Float[Tensor, "*batch"]:
    """Share of the 14 common joints that are strictly nearer than 150 mm, no scale corrected.

    As MPI-INF-3DHP's mpii_compute_3d_pck.m counts, if the truth is on the universal skeleton.
    """
    near = joint_errors(predicted, truth)[..., COMMON_JOINTS] < PCK_THRESHOLD
    return near.to(predicted.dtype).mean(-1)


def auc(
    predicted: Float[Tensor, "*batch 17 3"], truth: Float[Tensor, "*batch 17 3"]
) -> Float[Tensor, "*batch"]:
    """Mean of pck over the 31 thresholds 0, 5, ..., 150 mm, as in the same script."""
    errors = joint_errors(predicted, truth)[..., COMMON_JOINTS, None]
    return (errors < errors.new_tensor(AUC_THRESHOLDS)).to(predicted.dtype).mean((-1, -2))


def n_pck(
    predicted: Float[Tensor, "*batch 17 3"], truth: Float[Tensor, "*batch 17 3"]
) -> Float[Tensor, "*batch"]:
    """The pck once each pose has its best scale over all 17 joints; no official figure."""
    return pck(scaled(predicted, truth), truth)


def torso_pck(
    predicted: Float[Tensor, "*batch 17 2"], truth: Float[Tensor, "*batch 17 2"]
) -> Float[Tensor, "*batch"]:
    """2D: share of the 14 common joints within 0.2 torsos, left shoulder to right hip (LSP)."""
    return _pck2d(predicted, truth, 0.2, (_LEFT_SHOULDER, _RIGHT_HIP))


def pckh(
    predicted: Float[Tensor, "*batch 17 2"], truth: Float[Tensor, "*batch 17 2"]
) -> Float[Tensor, "*batch"]:
    """2D: share of the 14 common joints within half a head, from neck to head top.

    Andriluka et al. (2014) take 0.6 diagonals of a box of the head, which LSP does not have.
    """
    return _pck2d(predicted, truth, 0.5, (_NECK, _HEAD_TOP))


def _pck2d(
    predicted: Float[Tensor, "*batch 17 2"],
    truth: Float[Tensor, "*batch 17 2"],
    share: float,
    ends: tuple[int, int],
) -> Float[Tensor, "*batch"]:
    """Share of the joints no farther off than a share of the true distance of two joints."""
    length = (truth[..., ends[0], :] - truth[..., ends[1], :]).norm(dim=-1)
    errors = joint_errors(predicted, truth)[..., COMMON_JOINTS]
    return (errors <= share * length[..., None]).to(predicted.dtype).mean(-1)


def by_joint(
    errors: Float[Tensor, "poses joints"], joints: Sequence[int] = range(17)
) -> dict[str, float]:
    """Mean over poses of each joint's error, by name."""
    names = [JOINT_NAMES[joint] for joint in joints]
    return dict(zip(names, errors.mean(0).tolist(), strict=True))


def by_action(
    values: Float[Tensor, " poses"], actions: Shaped[np.ndarray, " poses"]
) -> dict[str, float]:
    """Mean over the poses of each action, in alphabetical order."""
    return {str(action): values[actions == action].mean().item() for action in np.unique(actions)}


def rank_correlation(x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"]) -> float:
    """Spearman's rho; nan where one of the two is constant, or not known everywhere."""
    known = np.isfinite(x).all() and np.isfinite(y).all()
    if len(x) < 2 or not known or not np.ptp(x) or not np.ptp(y):
        return float("nan")
    return float(spearmanr(x, y).statistic)


def joint_errors(
    predicted: Float[Tensor, "*batch joints dimensions"],
    truth: Float[Tensor, "*batch joints dimensions"],
) -> Float[Tensor, "*batch joints"]:
    """Distance of each joint from where it is, in 2D or 3D."""
    return (predicted - truth).norm(dim=-1)


def scaled(
    predicted: Float[Tensor, "*batch joints 3"], truth: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch joints 3"]:
    """Each predicted pose p times <p, g> / <p, p>, its least-squares scale to the truth g.

    A scale below 0, of a pose that is the wrong way round, is kept, as VideoPose3D keeps it. A
    pose that is all zeros stays so.
    """
    product = (predicted * truth).sum((-1, -2))
    square = predicted.square().sum((-1, -2))
    scale = product / torch.where(square > 0, square, 1)
    return scale[..., None, None] * predicted
