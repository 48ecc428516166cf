"""T_m, from 2D joints to heatmaps and affinity maps (Sec. 3.1c of the paper)."""

import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.geometry.devices import index
from kinepose.geometry.skeleton import JOINT_NAMES, LIMBS

MAPS = len(JOINT_NAMES) + len(LIMBS)
"""17 heatmaps, then 16 affinity maps."""


def spatial_maps(
    joints2d: Float[Tensor, "*batch 17 2"],
    size: int | tuple[int, int],
    sigma: float = 0.1,
    limb_width: float = 0.06,
    limb_reach: float = 0.3,
) -> Float[Tensor, "*batch 33 height width"]:
    """T_m: p_2D -> (f_hm, f_am), sampled at the centres of the pixels of a crop of `size` (H, W).

    sigma is the paper's sigma, limb_width its sigma_y, both in halves of the crop's side;
    limb_reach its alpha, in lengths of the limb.
    """
    height, width = (size, size) if isinstance(size, int) else size
    pixels = pixel_centres(height, width, joints2d)
    joint_maps = heatmaps(joints2d, pixels, sigma)
    affinity_maps = _affinity_maps(joints2d, pixels, limb_width, limb_reach)
    return torch.cat([joint_maps, affinity_maps], dim=-3)


def pixel_centres(height: int, width: int, like: Tensor) -> Float[Tensor, "{height} {width} 2"]:
    """Where the centres of the pixels lie: the centre of pixel i of n at (i + 0.5) / n * 2 - 1."""
    x = (torch.arange(width, dtype=like.dtype, device=like.device) + 0.5) / width * 2 - 1
    y = (torch.arange(height, dtype=like.dtype, device=like.device) + 0.5) / height * 2 - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def heatmaps(
    joints2d: Float[Tensor, "*batch 17 2"], pixels: Float[Tensor, "height width 2"], sigma: float
) -> Float[Tensor, "*batch 17 height width"]:
    """f_hm(u) = exp(-|u - p|^2 / (2 sigma^2)), at the places u."""
    offsets = pixels - joints2d[..., None, None, :]
    return (-0.5 * offsets.square().sum(-1) / sigma**2).exp()


def _affinity_maps(
    joints2d: Float[Tensor, "*batch 17 2"],
    pixels: Float[Tensor, "height width 2"],
    limb_width: float,
    limb_reach: float,
) -> Float[Tensor, "*batch 16 height width"]:
    """f_am(u), a Gaussian along each limb, without the paper's slope angle theta.

    With w = u - mu, d = j2 - j1 and sigma_x^2 = sigma_y^2 + alpha^2 |d|^2 the paper's exponent is
    -(|w|^2 + alpha^2 (w x d)^2 / sigma_y^2) / (2 sigma_x^2): a sum of squares, so that rounding
    cannot turn its sign far from the crop, and smooth also for a limb of no length, whose map is
    round. (The paper's own sigma_x = alpha |d| would shrink it to nothing.)
    """
    parents, children = zip(*LIMBS, strict=True)
    start = joints2d[..., index(parents, joints2d), :]
    end = joints2d[..., index(children, joints2d), :]
    limb = (end - start)[..., None, None, :]
    offsets = pixels - ((start + end) / 2)[..., None, None, :]
    across = offsets[..., 0] * limb[..., 1] - offsets[..., 1] * limb[..., 0]
    squared = offsets.square().sum(-1) + (limb_reach / limb_width * across).square()
    return (-0.5 * squared / (limb_width**2 + limb_reach**2 * limb.square().sum(-1))).exp()
